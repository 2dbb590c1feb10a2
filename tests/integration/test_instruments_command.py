"""``rapport instruments``: every questionnaire listed, explained, and with an event to send."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from services.cli.instruments import an_event, drawn
from shared.alliance.scoring import score
from shared.instrument import INSTRUMENTS, Instrument
from tests.support.front_door import STRUCTURED, FrontDoor, signed

EVERY = sorted(INSTRUMENTS)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine."""
    made = FrontDoor(tmp_path)
    yield made
    made.close()


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["instruments", *arguments])


def said(*arguments: str) -> str:
    """Return what the command prints; it must succeed."""
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list_says_what_one_chooses_by() -> None:
    """Key, version, title, construct, raters, parts, range, way, cut-off, change, licence."""
    listed = said()
    for key, version in EVERY:
        assert f"{key}@{version}  {INSTRUMENTS[key, version].title}" in listed
        assert INSTRUMENTS[key, version].licence in listed
    assert "outcome · by client · takes items and total · 0 to 27, lower is better" in listed
    assert "cut-off at or above 10: caseness · reliable change 6 (95 %)" in listed
    assert "cut-off at or above 11: caseness · reliable change 6 (90 %)" in listed
    assert "session · by client or therapist · takes scales · depth 1 to 7" in listed
    assert "below 28: clinical range, rated by parent or carer" in listed
    assert "cut-off none · reliable change not analysable" in listed


@pytest.mark.parametrize(("key", "version"), EVERY)
def test_each_is_explained_whole(key: str, version: str) -> None:
    """Every scale, note, source, facet and mark of an instrument is in its explanation."""
    one, told = INSTRUMENTS[key, version], said(f"{key}@{version}")
    assert (said(key) == told) == (not one.variant)
    assert told.count("\n  missing answers: ") == len(one.scales)
    for scale in one.scales:
        assert f"Scale {scale.name}" in told
        for cutoff in scale.cutoffs:
            assert cutoff.source in told
        for band in scale.bands:
            assert f"{band.low:g} to {band.high:g} {band.label}" in told
    for text in (*one.notes, *one.sources, one.licence, one.rhythm):
        assert text in told
    for mark in one.marks:
        assert f"{mark.source}; {'verified' if mark.verified else 'not verified'}" in told
    assert ("Not validated" in told) == (not one.validated)
    assert json.loads(told[told.index("\n  {\n") :]) == an_event(one)


def test_the_explanation_says_how_it_is_computed() -> None:
    """Missing rules, reversal, risk items and ways of computing are sentences."""
    oq, srs, wai = said("oq-45"), said("srs-3"), said("wai-srt")
    assert "at most 5 of 25; the mean of the others, rounded half up to a whole answer," in oq
    assert "a score where distress, relations and role all have one" in oq
    assert "reversed: 1, 12, 13, 20, 21, 24, 31, 37, 43 (scored as 4 minus the answer;" in oq
    assert "risk to oneself: 8; read in any case, also without a score" in oq
    assert "the whole form, or the total alone, gives a score" in srs
    assert "the sender scores: no answers are taken" in wai
    assert "scores as sum or mean, said with scored_as, kept as sum" in wai
    assert "risk to others: 6, 22;" in said("core-om")
    assert "10 × mean of items 1–34, 0 to 40" in said("core-om")
    assert "gad-7@2, a variant: only for ratings that name this version" in said("gad-7@2")
    assert "descriptive: no way of it is better" in said("seq-5")


def test_a_range_is_drawn_with_its_bands_and_cut_off() -> None:
    """Each band has its shade up to its edge, and the cut-off stands where it lies."""
    phq = INSTRUMENTS["phq-9", "1"].leading
    shades, ruler, cutoff, *bands = drawn(phq)
    assert len(shades) == len(ruler) == 61
    for column, shade in enumerate(shades):
        band = phq.band(column * 27 / 60)
        assert band is not None
        assert f"{shade} {band.low:g} to {band.high:g} {band.label}" in bands
    assert ruler.index("▲") == round(10 / 27 * 60)
    assert (ruler[0], ruler[-2:]) == ("0", "27")
    assert cutoff == "▲ at or above 10: caseness"


def test_json_is_what_the_api_gives(door: FrontDoor) -> None:
    """The list is the body of GET /v1/instruments; one instrument is the same with one entry."""
    served = door.http.get("/v1/instruments").get_json()
    assert json.loads(said("--json")) == served
    assert [one["newest"] for one in served["instruments"] if one["key"] == "gad-7"] == [
        True,
        False,
    ]
    alone = json.loads(said("phq-9", "--json"))
    assert alone == {
        "instruments": [one for one in served["instruments"] if one["key"] == "phq-9"]
    }


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("phq9", "did you mean: phq-9"),
        ("WAI-SR", "did you mean: wai-sr"),
        ("zzzzzz", "there are: arm-5, bdi-2"),
        ("phq-9@7", "phq-9 has no version '7'; it has: 1"),
        ("phq-9@", "phq-9 has no version ''; it has: 1"),
    ],
)
def test_a_key_that_there_is_not(asked: str, answer: str) -> None:
    """A wrong key or version is a usage error that names the nearest ones."""
    done = run(asked)
    assert done.exit_code == 2
    assert answer in done.stderr
    assert done.stdout == ""


def test_help_teaches_with_examples() -> None:
    """What an instrument is, and what to type."""
    told = " ".join(said("--help").split())
    for words in ("rapport instruments core-om", "rating.given", "KEY[@VERSION]", "not verified"):
        assert words.lower() in told.lower()


@pytest.mark.parametrize("name", EVERY)
def test_the_example_event_is_accepted(door: FrontDoor, name: tuple[str, str]) -> None:
    """What the explanation shows to send passes ingest as it stands, and has a score."""
    one: Instrument = INSTRUMENTS[name]
    event: dict[str, Any] = an_event(one)
    body = json.dumps(event).encode()
    response = door.http.post(
        f"/v1/validate/{door.ehr.id}",
        data=body,
        content_type=STRUCTURED,
        headers=signed(body, door.ehr.secret),
    )
    assert response.status_code == 200, response.text
    assert response.get_json()["events"][0]["data"] == event["data"]
    found = score(one, event["data"])
    assert list(found.scales) == [scale.name for scale in one.scales]
    assert not any(found.risk.values())
