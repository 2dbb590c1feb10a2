"""A plan that was not reviewed with the client for long, or agreed goals not rated."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.deadlines import overdue
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, looked_at, reviewed
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.goals_without_progress import Stretch, stretches
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.consistency.said import is_sent, said
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import passed


class ReviewOverdue:
    """Tell when the plan was not reviewed with the client for twelve weeks, or a goal for six.

    The plan: from the last review with the client, else from the first held session; clears by a
    review with the client. An agreed goal: from when it was agreed, or last rated, by itself or
    with all others on the instrument gbo; clears when it is rated or closed. Whichever way a
    rating points: whether a goal comes nearer is nobody's lapse. In days of the clinic, those in
    pauses left out. Only where plans, and goals, are sent. The deadlines are own, not validated.
    """

    name: str = "review-overdue"
    version: int = 2
    family: Family = "consistency"
    title: str = "The plan has not been reviewed with the client for a long time"
    needs: frozenset[str] = frozenset({"sessions", "plan"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "plan.reviewed", "goal.agreed", "goal.rated", "goal.closed",
            "rating.given", "care.paused", "care.resumed", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Look at the goals together with the client: which still matter, which are reached?",
        "Where it was reviewed, see that it is recorded, and whether the client was there.",
    )
    defaults: Mapping[str, Any] = {"overdue_weeks": 12, "without_weeks": 6, "grace_hours": 48}
    always_news: bool = False
    example: Example = (held(0), reviewed(14), held(21), looked_at(101), reviewed(105))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadline after each review, and after each word on a goal."""
        chosen = {**self.defaults, **settings}
        moments: list[Moment] = []
        if is_sent(phase, "plan", "plan.reviewed"):
            moments += _moments(phase, chosen)
        if is_sent(phase, "goals", "goal.rated"):
            for stretch in stretches(phase):
                moments += _of_goal(phase, stretch, chosen)
        return verdict(self, phase, moments, until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    weeks = chosen["overdue_weeks"]
    anchors = [(fact.occurred_at, fact) for fact in _reviews(phase)]
    for at, _ in anchors:
        yield Moment(at, about="review", urgency=None)
    for since, fact, due_at in overdue(phase, anchors, weeks * 7):
        last = "the last review of the plan with the client"
        if fact.type != "plan.reviewed":
            last = "the first session, without a review of the plan with the client"
        yield Moment(
            due_at,
            about="review",
            urgency="attention",
            evidence=(fact,),
            explanation=f"{passed(weeks, 'week')} since {last}.",
            numbers={"weeks": weeks},
            not_counted=pauses(phase, since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )


def _of_goal(phase: Phase, stretch: Stretch, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    weeks, about = chosen["without_weeks"], f"goal|{stretch.goal}"
    anchors = [(fact.occurred_at, fact) for fact in stretch.words]
    ends = [] if stretch.closed is None else [stretch.closed.occurred_at]
    for at in (*(at for at, _ in anchors), *ends):
        yield Moment(at, about, urgency=None)
    for since, fact, due_at in overdue(phase, anchors, weeks * 7, next(iter(ends), None)):
        last = "a goal was agreed, and it has not been rated since"
        if fact.type != "goal.agreed":
            last = "the last rating of an agreed goal"
        yield Moment(
            due_at,
            about,
            urgency="attention",
            evidence=(fact,),
            explanation=f"{passed(weeks, 'week')} since {last}.",
            numbers={"weeks": weeks},
            not_counted=pauses(phase, since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
            title="An agreed goal has not been rated for a long time",
        )


def _reviews(phase: Phase) -> list[Fact]:
    """Return from when a review is waited for: the first held session, then each review."""
    shared = [fact for fact in said(phase, "plan.reviewed") if fact.data["with_client"]]
    first = [session.facts[-1] for session in held_sessions(phase)[:1]]
    early = [fact for fact in first if not shared or fact.occurred_at < shared[0].occurred_at]
    return [*early, *shared]
