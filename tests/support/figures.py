"""Figures of consistency through the front door of the domain: events in, a timeline out."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from shared.alliance.consistency import MEASURES
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLIENT, CLINIC, ORGANISATION, THERAPIST
from tests.support.phases import the_phase

BY_NAME = {measure.name: measure for measure in MEASURES}


def figures(envelopes: Iterable[Envelope], therapist: str | None = THERAPIST) -> dict[str, Any]:
    """Return the figures that the timeline shows of the latest phase of a therapist."""
    given = list(envelopes)
    client = [one for one in given if one.client is not None]
    around = [one for one in given if one.client is None]
    shown = timeline(fold(ORGANISATION, CLIENT, client, around))
    mine = [phase for phase in shown["phases"] if phase["therapist"] == therapist]
    found: dict[str, Any] = mine[-1]["consistency"]
    return found


def figure(name: str, envelopes: Iterable[Envelope], **settings: Any) -> dict[str, Any]:
    """Return one figure of the usual therapist's first phase, up to the last fact given."""
    given = list(envelopes)
    measure = BY_NAME[name]
    at = max(one.event.time for one in given if one.client is not None)
    return measure.as_json(measure.of(the_phase(*given), at, settings), settings)


def left_out(shown: dict[str, Any]) -> dict[str, int]:
    """Return reason → number of what a figure did not count."""
    return {one["reason"]: one["n"] for one in shown["not_counted"]}


def about(type: str, at: datetime, **data: Any) -> Envelope:
    """Return a fact of the usual clinic and therapist."""
    return an.an_event(type, at, {"clinic": CLINIC, "therapist": THERAPIST, **data})


def until(at: datetime) -> Envelope:
    """Return a fact that nothing counts: it only makes the present that moment."""
    return about("setback.noted", at, severity="mild")


def a_session(
    ref: str, start: datetime, *, late: float = 0, minutes: float = 50, **stated: Any
) -> list[Envelope]:
    """Return a booked session that began so many minutes late and lasted so long."""
    began = start + timedelta(minutes=late)
    held = an.a_session_held(
        ref, began, minutes=minutes, **{"client_arrival": "on_time", **stated}
    )
    return [an.a_session_scheduled(ref, start, at=start - timedelta(days=7)), held]
