"""What a rule's example is made of: a made-up course of care, in words and as events. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.clock import format_time

BEGINS: Final = datetime(2026, 1, 5, 10, tzinfo=UTC)
"""A Monday, so that weeks are easy to see."""

THERAPIST, CLINIC, SOURCE = "th_example", "example", "src_example"
SESSION: Final = timedelta(minutes=50)

_What = tuple[str, datetime, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, in words and as the events that a sender would send of it.

    Attributes:
        at: When it happened.
        words: What, for people.
        events: Type, time and data of each.
        client: Which of several clients it is about; 0 where there is one.
    """

    at: datetime
    words: str
    events: tuple[_What, ...] = ()
    client: int = 0


Example = Sequence[Told]


def of_client(number: int, told: Told) -> Told:
    """Return the same, of one of several clients."""
    return replace(told, words=f"client {number}: {told.words}", client=number)


def to_be_measured(day: int, instrument: str, every_days: int) -> Told:
    """Return a course of care that begins, with a questionnaire agreed."""
    data = {"measures": [{"instrument": instrument, "every_days": every_days}]}
    words = f"care began; {instrument} every {every_days} days was agreed"
    return Told(on(day), words, (("care.started", on(day), data),))


def agreed(day: int, interval_days: int) -> Told:
    """Return a course of care that begins, with the interval between sessions agreed."""
    data = {"agreed_interval_days": interval_days}
    words = f"care began; a session every {interval_days} days was agreed"
    return Told(on(day), words, (("care.started", on(day), data),))


def held(day: int, *, late: int = 0, minutes: int = 50) -> Told:
    """Return a session that was booked and held, with the client there on time.

    Args:
        day: On which.
        late: How many minutes late it began; its end moves with it.
        minutes: How long it was.
    """
    began = on(day) + timedelta(minutes=late)
    ended = began + timedelta(minutes=minutes)
    data = {"started_at": format_time(began), "ended_at": format_time(ended),
            "client_arrival": "on_time"}  # fmt: skip
    words = "session held"
    words += f", begun {late} minutes late" if late else ""
    words += "" if minutes == SESSION // timedelta(minutes=1) else f", {minutes} minutes long"
    return Told(began, words, (_booked(day), ("session.held", ended, _of_session(day) | data)))


def cancelled(day: int, by: str, reason: str | None = None) -> Told:
    """Return a session that was booked, and cancelled the day before."""
    data = {"cancelled_by": by} | ({} if reason is None else {"reason": reason})
    events = (_booked(day), ("session.cancelled", on(day - 1), _of_session(day) | data))
    because = "" if reason is None else f" ({reason.replace('_', ' ')})"
    return Told(on(day - 1), f"tomorrow's session cancelled by the {by}{because}", events)


def moved(day: int, *, by: str, hours_before: float) -> Told:
    """Return a session that was booked, moved by two days shortly before, and held then."""
    at, to = on(day) - timedelta(hours=hours_before), on(day + 2)
    change = {"starts_at": format_time(to), "requested_by": by}
    data = {"started_at": format_time(to), "ended_at": format_time(to + SESSION)}
    events = (
        _booked(day),
        ("session.rescheduled", at, _of_session(day) | change),
        ("session.held", to + SESSION, _of_session(day) | data),
    )
    return Told(at, f"a session moved by the {by}, {hours_before:g} hours before", events)


def missed(day: int, by: str) -> Told:
    """Return a session that was booked, and somebody did not come."""
    events = (_booked(day), ("session.missed", on(day), _of_session(day) | {"missed_by": by}))
    return Told(on(day), f"session missed by the {by}", events)


def booked(day: int, *, on_day: int) -> Told:
    """Return the booking of a session for a later day."""
    data = {"starts_at": format_time(on(on_day)), "planned_minutes": 50}
    event = ("session.scheduled", on(day), _of_session(on_day) | data)
    return Told(on(day), f"a session booked, {on_day - day} days ahead", (event,))


def spoken(day: int, *, reached: bool) -> Told:
    """Return an attempt of the therapist to speak with the client."""
    words = f"the therapist {'reached' if reached else 'tried to reach'} the client"
    data = {"by": "therapist", "reached": reached}
    return Told(on(day), words, (("contact.attempted", on(day), data),))


def reviewed(day: int) -> Told:
    """Return a review of the plan with the client."""
    event = ("plan.reviewed", on(day), {"with_client": True, "adapted": False})
    return Told(on(day), "the plan was reviewed with the client", (event,))


def rated(day: int, total: float, instrument: str = "srs-3") -> Told:
    """Return the client's rating on the day."""
    data = {"instrument": instrument, "instrument_version": "1", "rater": "client", "total": total}
    words = f"the client rated {total:g} ({instrument})"
    return Told(on(day), words, (("rating.given", on(day), data),))


def related(day: int, relationship: float) -> Told:
    """Return the client's answers on the Session Rating Scale, of which one is told."""
    scales = {"relationship": relationship, "goals_and_topics": 9, "approach_or_method": 9,
              "overall": 9}  # fmt: skip
    data = {"instrument": "srs-3", "instrument_version": "1", "rater": "client", "scales": scales}
    words = f"the client rated the relationship {relationship:g} of 10 (srs-3)"
    return Told(on(day), words, (("rating.given", on(day), data),))


def answered(day: int, item: str, answer: int, instrument: str = "phq-9") -> Told:
    """Return a form of which one answer was seen."""
    data = {"instrument": instrument, "instrument_version": "1", "rater": "client",
            "items": {item: answer}}  # fmt: skip
    words = f"the client answered {answer} to item {item} ({instrument})"
    return Told(on(day), words, (("rating.given", on(day), data),))


