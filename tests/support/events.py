"""Builders of envelopes that show only what matters: ``a_rating(total=28)``.

Everything left out has a plausible default. Without an ``id`` an event is named by its content,
as a row without an id is: building the same thing twice gives the same event twice.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.clock import format_time
from shared.envelope import Envelope, Event

ORGANISATION = "org_north"
CLIENT = "cl_anna"
THERAPIST = "th_tom"
COVER = "th_eve"
CLINIC = "elm"
SOURCE = "urn:source:ehr"
SENDER = "src_ehr"

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""Day 0 of every made-up history."""


def on(day: float, hour: float = 10, minute: float = 0) -> datetime:
    """Return a moment: days since ``MONDAY``, at an hour of that day (UTC)."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def an_event(
    type: str,
    time: datetime,
    data: dict[str, Any],
    *,
    id: str | None = None,
    client: str | None = CLIENT,
    organisation: str = ORGANISATION,
    source: str = SOURCE,
    sender: str = SENDER,
    recorded_at: datetime | None = None,
    backfill: bool = False,
) -> Envelope:
    """Return any event as the stream holds it; recorded a minute after ``time`` unless said."""
    stated = {name: value for name, value in data.items() if value is not None}
    content = hashlib.sha256(
        orjson.dumps([type, client, format_time(time), stated], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()[:32]
    event = Event(
        type=type,
        source=source,
        id=f"{type}/{content[:16]}" if id is None else id,
        time=time,
        subject=client,
        data=stated,
        backfill=backfill,
    )
    taken_at = time + timedelta(minutes=1) if recorded_at is None else recorded_at
    return Envelope(organisation, sender, event, content, taken_at)


def _split(stated: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what belongs to the envelope from what belongs to ``data``."""
    names = ("id", "client", "organisation", "source", "sender", "recorded_at", "backfill")
    around = {name: stated.pop(name) for name in names if name in stated}
    return around, stated


def an_event_of(type: str, time: datetime, defaults: dict[str, Any], **stated: Any) -> Envelope:
    """Return an event with defaults; None takes a default out, ``id`` … shape the envelope."""
    around, data = _split(stated)
    return an_event(type, time, defaults | data, **around)


def _common(**more: Any) -> dict[str, Any]:
    return {"clinic": CLINIC, "therapist": THERAPIST} | more


# Sessions ---------------------------------------------------------------------------------------
def a_session_scheduled(
    session: str = "s1",
    starts: datetime | None = None,
    *,
    at: datetime | None = None,
    **stated: Any,
) -> Envelope:
    """Return a booking, made three days before it starts unless said."""
    start = on(7) if starts is None else starts
    booked = start - timedelta(days=3) if at is None else at
    defaults = _common(session=session, starts_at=format_time(start), planned_minutes=50)
    return an_event_of("session.scheduled", booked, defaults, **stated)


def a_session_rescheduled(
    session: str = "s1",
    starts: datetime | None = None,
    *,
    at: datetime | None = None,
    by: str = "client",
    **stated: Any,
) -> Envelope:
    """Return a change of a booking, made a day before its new start unless said."""
    start = on(8) if starts is None else starts
    changed = start - timedelta(days=1) if at is None else at
    defaults = _common(session=session, starts_at=format_time(start), requested_by=by)
    return an_event_of("session.rescheduled", changed, defaults, **stated)


def a_session_cancelled(
    session: str = "s1", *, at: datetime | None = None, by: str = "client", **stated: Any
) -> Envelope:
    """Return a cancellation, by the client unless said."""
    defaults = _common(session=session, cancelled_by=by)
    return an_event_of("session.cancelled", on(6) if at is None else at, defaults, **stated)


def a_session_missed(
    session: str = "s1", *, at: datetime | None = None, by: str = "client", **stated: Any
) -> Envelope:
    """Return a missed session; ``at`` is its planned start."""
    defaults = _common(session=session, missed_by=by)
    return an_event_of("session.missed", on(7) if at is None else at, defaults, **stated)


