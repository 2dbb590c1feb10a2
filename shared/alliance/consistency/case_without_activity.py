"""How long an open case has been without a session. Pure."""

from datetime import datetime
from typing import Final

from shared.alliance.calendar import after_days, days_between
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import held
from shared.alliance.things import Phase
from shared.alliance.wording import counted

BANDS: Final = ((60, "up to 60"), (90, "61 to 90"), (120, "91 to 120"))
"""Days → band, as published (domain.md section 3); beyond the last it is more than 120."""

_WINDOW = "from the last held session to the client's last fact"


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return the days of the clinic since the last held session, those in pauses left out.

    Counted to the client's last fact that stands (asked at a ``valid_at``: the last by then): a
    clock would make the same facts give another timeline. ``due_at`` says when time alone would
    meet the threshold.
    """
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    if not held(phase):
        return not_analysable("no session was held yet", _WINDOW)
    last = held(phase)[-1]
    still, clinic = phase.care.pauses, phase.clinic
    days = days_between(clinic, last.state_at, at, still)
    limit = settings["attention_days"]
    return Figure(
        says=f"{counted(days, 'day')} since the last held session",
        window=_WINDOW,
        value=days,
        met=level(days > limit),
        events=[last.facts[-1]],
        not_counted=pauses(phase, last.state_at, at),
        numbers={
            "band": _band(days),
            "days_with_pauses": days_between(clinic, last.state_at, at),
        },
        due_at=after_days(clinic, last.state_at, limit + 1, still),
    )


def _band(days: int) -> str:
    return next((band for most, band in BANDS if days <= most), "more than 120")


CASE_WITHOUT_ACTIVITY = Measure(
    name="case_without_activity",
    rule="case-without-activity",
    title="Open case without a session",
    unit="days",
    definition="days of the clinic from the last held session to the client's last fact, pauses "
    "left out; bands up to 60, 61 to 90, 91 to 120, more than 120",
    limit="more than {attention_days} days",
    defaults={"attention_days": 60},
    figure=_figure,
    source="bands published (domain.md section 3); that 60 asks for attention is own",
)
