"""``rapport analyse``: what was asked on the command line, and how the answer is shown."""

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TextIO, get_args

import click
from click.core import ParameterSource

from services.cli.analysis.asked import CRITERIA, choices_of, notation_of
from services.cli.analysis.changes import CHANGES
from services.cli.analysis.choices import Choices, Found, Row, Undecided
from services.cli.analysis.courses import COURSES
from services.cli.analysis.figures import Number, Within, rounded
from services.cli.analysis.occasions import DateOrder
from services.cli.analysis.table import Columns, ScoreTable, TableFault, read
from services.cli.common import MISCONFIGURED, json_option, show, show_one
from shared.instrument import Rater

METHODS: Final[Mapping[str, Callable[[ScoreTable, Choices], Found]]] = {**CHANGES, **COURSES}

FEWEST_WIDE: Final = 2

_ANY: Final = Number()
_OVER_0: Final = Within(min=0, min_open=True)
_SHARE: Final = Within(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8-sig"))
@click.option("--method", type=click.Choice(list(METHODS)), required=True, help="What to compute.")
@click.option(
    "--client", default="client", show_default=True, help="Column that names the client."
)
@click.option(
    "--occasion",
    default="occasion",
    show_default=True,
    help="Column of the occasion: numbers, dates, names that end in a number such as s10, or"
    " other names in the order of the table (pre first, follow-up last).",
)
@click.option("--score", default="score", show_default=True, help="Column of the score.")
@click.option(
    "--wide",
    metavar="COLUMN,COLUMN,…",
    help="Columns of scores, in order, of a table with a line for each client, such as pre,post;"
    " instead of --occasion and --score.",
)
@click.option(
    "--group",
    help="Column of the client's group, such as an arm of a trial: it stands in each row, and the"
    " categories of a reliable change are counted in each as well.",
)
@click.option(
    "--delimiter",
    callback=lambda _, __, said: _delimiter(said),
    help="Between columns; found out by itself among , ; and tab.",
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    default="point",
    show_default=True,
    help="How scores and occasions write their decimals: 2.5 or 2,5.",
)
@click.option(
    "--missing",
    multiple=True,
    metavar="CODE",
    help="What stands for a missing score, such as -99, besides an empty one, NA, null and a"
    " point; may be given several times.",
)
@click.option(
    "--dates",
    type=click.Choice(get_args(DateOrder)),
    help="How to read dates whose year comes last: 31.1.2026 is dmy, 1/31/2026 mdy.",
)
@click.option("--instrument", help="Take direction, noise and cut-off from it, such as phq-9.")
@click.option("--scale", help="Of the instrument; its total where not given.")
@click.option(
    "--rater",
    type=click.Choice(list(get_args(Rater))),
    default="client",
    show_default=True,
    help="Whose ratings, where the instrument's cut-off depends on that.",
)
@click.option("--better", type=click.Choice(["higher", "lower"]), help="Which way is better.")
@click.option("--pre", help="Occasion before; each client's first score where not given.")
@click.option("--post", help="Occasion after; each client's last score where not given.")
@click.option(
    "--mean",
    type=_ANY,
    help="Of the scores before, such as a published one; computed from the table where not given.",
)
@click.option("--sd", type=_OVER_0, help="The same, their standard deviation.")
@click.option("--reliability", type=_SHARE, help="Of the instrument, such as 0.85.")
@click.option("--reliability-after", type=_SHARE, help="At the second occasion, where it differs.")
@click.option(
    "--reliable-change", type=_OVER_0, help="Published, in points; at least so much is reliable."
)
@click.option(
    "--confidence",
    type=_SHARE,
    default=0.95,
    show_default=True,
    help="Of an index (0.95 is 1.96, 0.9 is 1.645) and of a slope's interval.",
)
@click.option("--z", type=_OVER_0, help="How far from 0 an index must be, instead.")
@click.option("--cutoff", type=_ANY, help="Between the clinical and the functional range.")
@click.option(
    "--cutoff-type",
    type=click.Choice(["a", "b", "c"]),
    help="Compute it from the populations (Jacobson and Truax 1991).",
)
@click.option(
    "--clinical",
    type=(_ANY, _OVER_0),
    metavar="MEAN SD",
    help="Clinical population; the scores before where not given.",
)
@click.option(
    "--functional", type=(_ANY, _OVER_0), metavar="MEAN SD", help="Functional population."
)
@click.option(
    "--points",
    type=_OVER_0,
    help="Least sudden change (7 on the BDI), or fall that makes a rupture.",
)
@click.option(
    "--share",
    type=_SHARE,
    default=0.25,
    show_default=True,
    help="Least sudden change as a share of the value before.",
)
@click.option(
    "--alpha",
    type=_SHARE,
    default=0.05,
    show_default=True,
    help="Of the third criterion of sudden gains, two-sided.",
)
@click.option(
    "--critical",
    type=_OVER_0,
    help="The same critical value for all intervals, such as 2.776, whatever is missing.",
)
@click.option(
    "--without",
    type=click.Choice(CRITERIA),
    multiple=True,
    help="A criterion of sudden gains to leave out.",
)
@click.option(
    "--baseline",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="First values that set a chart's limits; 0: all.",
)
@click.option(
    "--floor",
    type=Within(min=0),
    help="Least sigma of a chart, such as the standard error of measurement; an instrument's own"
    " where not given.",
)
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Last values that a trend looks at; 0: all.",
)
@click.option(
    "--decimals",
    type=click.IntRange(0, 15),
    default=3,
    show_default=True,
    help="That are printed, a half rounded up; JSON and CSV have them all.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
def analyse(
    file: TextIO, method: str, as_json: bool, as_csv: bool, decimals: int, **options: Any
) -> None:
    """Run a published method of change on FILE: a CSV table of client, occasion and score.

    FILE may be - for standard input. An empty score, NA, null or . is missing; so is what
    --missing says. Lines may stand in any order. With an --instrument, a score that it cannot
    have is refused, and so is an option that the method does not look at. What cannot be computed
    is *not analysable*, never guessed. Nothing is sent or stored.

    \b
    Two occasions (a reliable change, and its category):
      jacobson-truax         change ÷ standard error of a difference
      edwards-nunnally, gulliksen-lord-novick, hsu-linn-lord, nunnally-kotsch,
      hageman-arrindell      its variants, as Claus et al. define them; the last one also
                             says what share of the whole group changed
    Whole courses:
      sudden-gains           Tang and DeRubeis 1999; losses as well
      control-chart          an individuals chart on each client's own scores
      trend                  Theil-Sen slope, Mann-Kendall test
      ruptures               falls from the recent level, repaired or not (own definition)

    \b
    Examples:
      rapport analyse bdi.csv --method jacobson-truax --better lower \\
          --reliability 0.88 --functional 7.2 6.5 --cutoff-type c
      rapport analyse phq.csv --method jacobson-truax --instrument phq-9
      rapport analyse bdi.csv --method sudden-gains --better lower --points 7
      rapport analyse srs.csv --method trend --client id --occasion date --score srs --last 6
      rapport analyse das.csv --method jacobson-truax --better higher --client id \\
          --wide pre,post --reliability 0.88 --cutoff 96.5

    Definitions, units and sources: the modules of shared/change.
    """
    if as_json and as_csv:
        raise click.UsageError("--json, --csv: take one")
    found = _found(file, method, options)
    for note in found.notes:
        click.echo(note, err=True)
    _print(method, found, decimals, as_json=as_json, as_csv=as_csv)


def _found(file: TextIO, method: str, options: Mapping[str, Any]) -> Found:
    """Return what a method finds in a file; a table that cannot be read ends the command."""
    wide = tuple(name.strip() for name in (options["wide"] or "").split(",") if name.strip())
    if options["wide"] is not None and len(wide) < FEWEST_WIDE:
        raise click.UsageError("--wide: name two columns of scores or more, such as pre,post")
    columns = Columns(
        options["client"], options["occasion"], options["score"], wide, options["group"]
    )
    try:
        table = read(file, columns, options["delimiter"], notation_of(options))
        found = METHODS[method](table, choices_of(method, options, _said(options)))
    except TableFault as error:
        for fault in error.faults:
            click.echo(f"{file.name}: {fault}", err=True)
        raise click.exceptions.Exit(MISCONFIGURED) from error
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{file.name} is not UTF-8 text; save it as such (spreadsheets call it CSV UTF-8)"
        ) from error
    except Undecided as error:
        raise click.UsageError(str(error)) from error
    return replace(found, notes=[*table.notes, *found.notes], rows=_with_groups(table, found.rows))


