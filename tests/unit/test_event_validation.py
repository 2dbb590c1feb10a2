"""What data of events must hold, field by field and between fields."""

import math
from typing import Any

import pytest

from shared.errors import Fault
from shared.events import EVENT_TYPES, validate
from tests.support.event_specimens import a_specimen


def faults(name: str, **changes: Any) -> list[tuple[str, str]]:
    """Return pointer and code of what is wrong with a specimen, changed; ``...`` leaves out."""
    data = {**a_specimen(EVENT_TYPES[name]), **changes}
    sent = {field: value for field, value in data.items() if value is not ...}
    return [(fault.pointer, fault.code) for fault in validate(name, sent)]


def test_every_fault_is_named_at_once() -> None:
    """Faults of fields, of conditions and of unknown names come together, in stable order."""
    assert faults("session.held", session=..., ended_at="2026-05-12T11:00:00Z", mood="low") == [
        ("/ended_at", "before_start"),
        ("/mood", "unknown_field"),
        ("/session", "required"),
    ]


@pytest.mark.parametrize("value", [3, 3.0])
def test_a_whole_number_is_an_integer_however_it_is_written(value: float) -> None:
    """3.0 is an integer, as in JSON Schema."""
    assert faults("boundary.assessed", severity=value) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "wrong_type"),
        ("3", "wrong_type"),
        (2.5, "wrong_type"),
        (None, "wrong_type"),
        (5, "out_of_range"),
        (-1, "out_of_range"),
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
    ],
)
def test_what_is_no_integer_in_range_is_refused(value: Any, code: str) -> None:
    """True, texts, fractions, null, NaN, infinity and what lies outside the range are refused."""
    assert faults("boundary.assessed", severity=value) == [("/severity", code)]


@pytest.mark.parametrize("value", [True, "28", math.nan, -math.inf, None])
def test_a_total_is_a_finite_number(value: Any) -> None:
    """A total that is no finite number is refused."""
    assert [pointer for pointer, _ in faults("rating.given", total=value)] == ["/total"]


def test_an_unanswered_item_is_null_and_a_scale_never_is() -> None:
    """Items take null for no answer; scales take numbers alone."""
    assert faults("rating.given", items={"1": 9.5, "2": None}) == []
    assert faults("rating.given", items={"1": "9"}) == [("/items/1", "wrong_type")]
    assert faults("rating.given", scales={"bond": None}) == [("/scales/bond", "wrong_type")]
    assert faults("rating.given", items={}) == [("/items", "empty")]
    assert faults("rating.given", items={"a/b~c": 1}) == [("/items/a~1b~0c", "not_a_name")]


def test_a_rating_holds_something() -> None:
    """A rating without items, scales and total is refused, and any one of them is enough."""
    bare = {"items": ..., "scales": ..., "total": ...}
    assert faults("rating.given", **bare) == [("", "at_least_one")]
    for name, value in {"items": {"1": 1}, "scales": {"bond": 4}, "total": 28}.items():
        assert faults("rating.given", **{**bare, name: value}) == []


@pytest.mark.parametrize("text", ["a" * 65, "", "a b", "a\n", "ä", "a/b"])
def test_a_reference_is_short_and_plain(text: str) -> None:
    """A reference is 1 to 64 letters, digits and . _ : - and nothing before or after them."""
    assert faults("session.missed", session=text) == [("/session", "not_a_reference")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-03T14:00:00",
        "2026-05-03 14:00:00+02:00",
        "2026-02-30T14:00:00Z",
        "2026-05-03",
        "2026-05-03T14:00:00Z\n",
    ],
)
def test_a_time_has_an_offset_and_exists(text: str) -> None:
    """A time without offset, without a T, or that no clock shows, is refused."""
    assert faults("session.scheduled", starts_at=text) == [("/starts_at", "not_a_time")]


@pytest.mark.parametrize("text", ["2026-02-29", "20260503", "2026-W18-7", "03.05.2026"])
def test_a_date_is_written_in_one_way_and_exists(text: str) -> None:
    """A date is YYYY-MM-DD and one of the calendar."""
    assert faults("boundary.noted", happened_on=text) == [("/happened_on", "not_a_date")]


@pytest.mark.parametrize("text", ["Mars/Olympus", "localtime", "../etc/passwd", "europe/berlin"])
def test_a_time_zone_is_one_of_the_database(text: str) -> None:
    """A zone that the IANA database does not have under that name is refused."""
    assert faults("clinic.configured", timezone=text) == [("/timezone", "not_a_timezone")]


def test_a_code_of_the_sender_holds_no_text() -> None:
    """A code is kept verbatim, and is one word of at most 64 characters."""
    assert faults("session.cancelled", source_code="pat-cpp") == []
    assert faults("session.cancelled", source_code="Ä6") == []
    sentence = "she was ill again"
    assert faults("session.cancelled", source_code=sentence) == [("/source_code", "not_a_code")]
    assert faults("session.cancelled", source_code="x" * 65) == [("/source_code", "not_a_code")]


@pytest.mark.parametrize("about", ["therapist", "staff"])
def test_a_boundary_event_about_staff_says_whom(about: str) -> None:
    """About a therapist or staff, ``concerns`` is required; about the client it is not."""
    assert faults("boundary.noted", about=about, concerns=...) == [("/concerns", "required")]
    assert faults("boundary.noted", about="client", concerns=...) == []


