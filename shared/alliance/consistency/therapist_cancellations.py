"""Sessions that the clinic or the therapist cancelled or missed, among the last eight. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.alliance.attendance import Outcome, lapses, latest
from shared.alliance.consistency.left_out import by_nobody_known
from shared.alliance.consistency.measure import (
    Figure,
    Level,
    Measure,
    Settings,
    level,
    not_analysable,
    together,
)
from shared.alliance.things import Phase
from shared.alliance.wording import counted, of_the_last
from shared.values import frozen


@frozen
class Cancellations:
    """What counts of a window of bookings.

    Attributes:
        counted: What the provider kept from being held, without an excuse.
        missed: How many of those were missed, not cancelled.
        not_counted: Reason → how many were excused.
        met: The level that the settings give.
        says: The same in words.
    """

    counted: Sequence[Outcome]
    missed: int
    not_counted: Mapping[str, int]
    met: Level | None
    says: str


def of_window(phase: Phase, window: Sequence[Outcome], settings: Settings) -> Cancellations:
    """Return what counts of a window; the rule and the timeline both ask here.

    Args:
        phase: Whose bookings they are.
        window: The last bookings, in order of their planned start.
        settings: ``attention_sessions``, ``urgent_sessions``, ``sickness_grace``.
    """
    lapsed, not_counted = lapses(phase, window, settings["sickness_grace"])
    n = len(lapsed)
    return Cancellations(
        lapsed,
        sum(outcome.session.state == "missed" for outcome in lapsed),
        not_counted,
        level(n >= settings["attention_sessions"], n >= settings["urgent_sessions"]),
        f"{of_the_last(n, len(window), 'session')} cancelled by the clinic or therapist",
    )


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    window = latest(phase, settings["window_sessions"])
    about = f"the last {counted(settings['window_sessions'], 'booking')} with an outcome"
    if not window:
        return not_analysable("no session was held, missed or cancelled yet", about)
    found = of_window(phase, window, settings)
    return Figure(
        says=found.says + (f" or not held by them ({found.missed})" if found.missed else ""),
        window=about,
        value=len(found.counted),
        numerator=len(found.counted),
        denominator=len(window),
        met=found.met,
        events=[outcome.fact for outcome in found.counted],
        among=[outcome.fact for outcome in window],
        not_counted=together(found.not_counted, by_nobody_known(window)),
        numbers={"missed": found.missed},
    )


THERAPIST_CANCELLATIONS = Measure(
    name="therapist_cancellations",
    rule="therapist-cancellations",
    title="Sessions cancelled by the clinic or therapist",
    unit="sessions",
    definition="cancelled by therapist or clinic, or missed by therapist, among the last 8 "
    "booked, in order of their planned start",
    limit="{attention_sessions}, urgent {urgent_sessions}",
    defaults={
        "window_sessions": 8,
        "attention_sessions": 2,
        "urgent_sessions": 3,
        "sickness_grace": 1,
    },
    figure=_figure,
)