def _said(options: Mapping[str, Any]) -> set[str]:
    """Return the options that somebody wrote; the others have their defaults."""
    source = click.get_current_context().get_parameter_source
    return {name for name in options if source(name) is ParameterSource.COMMANDLINE}


def _with_groups(table: ScoreTable, rows: Sequence[Row]) -> Sequence[Row]:
    """Return rows with each client's group beside them, where the table has groups."""
    groups = {course.client: course.group for course in table.courses}
    if not any(groups.values()):
        return rows
    return [{"client": row["client"], "group": groups[row["client"]], **row} for row in rows]


def _delimiter(said: str | None) -> str | None:
    """Return the character that was meant, ``\\t`` for a tab."""
    if said is None:
        return None
    meant = "\t" if said in ("\\t", "tab") else said
    if len(meant) != 1 or meant in '"\r\n':
        raise click.BadParameter("take one character, such as ; or \\t")
    return meant


def _print(method: str, found: Found, decimals: int, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        whole = {"method": method, "used": found.used, "rows": list(found.rows),
                 "summary": found.summary, "notes": list(found.notes)}  # fmt: skip
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    if as_csv:
        _print_csv(found)
        return
    show([_rounded(row, decimals) for row in found.rows], as_json=False)
    if found.rows:
        click.echo()
    show_one(_rounded({"method": method, **found.used, **found.summary}, decimals), as_json=False)


def _print_csv(found: Found) -> None:
    if not found.rows:
        return
    writer = csv.DictWriter(sys.stdout, list(found.rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in found.rows:
        writer.writerow(
            {name: " ".join(value) if isinstance(value, list) else value
             for name, value in row.items()}
        )  # fmt: skip


def _rounded(row: Row, decimals: int) -> Row:
    return {
        name: rounded(value, decimals) if isinstance(value, float) else value
        for name, value in row.items()
    }
