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
        (("pre", "fu", "post"), ["pre", "fu", "post"], True),
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
    """01/02/2026 is in January or in February: it is a name, and the reader is told."""
    table = "client,occasion,score\na,01/31/2026,9\na,02/01/2026,5\n"
    said = found(analyse(table, "--method", "trend", "--json"))
    assert "slope_per_occasion" in said["rows"][0]
    assert "Dates are read where they are written 2026-01-31" in said["notes"][0]


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


def test_a_wide_table_that_cannot_be_read(analyse: Analyse) -> None:
    """A column that is not there, a client who has two lines: each is said."""
    asked = ("--method", "trend", "--client", "id", "--wide", "s1,s3")
    assert "there is no column 's3'; it has: id, age, s1" in analyse(WIDE, *asked).stderr
    twice = analyse("id,s1\na,9\na,8\n", "--method", "trend", "--client", "id", "--wide", "s1")
    assert "client a has occasion s1 in line 2 as well" in twice.stderr
