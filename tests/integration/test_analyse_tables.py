"""Tables as people have them: commas, orders of occasions, spellings, dates."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.analysing import analysed, found

Analyse = Callable[..., Result]


@pytest.fixture
def analyse(tmp_path: Path) -> Analyse:
    """Return a way to write a table and run the command on it."""

    def run(text: str, *arguments: str) -> Result:
        return analysed(tmp_path, text, *arguments)

    return run


def test_a_table_of_a_spreadsheet_that_writes_commas(analyse: Analyse) -> None:
    """Semicolons, a byte order mark, decimal commas, a point for missing, times in any order."""
    table = "\ufeffclient;occasion;score\na;2;2,5\na;1;4,25\nb;1;.\n"
    said = found(analyse(table, "--method", "jacobson-truax", "--better", "lower",
                         "--reliable-change", "1", "--decimal", "comma", "--json"))  # fmt: skip
    assert [(row["pre"], row["post"]) for row in said["rows"]] == [(4.25, 2.5), (None, None)]
    assert (
        "is not a number"
        in analyse(
            "client;occasion;score\na;1;1.234,5\n", "--method", "trend", "--decimal", "comma"
        ).stderr
    )


@pytest.mark.parametrize(
    ("occasions", "order", "noted"),
    [
        (("10", "9", "1.5"), ["1.5", "9", "10"], False),
        (("s10", "s2", "s1"), ["s1", "s2", "s10"], False),
        (("2026-02-01", "2026-01-31T10:00"), ["2026-01-31T10:00", "2026-02-01"], False),
        (("mid", "end", "late"), ["mid", "end", "late"], True),
        (("Baseline", "Week 10", "Week 2"), ["Baseline", "Week 2", "Week 10"], True),
        (("FU 6m", "post", "pre"), ["pre", "post", "FU 6m"], True),
        (("Follow-up", "Post", "Baseline"), ["Baseline", "Post", "Follow-up"], True),
        (("s1", "fu1"), ["s1", "fu1"], True),
    ],
)
def test_the_order_of_occasions(
    analyse: Analyse, occasions: tuple[str, ...], order: list[str], noted: bool
) -> None:
    """Numbers, dates and numbered names by themselves; other names as they come, which is said."""
    table = "client,occasion,score\n" + "".join(f"a,{one},3\n" for one in occasions)
    said = found(analyse(table, "--method", "jacobson-truax", "--better", "lower",
                         "--reliable-change", "1", "--json"))  # fmt: skip
    assert (said["rows"][0]["before"], said["rows"][0]["after"]) == (order[0], order[-1])
    assert any("Occasions are names" in note for note in said["notes"]) is noted


def test_names_are_in_the_order_that_every_client_agrees_with(analyse: Analyse) -> None:
    """A first client without the middle occasion does not make it everybody's last."""
    table = "client,occasion,score\na,pre,9\na,fu,1\nb,pre,9\nb,post,5\nb,fu,2\n"
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliable-change", "1", "--json")
    said = found(analyse(table, *asked))
    assert [row["after"] for row in said["rows"]] == ["fu", "fu"]
    turned = found(analyse(table + "c,fu,1\nc,pre,2\n", *asked))
    assert "Not every client has them in that order" in turned["notes"][0]


def test_an_occasion_may_be_named_by_its_number(analyse: Analyse) -> None:
    """--pre 1 is found where the table writes 1.0, and both spellings are one occasion."""
    table = "client,occasion,score\na,1.0,9\na,2,5\nb,1,9\nb,2.0,3\n"
    said = found(analyse(table, "--method", "jacobson-truax", "--better", "lower", "--pre", "1",
                         "--post", "2", "--reliable-change", "1", "--json"))  # fmt: skip
    assert said["summary"]["analysed"] == 2


def test_dates_of_other_countries_are_not_guessed(analyse: Analyse) -> None:
    """01/02/2026 is in January or in February: its reader says which, or is asked."""
    table = "client,occasion,score\na,01/02/2026,9\na,01/01/2026,5\n"
    asked = analyse(table, "--method", "trend")
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert "occasion '01/02/2026' is a date" in " ".join(asked.stderr.split())
    for dates, per_4_weeks in (("mdy", 4 * 28), ("dmy", 4 * 28 / 31)):
        said = found(analyse(table, "--method", "trend", "--dates", dates, "--json"))
        assert said["rows"][0]["slope_per_4_weeks"] == pytest.approx(per_4_weeks)
    wrong = analyse("client,occasion,score\na,1.2.26,9\na,31.2.26,5\n", "--method", "trend",
                    "--dates", "dmy")  # fmt: skip
    assert "occasion '31.2.26' is no date in the order of --dates dmy" in wrong.stderr