def test_a_merged_boundary_event_says_into_which() -> None:
    """The outcome merged needs ``merged_into``."""
    assert faults("boundary.closed", outcome="merged", merged_into=...) == [
        ("/merged_into", "required")
    ]
    assert faults("boundary.closed", outcome="upheld", merged_into=...) == []


def test_an_end_does_not_lie_before_its_start() -> None:
    """Sessions, closures and absences end when they start, or later; offsets are minded."""
    early = {"started_at": "2026-05-12T14:00:00+02:00", "ended_at": "2026-05-12T12:30:00Z"}
    assert faults("session.held", **early) == []
    late = {"started_at": "2026-05-12T14:00:00Z", "ended_at": "2026-05-12T14:30:00+02:00"}
    assert faults("session.held", **late) == [("/ended_at", "before_start")]
    dates = {"from": "2026-05-12", "until": "2026-05-11"}
    assert faults("clinic.closed", **dates) == [("/until", "before_start")]
    assert faults("therapist.away", **dates) == [("/until", "before_start")]
    assert faults("therapist.away", until=...) == []


def test_a_measure_has_one_rhythm() -> None:
    """A measure comes every so many sessions or every so many days, not both, not neither."""
    both = {"instrument": "phq-9", "every_sessions": 1, "every_days": 28}
    neither = {"instrument": "phq-9"}
    assert faults("care.started", measures=[both, neither]) == [
        ("/measures/0", "exactly_one"),
        ("/measures/1", "exactly_one"),
    ]


def test_lists_are_bounded_and_checked_one_by_one() -> None:
    """An element is pointed at by its place; an empty list of who agreed is refused."""
    wrong = faults("goal.agreed", agreed_by=["client", "nobody", None])
    assert wrong == [("/agreed_by/1", "not_allowed"), ("/agreed_by/2", "wrong_type")]
    assert faults("goal.agreed", agreed_by=[]) == [("/agreed_by", "out_of_range")]
    assert faults("goal.agreed", agreed_by="client") == [("/agreed_by", "wrong_type")]


def test_settings_are_numbers_words_or_lists_of_them() -> None:
    """A rule's setting tells no story and nests no further."""
    good = {"n": 8, "ratio": 1.5, "on": True, "word": "client", "list": ["a", 2]}
    assert faults("rule.configured", settings=good) == []
    for bad in ("two words", None, {"a": 1}, [["a"]], [True]):
        assert faults("rule.configured", settings={"n": bad}) == [("/settings/n", "wrong_type")]


def test_a_target_is_an_event_or_a_thing_never_both() -> None:
    """A retraction names id and type, or kind and ref."""
    thing = {"kind": "session", "ref": "s-1"}
    event = {"id": "e 1", "type": "session.held", "source": "urn:source:diary"}
    assert faults("record.retracted", target=thing) == []
    assert faults("record.retracted", target=event) == []
    both = faults("record.retracted", target=thing | event)
    assert both == [(f"/target/{name}", "unknown_field") for name in ("id", "source", "type")]
    assert faults("record.retracted", target={}) == [
        ("/target/id", "required"),
        ("/target/type", "required"),
    ]
    assert faults("record.retracted", target={"ref": "s-1"}) == [("/target/kind", "required")]


@pytest.mark.parametrize("name", ["rapport.session.held", "session.held"])
def test_a_targets_type_is_written_with_or_without_prefix(name: str) -> None:
    """Both spellings name the same type."""
    assert faults("record.retracted", target={"id": "1", "type": name}) == []


def test_only_what_senders_wrote_can_be_amended() -> None:
    """Rapport's own types are no targets, and amendments cannot be corrected."""
    assert faults("record.retracted", target={"id": "1", "type": "clock.ticked"}) == [
        ("/target/type", "not_allowed")
    ]
    assert faults("record.retracted", target={"id": "1", "type": "record.corrected"}) == []
    assert faults("record.corrected", target={"id": "1", "type": "record.corrected"}) == [
        ("/target/type", "not_allowed")
    ]


def test_a_corrections_data_follow_the_targets_type() -> None:
    """New data are judged by the schema of the target, with pointers into them."""
    target = {"id": "1", "type": "rapport.rating.given"}
    data = {"clinic": "north", "instrument": "phq-9", "rater": "dog", "items": {"1": "x"}}
    assert faults("record.corrected", target=target, data=data) == [
        ("/data/items/1", "wrong_type"),
        ("/data/rater", "not_allowed"),
    ]
    assert faults("record.corrected", target=target, data="x") == [("/data", "wrong_type")]


def test_an_alert_is_resolved_by_a_person_or_by_its_own_clearing() -> None:
    """``alert.resolved`` holds a person's action, or as a step the whole alert."""
    step = a_specimen(EVENT_TYPES["alert.opened"])
    assert validate("alert.resolved", step) == []
    assert faults("alert.resolved", reason="tired") == [("/reason", "not_allowed")]


def test_a_version_that_does_not_exist_is_refused() -> None:
    """Data that claim a version which was never shipped get the versions that were."""
    example = EVENT_TYPES["rating.given"].example
    assert validate("rating.given", example, 1) == []
    message = "Use a version that exists."
    assert validate("rating.given", example, 2) == [Fault("", message, "unknown_version", ("1",))]
    assert validate("rating.given", example, 0)[0].code == "unknown_version"
