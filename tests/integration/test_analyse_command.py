"""``rapport analyse`` on tables as people have them."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import stdev

import pytest
from click.testing import Result

from services.cli.analysis.figures import rounded
from services.cli.btheb import write_table
from tests.support.analysing import analysed, found

TWO: str = """client,occasion,score
a,1,47.5
a,2,32.5
b,1,30
b,2,31
c,1,20
c,2,NA
d,1,44
d,2,20
"""

Analyse = Callable[..., Result]


@pytest.fixture
def analyse(tmp_path: Path) -> Analyse:
    """Return a way to write a table and run the command on it."""

    def run(text: str, *arguments: str) -> Result:
        return analysed(tmp_path, text, *arguments)

    return run


def test_reliable_change_of_a_table(analyse: Analyse) -> None:
    """Index, category and counts; who has one score alone is not analysable."""
    said = found(
        analyse(
            TWO, "--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
            "--sd", "7.5", "--cutoff-type", "c", "--clinical", "40", "7.5",
            "--functional", "16", "5", "--json",
        )
    )  # fmt: skip
    assert said["used"]["reliable_change"] == pytest.approx(1.96 * 4.74, abs=0.01)
    assert said["used"]["cutoff"] == pytest.approx((7.5 * 16 + 5 * 40) / 12.5)
    rows = {row["client"]: row for row in said["rows"]}
    assert rows["a"]["rci"] == pytest.approx(-15 / (2**0.5 * 7.5 * 0.2**0.5))
    kinds = {client: row["category"] for client, row in rows.items()}
    assert kinds == {"a": "improved", "b": "unchanged", "c": "not analysable", "d": "recovered"}
    assert said["summary"]["analysed"] == 3
    assert said["summary"]["recovered"] == "1 of 3 (33.33 %)"


def test_an_instrument_brings_its_figures(analyse: Analyse) -> None:
    """A published reliable change counts from exactly that many points, as on the timeline."""
    table = "id;when;phq\nx;2026-01-01;15\nx;2026-03-01;9\ny;2026-01-01;15\ny;2026-03-01;10\n"
    said = found(
        analyse(
            table, "--method", "jacobson-truax", "--instrument", "phq-9",
            "--client", "id", "--occasion", "when", "--score", "phq", "--json",
        )
    )  # fmt: skip
    assert [row["category"] for row in said["rows"]] == ["recovered", "unchanged"]
    assert said["used"] == {"better": "lower", "reliable_change": 6, "cutoff": None}


def test_exactly_at_an_index_is_not_beyond_it(analyse: Analyse) -> None:
    """Jacobson and Truax ask for more than 1.96; a published change in points for at least it."""
    table = "client,occasion,score\na,1,20\na,2,10\n"
    asked = ("--method", "jacobson-truax", "--better", "lower", "--json")
    at_index = analyse(table, *asked, "--sd", "5", "--reliability", "0.5", "--z", "2")
    at_points = analyse(table, *asked, "--reliable-change", "10")
    under = analyse(table, *asked, "--reliable-change", "10.1")
    kinds = [found(done)["rows"][0]["category"] for done in (at_index, at_points, under)]
    assert kinds == ["unchanged", "improved", "unchanged"]


@pytest.mark.parametrize(
    "method",
    ["edwards-nunnally", "gulliksen-lord-novick", "hsu-linn-lord", "nunnally-kotsch",
     "hageman-arrindell"],
)  # fmt: skip
def test_every_variant_runs(analyse: Analyse, method: str) -> None:
    """Each of them comes to an index for everybody with both scores."""
    said = found(analyse(TWO, "--method", method, "--better", "lower", "--reliability", "0.8",
                         "--json"))  # fmt: skip
    assert [row["rci"] is None for row in said["rows"]] == [False, False, True, False]
    assert said["used"]["sd_before"] == pytest.approx(9.26, abs=0.005)


def test_no_mean_of_one_client_is_made_up(analyse: Analyse) -> None:
    """One client has no sample: Jacobson and Truax need none, others the mean that is told."""
    table = "client,occasion,score\na,1,20\na,2,10\n"
    asked = ("--better", "lower", "--sd", "5", "--reliability", "0.8")
    used = found(analyse(table, "--method", "jacobson-truax", *asked, "--json"))["used"]
    assert (used["mean_before"], used["sd_before"], used["sd_after"]) == (None, 5, None)
    refused = analyse(table, "--method", "edwards-nunnally", *asked)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "edwards-nunnally needs a mean before: --mean" in " ".join(refused.stderr.split())
    told = found(analyse(table, "--method", "edwards-nunnally", *asked, "--mean", "25", "--json"))
    assert told["rows"][0]["rci"] == pytest.approx((10 - 21) / 5**0.5)
    moved = analyse(table, "--method", "hageman-arrindell", *asked, "--mean", "25")
    assert "hageman-arrindell needs their means" in " ".join(moved.stderr.split())


def test_sudden_gains_see_missing_sessions(analyse: Analyse) -> None:
    """A session that others had and this client had not is missing, not skipped."""
    rows = [f"a,{n},{score}" for n, score in enumerate([30, 31, 30, 12, 11, 12, 25], 1)]
    rows += [f"b,{n},{score}" for n, score in ((1, 30), (3, 30), (5, 10), (7, 10))]
    table = "\n".join(["client,occasion,score", *rows])
    said = found(analyse(table, "--method", "sudden-gains", "--better", "lower", "--points", "7",
                         "--json"))  # fmt: skip
    assert [(row["client"], row["kind"], row["between"], row["and"], row["reversed_at"])
            for row in said["rows"]] == [("a", "gain", "3", "4", "7")]  # fmt: skip
    assert said["summary"]["clients_with_gains"] == 1
    assert said["summary"]["intervals_analysed"] == 4


def test_charts_and_trends(analyse: Analyse) -> None:
    """Limits of the first five; slopes per four weeks where occasions are dates."""
    days = ["2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22", "2026-01-29", "2026-02-05"]
    scores = [30, 32, 28, 31, 29, 15]
    table = "client,occasion,score\n" + "".join(
        f"a,{day},{score}\n" for day, score in zip(days, scores, strict=True)
    )
    chart = found(analyse(table, "--method", "control-chart", "--json"))["rows"][0]
    assert chart["centre"] == 30
    assert chart["lower"] == pytest.approx(30 - 3 * 2.75 / 1.128)
    assert chart["signals"] == ["2026-02-05"]
    trend = found(analyse(table, "--method", "trend", "--last", "2", "--json"))["rows"][0]
    assert (trend["n"], trend["slope_per_4_weeks"]) == (2, pytest.approx(-56))


def test_no_range_is_taken_over_a_missing_score(analyse: Analyse) -> None:
    """Of 10, 12, missing, 20, 21 the ranges are 2 and 1; with every second one missing, none."""
    table = "client,occasion,score\na,1,10\na,2,12\na,3,\na,4,20\na,5,21\nb,1,10\nb,2,NA\nb,3,12\n"
    said = found(analyse(table, "--method", "control-chart", "--baseline", "0", "--json"))
    (row, gaps) = said["rows"]
    assert (row["n"], row["centre"], row["moving_range"]) == (4, 15.75, 1.5)
    assert (gaps["centre"], gaps["signals"]) == (None, "not analysable")
    assert "1 of 2 clients are not analysable: their first scores never vary" in said["notes"][0]
    first = found(analyse(table, "--method", "control-chart", "--baseline", "3", "--json"))
    assert (first["rows"][0]["centre"], first["rows"][0]["moving_range"]) == (14, 2)
    assert "they have fewer than 3 scores (--baseline)" in first["notes"][0]


def test_ruptures_at_one_and_two_deviations(analyse: Analyse) -> None:
    """Both thresholds are reported beside each other."""
    table = "client,occasion,score\n" + "".join(
        f"a,{n},{score}\n" for n, score in enumerate([36, 36, 36, 30, 36])
    )
    said = found(analyse(table, "--method", "ruptures", "--better", "higher", "--sd", "4",
                         "--json"))  # fmt: skip
    assert [(row["threshold"], row["state"]) for row in said["rows"]] == [("1_sd", "repaired")]
    assert said["summary"]["ruptures_2_sd"] == "0 in 0 clients"


def test_real_data(analyse: Analyse, tmp_path: Path) -> None:
    """Of the 100 people of a real trial, the 97 who were measured again are analysed."""
    file = tmp_path / "btheb.csv"
    write_table(file, datetime(2026, 11, 1, tzinfo=UTC))
    said = found(
        analyse(
            file.read_text("utf-8"), "--method", "jacobson-truax", "--better", "lower",
            "--reliability", "0.9", "--client", "subject", "--occasion", "time",
            "--score", "total", "--json",
        )
    )  # fmt: skip
    assert (said["summary"]["clients"], said["summary"]["analysed"]) == (100, 97)
    courses: dict[str, list[float]] = {}
    with file.open(encoding="utf-8") as table:
        for line in csv.DictReader(table):
            courses.setdefault(line["subject"], []).append(float(line["total"]))
    both = {who: (course[0], course[-1]) for who, course in courses.items() if len(course) > 1}
    error = stdev(first for first, _ in both.values()) * (2 * 0.1) ** 0.5
    expected = {who: (last - first) / error for who, (first, last) in both.items()}
    indices = {row["client"]: row["rci"] for row in said["rows"] if row["rci"] is not None}
    assert indices == pytest.approx(expected)


def test_the_answer_for_people_and_for_programs(analyse: Analyse) -> None:
    """A table to read with so many decimals, or the same rows as CSV with all of them."""
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8")
    shown = analyse(TWO, *asked, "--decimals", "2")
    assert "not analysable" in shown.stdout
    assert "9.26" in shown.stdout
    assert "No cut-off was given" in shown.stderr
    rows = list(csv.DictReader(io.StringIO(analyse(TWO, *asked, "--csv").stdout)))
    assert [row["client"] for row in rows] == ["a", "b", "c", "d"]
    assert float(rows[0]["change"]) == -15


def test_half_cases_are_rounded_as_by_hand(analyse: Analyse) -> None:
    """A mean of 0.125 is 0.13 and one of 32 3.13 %, not the neighbours that binary gives."""
    rows = "".join(f"c{n},1,{1.005 if n else 10}\nc{n},2,{1.005 if n else 0}\n"
                   for n in range(32))  # fmt: skip
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliable-change", "5")
    shown = analyse("client,occasion,score\n" + rows, *asked, "--decimals", "2").stdout
    assert "1.01" in shown
    assert "1 of 32 (3.13 %)" in shown
    assert (rounded(0.125, 2), rounded(-2.5, 0), rounded(-0.001, 2)) == ("0.13", "-3", "0.00")
    assert (rounded(1e-7, 3), rounded(1e20, 1)) == ("0.000", "100000000000000000000.0")


def test_who_was_functional_before_is_counted(analyse: Analyse) -> None:
    """Who starts in the functional range can improve, and not recover: the reader is told."""
    table = "client,occasion,score\na,1,9\na,2,1\nb,1,20\nb,2,5\n"
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliable-change", "6", "--json")
    said = found(analyse(table, *asked, "--cutoff", "10"))
    assert [row["category"] for row in said["rows"]] == ["improved", "recovered"]
    assert said["notes"] == [
        "1 of 2 were in the functional range before: they can improve, and not recover."
    ]


def test_a_criterion_can_be_left_out(analyse: Analyse) -> None:
    """Without stability an interval needs its two values alone; without points it is said."""
    table = "client,occasion,score\na,1,30\na,2,20\n"
    asked = ("--method", "sudden-gains", "--better", "lower", "--json")
    assert found(analyse(table, *asked, "--points", "7"))["summary"]["gains"] == 0
    left = found(analyse(table, *asked, "--points", "7", "--without", "stability"))
    assert (left["summary"]["gains"], left["used"]["alpha"]) == (1, None)
    assert "first criterion was left out" in found(analyse(table, *asked))["notes"][0]
    given = found(analyse(table, *asked, "--reliable-change", "7"))
    assert given["used"]["points"] == 7


def test_a_trend_of_very_many_scores_is_refused(analyse: Analyse) -> None:
    """Every pair is looked at: who has more is asked which to take."""
    table = "client,occasion,score\n" + "".join(f"a,{n},{n % 7}\n" for n in range(2_001))
    assert "--last 2000" in analyse(table, "--method", "trend").stderr
    assert analyse(table, "--method", "trend", "--last", "50").exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table is empty"),
        ("client,occasion,score\n", "no line below"),
        ("client,time,score\na,1,2\n", "there is no column 'occasion'; it has: client, time"),
        ("client,occasion,score\na,1\n", "line 2: it has 2 columns, 3 are needed"),
        ("client,occasion,score\n,1,2\n", "line 2: the client is empty"),
        ("client,occasion,score\na,,2\n", "line 2: the occasion is empty"),
        ("client,occasion,score\na,1,2\na,1,3\n", "line 3: client a has occasion 1 in line 2"),
        ('client,occasion,score\na,1,"2,5"\n', "--decimal comma"),
        ("client,occasion,score\na,1,2\na,1.0,3\n", "line 3: client a has occasion 1 in line 2"),
        ("client,occasion,score\na,1,1_000\n", "the score '1_000' is not a number"),
        ("client,occasion,score\na,1,1e300\n", "larger than any score"),
        ("client,occasion,score,score\na,1,2,3\n", "several columns 'score'"),
        (f"client,occasion,score\na,1,{'2' * 200_000}\n", "this is no CSV: field larger"),
        ("client,occasion,score\na,1,x\n", "the score 'x' is not a number"),
        ("client,occasion,score\na,1,inf\n", "not a finite number"),
        ("client,occasion,score\na,1,1e-320\n", "smaller than any score"),
        ("\n \nclient,occasion,score\na,1,x\n", "line 4: the score 'x' is not a number"),
    ],
)
def test_a_table_that_cannot_be_read(analyse: Analyse, text: str, said: str) -> None:
    """The fault is named with its line, exit code 2, nothing on stdout."""
    done = analyse(text, "--method", "trend")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "jacobson-truax"], "which way is better?"),
        (["--method", "jacobson-truax", "--better", "lower"], "--reliability"),
        (["--method", "nunnally-kotsch", "--instrument", "oq-45"], "--reliability"),
        (["--method", "jacobson-truax", "--instrument", "nix"], "there is no instrument 'nix'"),
        (["--method", "trend", "--instrument", "ors", "--scale", "nix"], "has no scale 'nix'"),
        (["--method", "ruptures", "--better", "lower"], "how large is a rupture?"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
          "--cutoff-type", "c"], "both populations"),
        (["--method", "nix"], "Invalid value for '--method'"),
        (["--method", "trend", "--json", "--csv"], "take one"),
        (["--method", "trend", "--floor", "nan"], "nan is no number to compute with"),
        (["--method", "trend", "--cutoff", "-inf"], "-inf is no number to compute with"),
        (["--method", "trend", "--confidence", "0.9999999999999999"], "is too near to 1"),
        (["--method", "trend", "--delimiter", ";;"], "take one character"),
        (["--method", "trend", "--scale", "total"], "of which --instrument?"),
        (["--method", "trend", "--cutoff", "5", "--points", "7"],
         "trend does not look at --cutoff, --points"),
        (["--method", "edwards-nunnally", "--better", "lower", "--reliability", "0.8",
          "--reliability-after", "0.7"], "does not look at --reliability-after"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliable-change", "5", "--z", "2"],
         "--z: not used with a reliable change of 5 points"),
        (["--method", "ruptures", "--better", "lower", "--points", "5", "--reliable-change", "5"],
         "--points, --reliable-change: take one"),
        (["--method", "trend", "--wide", "score"], "--wide: name two columns"),
        (["--method", "trend", "--wide", "score,score"], "named more than once"),
        (["--method", "trend", "--client", "score"], "as --client and as --score"),
        (["--method", "jacobson-truax", "--instrument", "oq-45", "--better", "higher"],
         "--better higher: of that instrument lower is better"),
        (["--method", "jacobson-truax", "--instrument", "wai-sr"],
         "no reliable change is published here for wai-sr"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliable-change", "5", "--pre",
          "1", "--post", "1.0"], "name two occasions"),
        (["--method", "sudden-gains", "--better", "lower", "--critical", "2.776", "--without",
          "stability"], "--critical, --without stability: take one"),
        (["--method", "sudden-gains", "--better", "lower", "--points", "7", "--critical", "2.776",
          "--alpha", "0.01"], "--alpha, --critical: take one"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
          "--functional", "8", "8"], "--functional: for which cut-off?"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
          "--reliable-change", "5"], "--reliable-change, --reliability: take one"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
          "--cutoff", "5", "--cutoff-type", "a"], "--cutoff, --cutoff-type: take one"),
        (["--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8",
          "--post", "after"], "there is no occasion 'after'; the table has: 1, 2"),
        (["--method", "sudden-gains", "--better", "lower", "--without", "points", "--without",
          "share", "--without", "stability"], "leave one criterion in"),
    ],
)  # fmt: skip
def test_what_is_not_said_is_asked_for(analyse: Analyse, arguments: list[str], said: str) -> None:
    """Nothing is guessed: the message names the option that is needed."""
    done = analyse(TWO, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("rater", "category"), [((), "improved"), (("--rater", "parent_or_carer"), "recovered")]
)
def test_a_cut_off_is_the_rater_s_own(
    analyse: Analyse, rater: tuple[str, ...], category: str
) -> None:
    """From 20 to 30 is past a caregiver's cut-off of 28, and not past a child's of 32."""
    table = "client,occasion,score\na,1,20\na,2,30\n"
    said = found(
        analyse(
            table, "--method", "jacobson-truax", "--instrument", "cors", "--sd", "5",
            "--reliability", "0.9", *rater, "--json",
        )
    )  # fmt: skip
    assert [row["category"] for row in said["rows"]] == [category]
