"""How long the plan was not reviewed with the client. Pure."""

from datetime import datetime

from shared.alliance.calendar import after_days, days_between
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measure import (
    Figure,
    Measure,
    Settings,
    level,
    not_analysable,
    together,
)
from shared.alliance.consistency.said import held, is_sent, said
from shared.alliance.things import Phase
from shared.alliance.wording import counted

_WINDOW = "from the last review with the client, else the first held session, to the last fact"


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return the days of the clinic since the plan was reviewed with the client.

    Counted to the client's last fact that stands, pauses left out; ``due_at`` says when time
    alone would meet the threshold.
    """
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    if not is_sent(phase, "plan", "plan.reviewed"):
        return not_analysable("plan reviews are not known to be sent", _WINDOW)
    reviews = said(phase, "plan.reviewed")
    shared = [fact for fact in reviews if fact.data["with_client"]]
    first = next(iter(held(phase)), None)
    if not shared and first is None:
        return not_analysable("no session was held yet", _WINDOW)
    since = shared[-1] if shared or first is None else first.facts[-1]
    start, still = since.occurred_at, phase.care.pauses
    days = days_between(phase.clinic, start, at, still)
    limit = settings["overdue_weeks"] * 7
    alone = sum(not fact.data["with_client"] and fact.occurred_at > start for fact in reviews)
    last = "the last review with the client" if shared else "the first session, without a review"
    return Figure(
        says=f"{counted(days, 'day')} since {last}",
        window=_WINDOW,
        value=days,
        met=level(days >= limit),
        events=[since],
        not_counted=together(pauses(phase, start, at), {"reviewed_without_the_client": alone}),
        numbers={"reviews_with_client": len(shared)},
        due_at=after_days(phase.clinic, start, limit, still),
    )


REVIEW_OVERDUE = Measure(
    name="review_overdue",
    rule="review-overdue",
    title="Review of the plan with the client",
    unit="days",
    definition="days of the clinic since the plan was last reviewed with the client, else since "
    "the phase's first held session, to the client's last fact; pauses left out",
    limit="{overdue_weeks} weeks",
    defaults={"overdue_weeks": 12},
    figure=_figure,
)
