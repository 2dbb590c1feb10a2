"""Many clients of one therapist whose sessions were cancelled by the clinic or the therapist."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alerts.caseload import Caseload, Extract
from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, cancelled, held, of_client
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import days_from
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted, excused, rounded

_Ends = Mapping[datetime, datetime]


class CaseloadInterrupted:
    """Tell when a quarter of a therapist's clients had a session cancelled for them in 4 weeks.

    Cancelled by the clinic or the therapist, or not held by the therapist: a question of what
    support the therapist needs, and of who looks after these clients meanwhile. Announced leave,
    closures, emergencies and a first sickness do not count, nor what was booked again. Clients
    are those who were with the therapist at some time in these weeks; below five of them nothing
    is said, because one alone would be a quarter. Clears below 15 percent. All figures are own,
    not validated. It says nothing about how therapists compare.
    """

    name: str = "caseload-interrupted"
    version: int = 2
    family: Family = "consistency"
    title: str = "Sessions of several clients were cancelled by the clinic or therapist"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.paused", "care.resumed", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed", "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "Ask the therapist how they are, and what would make these weeks easier.",
        "See who looks after these clients meanwhile, and that each has a next session.",
        "Look at the load, the rooms and the diary before looking at the person.",
    )
    defaults: Mapping[str, Any] = {
        "attention_percent": 25,
        "clears_percent": 15,
        "within_weeks": 4,
        "least_clients": 5,
    }
    always_news: bool = False
    example: Example = (
        *(of_client(n, held(n)) for n in range(1, 6)),
        of_client(1, cancelled(8, "therapist")), of_client(2, cancelled(16, "clinic")),
        of_client(3, held(52)),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Say nothing: one client is no caseload."""
        return Verdict(())

    def judge_caseload(
        self, caseload: Caseload, settings: Mapping[str, Any], until: datetime
    ) -> Verdict:
        """Judge at every cancellation, and whenever fewer may be left."""
        chosen = {**self.defaults, **settings}
        ends = _ends(caseload, 7 * chosen["within_weeks"])
        lapses = {fact.occurred_at for one in caseload.extracts for fact in one.cancelled}
        joined = {stay.opened_at for stay in caseload.stays}
        moments = [
            moment
            for at in sorted(lapses)
            if (moment := _found(caseload, at, ends, chosen)) is not None
        ]
        fewer = {ends[at] for at in lapses}
        for at in sorted(fewer | joined):
            clients, some = _at(caseload, at, ends)
            if len(some) * 100 < chosen["clears_percent"] * len(clients) or not some:
                grace = NO_GRACE if at in fewer else None
                moments.append(Moment(at, about="caseload", urgency=None, grace=grace))
        return verdict(self, caseload, moments, until)


def _found(
    caseload: Caseload, at: datetime, ends: _Ends, chosen: Mapping[str, Any]
) -> Moment | None:
    clients, some = _at(caseload, at, ends)
    n, of = len(some), len(clients)
    if of < chosen["least_clients"] or n * 100 < chosen["attention_percent"] * of:
        return None
    evidence = [fact for one in some for fact in _recent(one, at, ends)]
    not_counted = Counter(
        reason for one in clients for when, reason in one.excused if when <= at < ends[when]
    )
    percent = int(rounded(n * 100 / of))
    weeks = counted(chosen["within_weeks"], "week")
    return Moment(
        at,
        about="caseload",
        urgency="attention",
        evidence=tuple(sorted(evidence, key=lambda one: (one.occurred_at, one.source, one.id))),
        explanation=f"Within {weeks}, {n} of {of} clients ({percent} %) had a session cancelled "
        f"by the clinic or therapist.{excused(dict(sorted(not_counted.items())))}",
        numbers={"clients": of, "interrupted": n, "percent": percent,
                 "within_weeks": chosen["within_weeks"]},
        not_counted=dict(sorted(not_counted.items())),
    )  # fmt: skip


def _at(caseload: Caseload, at: datetime, ends: _Ends) -> tuple[list[Extract], list[Extract]]:
    """Return who was with the therapist in the weeks up to a moment; and who was cancelled."""
    clients = [
        one
        for one in caseload.extracts
        if any(
            stay.opened_at <= at and (stay.closed_at is None or at < ends[stay.closed_at])
            for stay in one.stays
        )
    ]
    return clients, [one for one in clients if _recent(one, at, ends)]


def _recent(one: Extract, at: datetime, ends: _Ends) -> list[Fact]:
    return [fact for fact in one.cancelled if fact.occurred_at <= at < ends[fact.occurred_at]]


def _ends(caseload: Caseload, days: float) -> _Ends:
    """Return until when what happened is no longer ago than so many days, by the clinic's clock.

    Counted forward from each: so it leaves at the very moment at which fewer may be left, also
    where an hour was there twice.
    """
    found: set[datetime] = set()
    for one in caseload.extracts:
        found |= {fact.occurred_at for fact in one.cancelled} | {at for at, _ in one.excused}
        found |= {stay.closed_at for stay in one.stays if stay.closed_at is not None}
    return {at: days_from(caseload.calendar, at, days) for at in found}
