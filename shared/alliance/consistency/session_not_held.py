"""Sessions that took no place because the therapist was not there. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from shared.alliance.attendance import (
    Outcome,
    lapses,
    latest,
    outcomes,
    why_not_counted,
    windows,
)
from shared.alliance.calendar import days_from, end_of_working_day
from shared.alliance.consistency.left_out import by_nobody_known, excused
from shared.alliance.consistency.measure import (
    Figure,
    Measure,
    Settings,
    level,
    not_analysable,
    together,
)
from shared.alliance.consistency.said import held, is_sent, said
from shared.alliance.reading import Fact
from shared.alliance.things import Phase
from shared.alliance.wording import counted


@dataclass(frozen=True, slots=True)
class NotHeld:
    """A session that the therapist missed, and what was not counted beside it."""

    outcome: Outcome
    not_counted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Contact:
    """Whether the client was reached after such a session.

    Attributes:
        due_at: By when they should have been.
        attempts: What was tried by then.
        reached: Whether that, or a held session, reached them in time.
    """

    due_at: datetime
    attempts: tuple[Fact, ...]
    reached: bool


def not_held(phase: Phase, window_sessions: int, sickness_grace: int) -> tuple[NotHeld, ...]:
    """Return every session that the therapist missed without an excuse, in time.

    Args:
        phase: Whose sessions they are.
        window_sessions: Among so many bookings sickness is looked for.
        sickness_grace: How many times sickness among them does not count.
    """
    if not any(_missed_by_therapist(outcome) for outcome in outcomes(phase)):
        return ()
    return tuple(_not_held(phase, window_sessions, sickness_grace))


def recent(
    phase: Phase, found: Sequence[NotHeld], moment: datetime, weeks: float
) -> list[Outcome]:
    """Return what was not held within so many weeks of the clinic before a moment."""
    if not found:
        return []
    begin = days_from(phase.clinic, moment, -7 * weeks)
    return [one.outcome for one in found if begin <= one.outcome.since <= moment]


def contact(phase: Phase, outcome: Outcome, days: int) -> Contact:
    """Return whether the client was spoken with within so many working days."""
    due_at = end_of_working_day(phase.clinic, outcome.since, days)
    attempts = tuple(
        fact
        for fact in said(phase, "contact.attempted")
        if outcome.since <= fact.occurred_at <= due_at
    )
    held_at = held_after(phase, outcome.since)
    reached = any(fact.data["reached"] for fact in attempts)
    return Contact(due_at, attempts, reached or (held_at is not None and held_at <= due_at))


def sends_contacts(phase: Phase) -> bool:
    """Return whether contacts are sent from here: never sent is not never happened."""
    return is_sent(phase, "contacts", "contact.attempted")


def held_after(phase: Phase, moment: datetime) -> datetime | None:
    """Return when the next session after a moment was held, if one was."""
    return next((one.state_at for one in held(phase) if one.state_at > moment), None)


def _missed_by_therapist(outcome: Outcome) -> bool:
    return outcome.by_provider and outcome.session.state == "missed"


def _not_held(phase: Phase, window_sessions: int, sickness_grace: int) -> Iterator[NotHeld]:
    for at, outcome, window in windows(phase, window_sessions):
        if outcome.since != at or not _missed_by_therapist(outcome):
            continue
        missed = [one for one in window if one.session.state == "missed"]
        lapsed, not_counted = lapses(phase, missed, sickness_grace)
        if outcome in lapsed:
            yield NotHeld(outcome, not_counted)


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how many were not held in the weeks before ``at``.

    The alert of the same name clears when a session is held; the figure says what happened in its
    window, whatever came after.
    """
    weeks = settings["again_within_weeks"]
    begin = days_from(phase.clinic, at, -7 * weeks)
    about = f"the {counted(weeks, 'week')} up to the client's last fact"
    decided = [
        outcome for outcome in latest(phase, len(phase.sessions)) if begin <= outcome.since <= at
    ]
    lapsed: list[Outcome] = []
    late = takewhile(lambda one: begin <= one.since, reversed(outcomes(phase)))
    if any(map(_missed_by_therapist, late)):
        found = not_held(phase, settings["window_sessions"], settings["sickness_grace"])
        lapsed = recent(phase, found, at, weeks)
    if not decided and not lapsed:
        return not_analysable("no session was held, missed or cancelled in that time", about)
    n, of = len(lapsed), max(len(decided), len(lapsed))
    unreached, numbers = _contact_numbers(phase, lapsed, at, settings)
    missed = [outcome for outcome in decided if outcome.session.state == "missed"]
    return Figure(
        says=f"{n} of {counted(of, 'session')} within {counted(weeks, 'week')} "
        f"{'was' if n == 1 else 'were'} not held by the therapist",
        window=about,
        value=n,
        numerator=n,
        denominator=of,
        met=level(n >= 1, n >= 2 or unreached),
        events=[outcome.fact for outcome in lapsed],
        not_counted=together(_excused(phase, missed, lapsed), by_nobody_known(missed)),
        numbers=numbers,
    )


def _contact_numbers(
    phase: Phase, lapsed: Sequence[Outcome], at: datetime, settings: Settings
) -> tuple[bool, dict[str, object]]:
    """Return whether nobody reached the client in time after the latest, and how that is known."""
    if not lapsed:
        return False, {}
    if not sends_contacts(phase):
        return False, {"client_reached": "not analysable, contacts are not known to be sent"}
    found = contact(phase, lapsed[-1], settings["contact_within_working_days"])
    if not found.reached and at < found.due_at:
        return False, {"client_reached": "not yet due", "attempts": len(found.attempts)}
    return not found.reached, {
        "client_reached": "in time" if found.reached else "not in time",
        "attempts": len(found.attempts),
    }


def _excused(phase: Phase, missed: Sequence[Outcome], lapsed: Sequence[Outcome]) -> dict[str, int]:
    beside = [one for one in missed if one.by_provider and one not in lapsed]
    return excused(why_not_counted(phase, one.session) for one in beside)


SESSION_NOT_HELD = Measure(
    name="session_not_held",
    rule="session-not-held",
    title="Sessions not held by the therapist",
    unit="sessions",
    definition="missed by the therapist, of those that were held, missed or cancelled in the last "
    "12 weeks; urgent also where nobody reached the client within two working days",
    limit="1, urgent 2 within {again_within_weeks} weeks or no contact within "
    "{contact_within_working_days} working days",
    defaults={
        "again_within_weeks": 12,
        "contact_within_working_days": 2,
        "window_sessions": 8,
        "sickness_grace": 1,
    },
    figure=_figure,
)