@pytest.mark.parametrize(
    ("last", "first"),
    [("2026-02-31", "2026-01-01"), ("28-Feb-2026", "31-Jan-2026"), ("28FEB2026", "31JAN2026"),
     ("Mar 3, 2026", "Oct 1, 2025"), ("2/28/2026", "2026-01-31"), ("1. März 2026", "31.1.2026")],
)  # fmt: skip
def test_a_date_that_cannot_be_read_is_no_name(analyse: Analyse, last: str, first: str) -> None:
    """An export with the newest line first would else turn its change round; the line is named."""
    done = analyse(
        f'client,occasion,score\na,"{last}",5\na,"{first}",20\n', "--method", "jacobson-truax",
        "--better", "lower", "--reliable-change", "6",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 2: occasion" in " ".join(done.stderr.split())


def test_an_export_with_the_newest_line_first_turns_no_change_round(analyse: Analyse) -> None:
    """The earliest date is the one before, wherever it stands."""
    asked = ("--method", "jacobson-truax", "--instrument", "phq-9", "--json")
    for dates in ("31.3.2026 24.3.2026 --dates dmy", "2026-3-31 2026-3-4", "2026/10/1 2026/9/30"):
        last, first, *said = dates.split()
        table = f"Client;Occasion;Score\na;{last};5\na;{first};20\n"
        rows = found(analyse(table, *asked, *said))["rows"]
        assert [(row["pre"], row["post"], row["category"]) for row in rows] == [
            (20, 5, "recovered")
        ]


@pytest.mark.parametrize(
    ("table", "arguments", "said"),
    [
        ("client,occasion,score\na,1,12,5\n", (), "line 2: it has 4 columns, and the first line"
         " names 3"),
        ("client,occasion,score\na,1,12\na,2,-99\n", (), "line 3: the score -99 looks like a"
         " code for a missing one: --missing -99 if it is"),
        ("client,occasion,score\na,1,12\na,2,999\n", (), "line 3: the score 999 looks like"),
        ("client,occasion,score\na,1,28\n", ("--instrument", "phq-9"),
         "line 2: the score '28' is not between 0 and 27 (phq-9 total)"),
        ("client,occasion,score\na,1,99\n", ("--instrument", "phq-9"), "--missing 99"),
        ('client,occasion,note,score\na,1,"x\ny",2\na,2,,x\n', (), "line 4: the score 'x'"),
        ("client,occasion,score,Score\na,1,1,2\n", ("--score", "SCORE"), "several columns"),
        ("client,occasion,score\na,1,1\nMean,,1\n", (), "line 3: 'Mean' seems to be no client"),
        ("client|occasion|score\na|1|1\n", (), "what separates them? --delimiter"),
        ("client,occasion,score\na,1,not done\n", (), "--missing 'not done'"),
        ('client,occasion,score\na,1,"5\na,2,3\n', (), "is a quotation mark left open?"),
    ],
)  # fmt: skip
def test_what_would_be_read_wrongly_is_refused(
    analyse: Analyse, table: str, arguments: tuple[str, ...], said: str
) -> None:
    """The line and the way out are named, and nothing is computed."""
    done = analyse(table, "--method", "trend", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("table", "arguments", "values"),
    [
        ("client,occasion,score\na,1,12\na,2,-99\na,3,8\n", ("--missing", "-99"), (12, 8)),
        ("client,occasion,score\na,1,12\na,2,-99\n", ("--missing", "NA"), (12, -99)),
        ("client,occasion,score\na,1,X\na,2,5\na,3,8\n", ("--missing", "x"), (5, 8)),
        ("client,occasion,score\na,1,60\na,2,99\n", (), (60, 99)),
        ("client,occasion,score\na,1,-9\na,2,-1\n", (), (-9, -1)),
        ("sep=;\nCLIENT;Occasion;Score;\na;1,5;12;\na;10;8;\n", ("--decimal", "comma"), (12, 8)),
        ("client,occasion,Score,score\na,1,1,5\na,2,1,6\n", (), (5, 6)),
    ],
)
def test_tables_of_strangers_come_out_right(
    analyse: Analyse, table: str, arguments: tuple[str, ...], values: tuple[float, ...]
) -> None:
    """Codes that were told, a spreadsheet's first line, headers in another case."""
    said = found(analyse(table, "--method", "jacobson-truax", "--better", "lower",
                         "--reliable-change", "1", "--json", *arguments))  # fmt: skip
    assert tuple(said["rows"][0][name] for name in ("pre", "post")) == values


WIDE = "id,age,s1,s2,s10\na,30,9,5,2\nb,41,8,,7\n"


def test_a_wide_table_has_a_line_for_each_client(analyse: Analyse) -> None:
    """Its columns of scores are the occasions, in the order in which they were named."""
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliable-change", "3",
             "--client", "id", "--json")  # fmt: skip
    said = found(analyse(WIDE, *asked, "--wide", "s1, s2,s10"))
    assert [(row["pre"], row["after"], row["post"]) for row in said["rows"]] == [
        (9, "s10", 2), (8, "s10", 7),
    ]  # fmt: skip
    part = found(analyse(WIDE, *asked, "--wide", "s1,s2"))
    assert part["summary"]["not_analysable"] == 1
    long = "client,occasion,score\na,s1,9\na,s2,5\na,s10,2\nb,s1,8\nb,s10,7\n"
    same = found(analyse(long, *[one for one in asked if one not in ("--client", "id")]))
    assert same["rows"] == said["rows"]