def transferred(day: int, *, planned: bool) -> Told:
    """Return a transfer from another therapist to the one of the example."""
    data = {"therapist": "th_before", "to_therapist": THERAPIST, "planned": planned}
    words = f"{'a planned' if planned else 'an unplanned'} transfer from another therapist"
    return Told(on(day), words, (("care.transferred", on(day), data),))


def referred(day: int) -> Told:
    """Return a referral."""
    return Told(on(day), "the client was referred", (("care.referred", on(day), {}),))


def away(day: int, *, first: int, last: int) -> Told:
    """Return an absence without cover, announced on a day, from another to a last one."""
    data = {"from": f"{on(first):%Y-%m-%d}", "until": f"{on(last):%Y-%m-%d}",
            "kind": "annual_leave"}  # fmt: skip
    words = f"annual leave announced, {first - day} days ahead, for {last - first + 1} days"
    return Told(on(day), words, (("therapist.away", on(day), data),))


def ended(day: int, reason: str) -> Told:
    """Return the end of care."""
    words = f"care ended ({reason.replace('_', ' ')})"
    return Told(on(day), words, (("care.ended", on(day), {"reason": reason}),))


def noted(day: int, severity: int, area: str = "time", name: str = "example") -> Told:
    """Return a boundary event that a supervisor noted."""
    data = {"boundary_event": name, "area": area, "about": "therapist",
            "concerns": THERAPIST, "reported_by": "supervisor", "severity": severity}  # fmt: skip
    words = f"a boundary event was noted ({area.replace('_', ' ')}, severity {severity})"
    return Told(on(day), words, (("boundary.noted", on(day), data),))


def assessed(day: int, severity: int) -> Told:
    """Return its assessment: a crossing, or from severity 3 on a violation."""
    judged = "violation" if severity >= 3 else "crossing"
    data = {"boundary_event": "example", "assessment": judged, "severity": severity,
            "assessed_by": "supervisor"}  # fmt: skip
    words = f"it was assessed: a {judged}, severity {severity}"
    return Told(on(day), words, (("boundary.assessed", on(day), data),))


def closed(day: int, name: str = "example") -> Told:
    """Return the end of the matter."""
    data = {"boundary_event": name, "outcome": "not_upheld"}
    return Told(on(day), "the matter was closed", (("boundary.closed", on(day), data),))


def measured(day: int, total: float, rater: str, instrument: str) -> Told:
    """Return a rating of a session by somebody, of the session on that day."""
    data = {"instrument": instrument, "instrument_version": "1", "rater": rater, "total": total,
            "session": f"session-{day}", "scored_as": "sum"}  # fmt: skip
    words = f"the {rater} rated {total:g} ({instrument})"
    return Told(on(day), words, (("rating.given", on(day) + SESSION, data),))


def strained(day: int) -> Told:
    """Return a rupture that the therapist noted."""
    data = {"rupture": f"rupture-{day}", "kind": "withdrawal", "noted_by": "therapist"}
    return Told(on(day), "a rupture was noted", (("rupture.noted", on(day), data),))


def repaired(day: int, of: int, resolution: int) -> Told:
    """Return what became of the rupture of another day, 1 to 5."""
    data = {"rupture": f"rupture-{of}", "resolution": resolution, "noted_by": "therapist"}
    words = f"repair of the rupture, resolution {resolution} of 5"
    return Told(on(day), words, (("rupture.repaired", on(day), data),))


def sensed(day: int, *, supervised: bool) -> Told:
    """Return a countertransference that the therapist noted."""
    data = {"kind": "countertransference", "pattern": "helpless",
            "taken_to_supervision": supervised}  # fmt: skip
    words = f"countertransference noted, {'taken' if supervised else 'not taken'} to supervision"
    return Told(on(day), words, (("dynamics.noted", on(day), data),))


def supervised(day: int) -> Told:
    """Return a supervision that the therapist had."""
    event = ("supervision.held", on(day), {"topics": ["alliance"]})
    return Told(on(day), "the therapist had supervision", (event,))


def set_back(day: int, severity: str) -> Told:
    """Return a setback."""
    told = (("setback.noted", on(day), {"severity": severity}),)
    return Told(on(day), f"a {severity} setback was noted", told)


def planned(day: int) -> Told:
    """Return a relapse plan that was agreed."""
    data = {"agreed_by": ["client", "therapist"]}
    return Told(on(day), "a relapse plan was agreed", (("relapse_plan.agreed", on(day), data),))


def silent(day: int) -> Told:
    """Return the moment at which a source has sent nothing for as long as it was given."""
    data = {"source": SOURCE, "clinics": [CLINIC]}
    words = "nothing came from the practice system for 48 hours"
    return Told(on(day), words, (("feed.silent", on(day), data),))


def resumed(day: int) -> Told:
    """Return the moment at which it sends again."""
    data = {"source": SOURCE, "clinics": [CLINIC]}
    return Told(on(day), "the practice system sends again", (("feed.resumed", on(day), data),))


def looked_at(day: int) -> Told:
    """Return a day on which nothing happened: deadlines are judged up to here."""
    return Told(on(day), "nothing until here")


def on(day: int) -> datetime:
    """Return a morning, so many days after the first one."""
    return BEGINS + timedelta(days=day)


def _booked(day: int) -> _What:
    data = {"starts_at": format_time(on(day)), "planned_minutes": 50}
    return ("session.scheduled", on(day - 7), _of_session(day) | data)


def _of_session(day: int) -> dict[str, Any]:
    return {"session": f"session-{day}"}
