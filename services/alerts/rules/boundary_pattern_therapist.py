"""Boundary events with several clients that concern the same person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alerts.caseload import Caseload, Matter
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, noted, of_client
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import days_from
from shared.alliance.history import Phase
from shared.alliance.wording import counted


class BoundaryPatternTherapist:
    """Tell when boundary events with two clients within a year are about the same person.

    Of severity 2 or more, by the latest assessment, else as it was noted; what turned out to be
    no boundary matter, or the same one, does not count. None of them is judged by that: it is a
    reason to look at them together. Only governance is told; the person concerned never reads it,
    and of who reported nothing is said. Clears when fewer than two clients have one that is open.
    The counts are own, not validated.
    """

    name: str = "boundary-pattern-therapist"
    version: int = 3
    family: Family = "boundary"
    title: str = "Boundary events with several clients were noted within a year"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {
            "boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened",
            "clinic.configured",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("governance",)}
    next_steps: tuple[str, ...] = (
        "Read these events together, by somebody who is part of none of them.",
        "See that each client has been heard, and knows whom to turn to.",
        "Decide what support, supervision or protection is needed, whatever each event comes to.",
    )
    defaults: Mapping[str, Any] = {"clients": 2, "least_severity": 2, "within_days": 365}
    always_news: bool = True
    example: Example = (
        of_client(1, noted(0, 2, "time", "a")), of_client(2, noted(90, 2, "gifts", "b")),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Say nothing: one client is no caseload."""
        return Verdict(())

    def judge_caseload(
        self, caseload: Caseload, settings: Mapping[str, Any], until: datetime
    ) -> Verdict:
        """Judge whenever one came to count, and whenever one was closed."""
        chosen = {**self.defaults, **settings}
        least = chosen["least_severity"]
        counting = [
            (since, one)
            for one in caseload.matters
            if (since := one.since_severity(least)) is not None
        ]
        moments: list[Moment] = []
        for at in sorted({since for since, _ in counting}):
            begin = days_from(caseload.calendar, at, -chosen["within_days"])
            some = [one for since, one in counting if since <= at and begin <= one.noted_at]
            found = _found(at, some, chosen)
            moments += [found] if found else []
        for at in sorted({one.closed_at for _, one in counting if one.closed_at is not None}):
            still = {
                one.client
                for since, one in counting
                if since <= at and (one.closed_at is None or one.closed_at > at)
            }
            if len(still) < chosen["clients"]:
                moments.append(Moment(at, about="pattern", urgency=None))
        return verdict(self, caseload, moments, until)


def _found(at: datetime, some: list[Matter], chosen: Mapping[str, Any]) -> Moment | None:
    clients = len({one.client for one in some})
    if clients < chosen["clients"]:
        return None
    were = "was" if len(some) == 1 else "were"
    return Moment(
        at,
        about="pattern",
        urgency="attention",
        evidence=tuple(one.fact for one in some),
        explanation=f"{counted(len(some), 'boundary event')} of severity "
        f"{chosen['least_severity']} or more, with {counted(clients, 'client')}, {were} noted "
        f"within {counted(chosen['within_days'], 'day')}, about the same person.",
        numbers={"events": len(some), "clients": clients, "within_days": chosen["within_days"]},
    )