@pytest.mark.parametrize("wide", ["post,pre", "s10,s2", "2026-02-01,2026-01-01", "FU,post"])
def test_columns_are_in_the_order_in_which_they_were_named(analyse: Analyse, wide: str) -> None:
    """Whatever their names seem to say: who names them knows."""
    said = found(analyse(f"client,{wide}\na,9,2\n", "--method", "jacobson-truax", "--better",
                         "lower", "--reliable-change", "3", "--wide", wide, "--json"))  # fmt: skip
    row = said["rows"][0]
    assert ([row["before"], row["after"]], row["post"]) == (wide.split(","), 2)


def test_a_wide_table_that_cannot_be_read(analyse: Analyse) -> None:
    """A column that is not there, a client who has two lines: each is said."""
    asked = ("--method", "trend", "--client", "id", "--wide", "s1,s3")
    assert "there is no column 's3'; it has: id, age, s1" in analyse(WIDE, *asked).stderr
    odd = analyse("id,s1,s2\na,9,x\nb,8,\n", "--method", "trend", "--client", "id", "--wide",
                  "s1,s2")  # fmt: skip
    assert "line 2, column s2: the score 'x' is not a number" in odd.stderr
    code = analyse("id,s1,s2\na,9,8\nb,8,-99\n", "--method", "trend", "--client", "id", "--wide",
                   "s1,s2")  # fmt: skip
    assert "line 3, column s2: the score -99 looks like a code" in code.stderr
    twice = analyse("id,s1,s2\na,9,1\na,8,1\n", *asked[:-1], "s1,s2")
    assert "client a has occasion s1 in line 2 as well" in twice.stderr


def test_groups_are_counted_apart_and_measured_together(analyse: Analyse) -> None:
    """Categories of each arm stand beside those of all; SD and mean are everybody's."""
    table = ("client,arm,occasion,score\na,TAU,1,20\na,TAU,2,19\nb,PA,1,24\nb,PA,2,4\n"
             "c,PA,1,18\nc,PA,2,NA\n")  # fmt: skip
    asked = ("--method", "jacobson-truax", "--better", "lower", "--reliability", "0.8", "--json")
    said, alone = (found(analyse(table, *asked, *more)) for more in (("--group", "Arm"), ()))
    assert said["used"] == alone["used"]
    assert [row["group"] for row in said["rows"]] == ["TAU", "PA", "PA"]
    assert said["summary"]["unchanged_in_TAU"] == "1 of 1 (100.00 %)"
    assert said["summary"]["improved_in_PA"] == "1 of 1 (100.00 %)"
    assert said["summary"]["not_analysable_in_PA"] == 1
    course = found(analyse(table, "--method", "trend", "--group", "arm", "--json"))
    assert [row["group"] for row in course["rows"]] == ["TAU", "PA", "PA"]
    for twice, why in (("a,PA,2,19", "line 3: client a is in group PA, and in TAU in line 2"),
                       ("a,,2,19", "line 3: the group is empty")):  # fmt: skip
        odd = analyse(table.replace("a,TAU,2,19", twice), *asked, "--group", "arm")
        assert why in odd.stderr


def test_a_descriptive_scale_has_a_trend_and_no_better_way(analyse: Analyse) -> None:
    """Of arousal no way is better: its course can be shown, a fall of it is not judged."""
    table = "client,occasion,score\na,1,3\na,2,5\n"
    asked = ("--instrument", "seq-5", "--scale", "arousal", "--json")
    assert found(analyse(table, "--method", "trend", *asked))["rows"][0]["slope_per_occasion"] == 2
    assert "is descriptive" in analyse(table, "--method", "ruptures", *asked).stderr


@pytest.mark.parametrize(("first", "others"), [(45_321, 1), (11, 12)])
def test_numbers_that_count_no_sessions_are_each_clients_own(
    analyse: Analyse, first: int, others: int
) -> None:
    """Dates of a spreadsheet, or too many numbers: a session of others is none that was missed."""
    falls = "".join(f"a,{first + 7 * at},{score}\n" for at, score in enumerate((32, 31, 33, 5, 6)))
    rest = "".join(f"b{who},{first + 100 * who + at},9\n" for who in range(1, others + 1)
                   for at in range(5))  # fmt: skip
    said = found(analyse("client,occasion,score\n" + falls + rest, "--method", "sudden-gains",
                         "--better", "lower", "--points", "7", "--json"))  # fmt: skip
    assert [(row["client"], row["change"]) for row in said["rows"]] == [("a", -28)]
    assert "cannot be everybody's sessions" in said["notes"][0]
