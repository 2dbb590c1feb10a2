"""Every field of every event is on the timeline: what it holds is said where it belongs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
import pytest

from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from shared.events import EVENT_TYPES
from tests.support.event_specimens import a_specimen
from tests.support.events import (
    CLIENT,
    ORGANISATION,
    THERAPIST,
    a_boundary_assessed,
    a_boundary_noted,
    a_session_held,
    a_therapist_away,
    an_event,
    on,
)

STEPS_ONLY: Final[Mapping[str, set[str]]] = {
    "session.rescheduled": {"requested_by", "to_therapist"},
    "rating.given": {"instrument_version", "items", "scales", "scored_as", "total"},
    "boundary.reopened": {"reason"},
    "rupture.repaired": {"noted_by", "session"},
    "consent.given": {"scope"},
}
"""What stands in ``events`` alone, beside ``source_code``: the item says what it comes to."""

MOMENTS: Final = {
    "care.paused": {"until"},
    "clinic.closed": {"from", "until"},
    "therapist.away": {"from", "until"},
}
"""Days that are shown as the moments that they mean in the clinic's zone."""

NOWHERE: Final = {"clinic.configured": {"source_code"}}
"""A clinic is shown as it stands now, not word by word."""

TYPES: Final = [
    name
    for name, one in EVENT_TYPES.items()
    if one.writer == "sender" and not name.startswith(("record.", "rule."))
]


def shown(*told: Envelope) -> Any:
    """Return the timeline, once through JSON."""
    client = [one for one in told if one.client]
    around = [one for one in told if one.client is None]
    return orjson.loads(orjson.dumps(timeline(fold(ORGANISATION, CLIENT, client, around))))


def said(value: Any, *, events: bool) -> Iterator[tuple[str, str]]:
    """Yield each name and value, at any depth; what stands in ``events`` only if asked."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "events" or events:
                yield name, orjson.dumps(inner).decode()
                yield from said(inner, events=events)
    elif isinstance(value, list):
        for inner in value:
            yield from said(inner, events=events)


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_shown(name: str) -> None:
    """In the item itself; what one step alone says, in the item's ``events``."""
    kind = EVENT_TYPES[name]
    data = a_specimen(kind)
    event = an_event(name, on(5), data, client=None if kind.scope == "clinic" else CLIENT)
    seen = a_session_held("other", on(1), therapist=data.get("therapist", THERAPIST),
                          clinic=data.get("clinic", "elm"), care=data.get("care"))  # fmt: skip
    timeline = shown(event, seen)
    here, anywhere = set(said(timeline, events=False)), set(said(timeline, events=True))
    wanted = {(field, orjson.dumps(value).decode()) for field, value in data.items()}
    moments, nowhere = MOMENTS.get(name, set()), NOWHERE.get(name, set())
    assert {field for field, _ in wanted - anywhere} <= moments | nowhere
    own = {field for field, _ in wanted - here}
    assert own <= STEPS_ONLY.get(name, set()) | moments | nowhere | {"source_code"}


def test_a_stretch_of_time_says_what_its_fact_says() -> None:
    """An absence names who covers it; its days are moments in the clinic's zone."""
    away = a_therapist_away("2026-01-07", "2026-01-08", cover="th_eve", kind="study")
    (phase,) = shown(a_session_held("s1", on(1)), away)["phases"]
    (span,) = phase["away"]
    assert (span["kind"], span["cover"], span["reason"]) == ("study", "th_eve", "study")
    assert (span["from"], span["until"]) == ("2026-01-07T00:00:00Z", "2026-01-09T00:00:00Z")


def test_a_step_by_another_therapist_says_so() -> None:
    """What all facts of one thing say alike is said once; what differs stands with each."""
    noted = a_boundary_noted(harm_psychological="low", discussed_with_client=True)
    (item,) = shown(noted, a_boundary_assessed())["boundary_events"]
    assert [one.get("therapist") for one in item["events"]] == [None, None]
    assert (item["harm_psychological"], item["discussed_with_client"]) == ("low", True)
    (item,) = shown(noted, a_boundary_assessed(therapist="th_eve"))["boundary_events"]
    assert [one["therapist"] for one in item["events"]] == [THERAPIST, "th_eve"]