def a_session_held(
    session: str = "s1", start: datetime | None = None, *, minutes: float = 50, **stated: Any
) -> Envelope:
    """Return a held session; its time is its end."""
    began = on(7) if start is None else start
    ended = began + timedelta(minutes=minutes)
    defaults = _common(session=session, started_at=format_time(began), ended_at=format_time(ended))
    return an_event_of("session.held", ended, defaults, **stated)


# Care -------------------------------------------------------------------------------------------
def a_care_event(what: str, at: datetime, **stated: Any) -> Envelope:
    """Return ``care.<what>``: referred, started, paused, resumed, transferred or ended."""
    defaults: dict[str, dict[str, Any]] = {
        "paused": {"reason": "client_request"},
        "resumed": {"reason": "client_request"},
        "transferred": {"to_therapist": "th_new", "planned": True},
        "ended": {"reason": "agreed"},
    }
    return an_event_of(f"care.{what}", at, _common(**defaults.get(what, {})), **stated)


# Ratings ----------------------------------------------------------------------------------------
def a_rating(
    total: float | None = 36,
    *,
    at: datetime | None = None,
    instrument: str = "srs-3",
    rater: str = "client",
    **stated: Any,
) -> Envelope:
    """Return a rating by the client on the Session Rating Scale unless said."""
    defaults = _common(instrument=instrument, instrument_version="1", rater=rater, total=total)
    return an_event_of("rating.given", on(7, 11) if at is None else at, defaults, **stated)


def a_rating_skipped(*, at: datetime | None = None, **stated: Any) -> Envelope:
    """Return a rating that was due and not given."""
    defaults = _common(instrument="srs-3", rater="client", reason="not_offered")
    return an_event_of("rating.skipped", on(7) if at is None else at, defaults, **stated)


# Boundary events, ruptures ----------------------------------------------------------------------
def a_boundary_noted(
    boundary_event: str = "b1", *, at: datetime | None = None, **stated: Any
) -> Envelope:
    """Return a boundary event as it was noted: a matter of time, about the therapist."""
    defaults = _common(
        boundary_event=boundary_event,
        area="time",
        about="therapist",
        concerns=THERAPIST,
        reported_by="supervisor",
    )
    return an_event_of("boundary.noted", on(8) if at is None else at, defaults, **stated)


def a_boundary_assessed(
    boundary_event: str = "b1", *, at: datetime | None = None, severity: int = 1, **stated: Any
) -> Envelope:
    """Return a judgement of a boundary event: a crossing, by a supervisor."""
    defaults = _common(
        boundary_event=boundary_event,
        assessment="crossing",
        severity=severity,
        assessed_by="supervisor",
    )
    return an_event_of("boundary.assessed", on(9) if at is None else at, defaults, **stated)


def a_boundary_step(
    what: str, boundary_event: str = "b1", *, at: datetime, **stated: Any
) -> Envelope:
    """Return ``boundary.<what>``: acted_on, closed or reopened."""
    defaults: dict[str, dict[str, Any]] = {
        "acted_on": {"action": "supervision"},
        "closed": {"outcome": "not_upheld"},
        "reopened": {"reason": "new_information"},
    }
    data = _common(boundary_event=boundary_event, **defaults[what])
    return an_event_of(f"boundary.{what}", at, data, **stated)


def a_rupture_noted(rupture: str = "r1", *, at: datetime | None = None, **stated: Any) -> Envelope:
    """Return a rupture: a withdrawal, noted by the therapist."""
    defaults = _common(rupture=rupture, kind="withdrawal", noted_by="therapist")
    return an_event_of("rupture.noted", on(8) if at is None else at, defaults, **stated)


def a_rupture_repaired(
    rupture: str = "r1", *, at: datetime | None = None, resolution: int = 4, **stated: Any
) -> Envelope:
    """Return a repair."""
    defaults = _common(rupture=rupture, resolution=resolution, noted_by="therapist")
    return an_event_of("rupture.repaired", on(15) if at is None else at, defaults, **stated)


