"""Whether a next session is booked. Pure."""

from datetime import datetime

from shared.alliance.calendar import after_days, days_between
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import held
from shared.alliance.things import Phase
from shared.alliance.wording import counted

_WINDOW = "what is booked at the client's last fact"


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how many sessions are booked ahead of ``at``, and since when none is.

    That none is booked is a fact of its own; it meets the threshold only some days after the last
    held session: a next one is often agreed a day or two later.
    """
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    if not held(phase):
        return not_analysable("no session was held yet", _WINDOW)
    ahead = [
        session
        for session in phase.sessions
        if session.state == "scheduled" and session.due_at > at
    ]
    last = held(phase)[-1]
    still, clinic = phase.care.pauses, phase.clinic
    days = days_between(clinic, last.state_at, at, still)
    most = settings["days_without"]
    since = f"{counted(days, 'day')} after the last held one"
    booked = f"{counted(len(ahead), 'next session')} {'is' if len(ahead) == 1 else 'are'} booked"
    return Figure(
        says=f"{booked if ahead else 'no next session is booked'}, {since}",
        window=_WINDOW,
        value=len(ahead),
        met=level(not ahead and days >= most),
        events=[last.facts[-1], *(session.facts[-1] for session in ahead)],
        not_counted=pauses(phase, last.state_at, at),
        numbers={"days_since_held": days},
        due_at=None if ahead else after_days(clinic, last.state_at, most, still),
    )


NEXT_SESSION = Measure(
    name="next_session",
    rule="no-next-session",
    title="Next session",
    unit="sessions",
    definition="sessions booked for after the client's last fact; days since the last held one, "
    "pauses left out",
    limit="none booked for {days_without} days",
    defaults={"days_without": 7},
    figure=_figure,
)
