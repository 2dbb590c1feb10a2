"""A therapist who sees clients, and has had no supervision for longer than agreed."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.caseload import Caseload, Gap
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, looked_at, of_client, supervised
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import after_days, since_announced
from shared.alliance.history import Phase
from shared.alliance.wording import counted

GRACE: Final = timedelta(hours=48)
"""What is entered late may still come."""


class SupervisionOverdue:
    """Tell when a therapist who sees clients has had no supervision for four weeks.

    Counted from the last supervision, at first from the first session held, in days of the
    clinic; announced leave and times without a client in care do not count. Clears with the next
    supervision. The interval is own, not validated: set the one that is agreed in the clinic.
    """

    name: str = "supervision-overdue"
    version: int = 2
    family: Family = "consistency"
    title: str = "No supervision has been recorded for some weeks"
    needs: frozenset[str] = frozenset({"supervision"})
    reads: frozenset[str] = frozenset(
        {
            "supervision.held", "session.scheduled", "session.held", "therapist.away",
            "care.transferred", "care.ended", "clinic.configured",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "See that a time for supervision is agreed, and kept free.",
        "If it took place, have it recorded: nothing else is needed.",
    )
    defaults: Mapping[str, Any] = {"interval_weeks": 4}
    always_news: bool = False
    example: Example = (
        of_client(1, held(0)), supervised(7), of_client(1, held(14)), of_client(1, held(42)),
        supervised(44), looked_at(50),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Say nothing: one client is no caseload."""
        return Verdict(())

    def judge_caseload(
        self, caseload: Caseload, settings: Mapping[str, Any], until: datetime
    ) -> Verdict:
        """Judge the time after each supervision, and after the first session."""
        chosen = {**self.defaults, **settings}
        first = caseload.first_seen
        if first is None:
            return Verdict(())
        later = [fact for fact in caseload.supervision if fact.occurred_at > first.occurred_at]
        gaps = caseload.gaps
        stopped = [Gap(since_announced(span), span.until) for span in caseload.away] + gaps
        moments = [Moment(gap.start, about="supervision", urgency=None) for gap in gaps]
        weeks = chosen["interval_weeks"]
        for fact in (first, *later):
            if fact is not first:
                moments.append(Moment(fact.occurred_at, about="supervision", urgency=None))
            # The last day of the last week is in time, whatever the hour.
            over = math.floor(7 * weeks) + 1
            due_at = after_days(caseload.calendar, fact.occurred_at, over, stopped)
            after = [one for one in later if one.occurred_at > fact.occurred_at]
            if due_at is None or (after and after[0].occurred_at < due_at):
                continue
            since = "the last one" if fact is not first else "the first session"
            moments.append(
                Moment(
                    due_at,
                    about="supervision",
                    urgency="attention",
                    evidence=(fact,),
                    explanation=f"No supervision was recorded in the {counted(weeks, 'week')} "
                    f"after {since}; announced leave, and times without a client, left out.",
                    numbers={"interval_weeks": weeks},
                    grace=GRACE,
                )
            )
        return verdict(self, caseload, moments, until)