# Consent, amendments ----------------------------------------------------------------------------
def a_consent(what: str, at: datetime, scope: str = "processing", **stated: Any) -> Envelope:
    """Return ``consent.<what>``: given or withdrawn."""
    return an_event_of(f"consent.{what}", at, {"clinic": CLINIC, "scope": scope}, **stated)


def a_correction(
    of: Envelope,
    *,
    at: datetime | None = None,
    corrected_time: datetime | None = None,
    **changed: Any,
) -> Envelope:
    """Return a correction of an event: its data with ``changed``; a day after it unless said."""
    around, data = _split(changed)
    whole = {k: v for k, v in (dict(of.event.data) | data).items() if v is not None}
    body: dict[str, Any] = {
        "clinic": of.event.data["clinic"],
        "target": {"id": of.event.id, "type": of.event.type, "source": of.event.source},
        "data": whole,
    }
    if corrected_time is not None:
        body["corrected_time"] = format_time(corrected_time)
    return _amendment("record.corrected", of, at, body, around)


def a_retraction(of: Envelope, *, at: datetime | None = None, **stated: Any) -> Envelope:
    """Return a retraction of an event or of an amendment; a day after it unless said."""
    around, data = _split(stated)
    body = {
        "clinic": of.event.data["clinic"],
        "target": {"id": of.event.id, "type": of.event.type, "source": of.event.source},
        "reason": "entered_in_error",
    }
    return _amendment("record.retracted", of, at, body | data, around)


def a_retraction_of_thing(kind: str, ref: str, *, at: datetime, **stated: Any) -> Envelope:
    """Return a retraction of everything about one session, rating, goal, …"""
    defaults = {
        "clinic": CLINIC,
        "target": {"kind": kind, "ref": ref},
        "reason": "entered_in_error",
    }
    return an_event_of("record.retracted", at, defaults, **stated)


def _amendment(
    type: str, of: Envelope, at: datetime | None, body: dict[str, Any], around: dict[str, Any]
) -> Envelope:
    time = of.event.time + timedelta(days=1) if at is None else at
    places = {"client": of.client, "organisation": of.organisation, "source": of.event.source}
    return an_event(type, time, body, **(places | around))


# Mergers ----------------------------------------------------------------------------------------
def a_merger(into: str, at: datetime | None = None, **stated: Any) -> Envelope:
    """Return that a client turned out to be another, under whom they go on."""
    time = on(20) if at is None else at
    return an_event_of("client.merged", time, {"clinic": CLINIC, "into": into}, **stated)


# About many clients -----------------------------------------------------------------------------
def a_clinic_configured(
    clinic: str = CLINIC,
    *,
    at: datetime | None = None,
    timezone: str = "Europe/London",
    **stated: Any,
) -> Envelope:
    """Return a clinic's configuration."""
    defaults = {"clinic": clinic, "timezone": timezone}
    time = on(-30) if at is None else at
    return an_event_of("clinic.configured", time, defaults, **({"client": None} | stated))


def a_clinic_closed(
    first: str, last: str, *, at: datetime | None = None, **stated: Any
) -> Envelope:
    """Return a closure from the first to the last date, inclusive."""
    defaults = {"clinic": CLINIC, "from": first, "until": last, "reason": "closure"}
    time = on(-20) if at is None else at
    return an_event_of("clinic.closed", time, defaults, **({"client": None} | stated))


def a_feed_seen(type: str, clinic: str = CLINIC) -> Envelope:
    """Return that a type was seen from a clinic, as the ticker says it."""
    return an_event("feed.seen", on(-20), {"clinic": clinic, "type": type}, client=None)


def a_therapist_away(
    first: str, last: str | None, *, at: datetime | None = None, **stated: Any
) -> Envelope:
    """Return an absence from the first to the last date, inclusive, without cover unless said."""
    defaults = _common(kind="annual_leave") | {"from": first, "until": last}
    time = on(-20) if at is None else at
    return an_event_of("therapist.away", time, defaults, **({"client": None} | stated))
