"""Rules about a therapist's whole caseload: at every threshold, and just under it."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.caseload import Caseload, caseload, read, written
from services.alerts.extracting import extracts
from services.alerts.rule import CaseloadRule, Verdict
from services.alerts.rules import CASELOAD_RULES
from services.alerts.rules.boundary_pattern_therapist import BoundaryPatternTherapist
from services.alerts.rules.caseload_interrupted import CaseloadInterrupted
from services.alerts.rules.supervision_overdue import SupervisionOverdue
from shared.alliance.clinics import Surroundings, surroundings
from shared.alliance.history import fold
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import ORGANISATION, THERAPIST, on
from tests.support.phases import FAR

RULE = CaseloadInterrupted()


def a_client(n: int, *events: Envelope) -> list[Envelope]:
    """Return a client who was seen on the first day, and what happened afterwards."""
    seen = an.a_session_held("first", on(0))
    told = (seen, *events)
    return [replace(one, event=replace(one.event, subject=f"cl_{n}")) for one in told]


def cancelled(day: float, by: str = "therapist", **more: Any) -> Envelope:
    """Return a session cancelled on a day."""
    return an.a_session_cancelled(f"c{day}", at=on(day), by=by, **more)


def the_caseload(clients: Iterable[list[Envelope]], *around: Envelope) -> Caseload:
    """Return the caseload that some clients make, through storage and back."""
    every = [
        read(one.client, one.therapist, written(one))
        for events in clients
        for one in extracts(fold(ORGANISATION, events[0].client or "", events, around))
        if one.therapist == THERAPIST
    ]
    return caseload(ORGANISATION, THERAPIST, every, surroundings(ORGANISATION, around))


def judged(clients: Iterable[list[Envelope]], *around: Envelope, **settings: Any) -> Verdict:
    """Return what the rule says."""
    return RULE.judge_caseload(the_caseload(clients, *around), settings, FAR)


def of(interrupted: int, clients: int, **more: Any) -> list[list[Envelope]]:
    """Return so many clients, some with one cancelled session."""
    return [
        a_client(n, *([cancelled(10 + n / 10, **more)] if n < interrupted else []))
        for n in range(clients)
    ]


@pytest.mark.parametrize(
    ("interrupted", "clients", "speaks"),
    [(2, 8, True), (2, 9, False), (3, 12, True), (3, 13, False), (2, 5, True), (1, 5, False)],
)
def test_a_quarter_of_the_clients(interrupted: int, clients: int, speaks: bool) -> None:
    """It speaks at 25 percent of the clients exactly, and not just under."""
    assert bool(judged(of(interrupted, clients)).episodes) is speaks


def test_a_small_caseload_is_not_analysable() -> None:
    """Below five clients nothing is said, however many were cancelled; the number is a setting."""
    assert judged(of(4, 4)).episodes == ()
    assert judged(of(4, 4), least_clients=4).episodes


def test_what_the_client_cancelled_or_nobody_knows_does_not_count() -> None:
    """Only the clinic's and the therapist's own cancellations count."""
    for by, speaks in (("client", False), ("unknown", False), ("clinic", True)):
        assert bool(judged(of(3, 8, by=by)).episodes) is speaks


def test_four_weeks() -> None:
    """Cancellations count together within four weeks, and not at exactly four."""
    for days, speaks in ((28 - 0.01, True), (28, False)):
        clients = [a_client(n) for n in range(6)]
        clients += [a_client(6, cancelled(10)), a_client(7, cancelled(10 + days))]
        assert bool(judged(clients).episodes) is speaks


def test_it_clears_below_fifteen_percent() -> None:
    """It holds at 15 percent or more, and clears when the weeks have passed, by time alone."""
    clients = [a_client(n) for n in range(6)]
    clients += [a_client(6, cancelled(10)), a_client(7, cancelled(20))]
    (episode,) = judged(clients).episodes
    assert episode.effective_at == on(20)
    assert episode.cleared_at == on(38)  # One of eight is 12.5 percent.
    whole = the_caseload(clients)
    before = RULE.judge_caseload(whole, {}, on(38) - timedelta(seconds=1))
    assert [one.cleared_at for one in before.episodes] == [None]
    assert before.due_at is not None
    assert before.due_at <= on(38)
    held = judged(clients, clears_percent=12).episodes
    assert [one.cleared_at for one in held] == [on(48)]


def test_what_never_counts_is_listed() -> None:
    """Emergencies do not count; they are listed with their number beside the figure."""
    clients = of(2, 8)
    clients[5] = a_client(5, cancelled(9, reason="emergency"))
    (episode,) = judged(clients).episodes
    (step,) = episode.steps
    assert dict(step.not_counted) == {"emergency": 1}
    assert step.numbers == {"clients": 8, "interrupted": 2, "percent": 25, "within_weeks": 4}
    assert step.explanation == (
        "Within 4 weeks, 2 of 8 clients (25 %) had a session cancelled by the clinic or therapist."
        " Not counted: 1 × emergency."
    )
    assert judged(of(8, 8, reason="emergency")).episodes == ()
    clients[5] = a_client(5, cancelled(9, reason="illness"))
    assert judged(clients).episodes[0].steps[0].not_counted == {"first_sickness": 1}


def test_who_has_left_is_no_client_any_more() -> None:
    """Who left more than four weeks before is not among the clients."""
    clients = of(2, 8)
    clients += [a_client(9, an.a_care_event("ended", on(1), reason="agreed"))]
    assert judged(clients).episodes == ()
    late = [a_client(n, cancelled(30 + n) if n < 2 else an.a_session_held("x", on(29)))
            for n in range(8)]  # fmt: skip
    late += [a_client(9, an.a_care_event("ended", on(1), reason="agreed"))]
    assert judged(late).episodes


def test_consent() -> None:
    """What happens while consent to alerts is withdrawn counts for nothing."""
    clients = of(2, 8)
    withdrawn = an.an_event("consent.withdrawn", on(2), {"clinic": an.CLINIC, "scope": "alerts"})
    clients[0] = a_client(0, withdrawn, cancelled(10))
    assert judged(clients).episodes == ()


@pytest.mark.parametrize("rule", CASELOAD_RULES, ids=[rule.name for rule in CASELOAD_RULES])
def test_any_order_gives_the_same(rule: CaseloadRule) -> None:
    """Clients and events in any order, told twice, give the same verdict; nobody is nothing."""
    for seed in range(20):
        chance = random.Random(seed)
        clients = [
            a_client(n, *(cancelled(chance.randrange(80), by=chance.choice(("clinic", "client")))
                          for _ in range(chance.randrange(3))))
            for n in range(chance.randrange(3, 14))
        ]  # fmt: skip
        first = rule.judge_caseload(the_caseload(clients), {}, on(60))
        for events in clients:
            events += chance.sample(events, 1)
            chance.shuffle(events)
        chance.shuffle(clients)
        assert rule.judge_caseload(the_caseload(clients), {}, on(60)) == first
        assert first.due_at is None or first.due_at > on(60)
        later = rule.judge_caseload(the_caseload(clients), {}, on(90))
        assert [one.id for one in first.episodes] == [one.id for one in later.episodes][
            : len(first.episodes)
        ]
    assert rule.judge_caseload(
        caseload(ORGANISATION, THERAPIST, (), Surroundings()), {}, FAR
    ) == Verdict(())


def supervision(day: float) -> Envelope:
    """Return supervision that the therapist had, about no one client."""
    data = {"clinic": an.CLINIC, "therapist": THERAPIST, "topics": ["alliance"]}
    return an.an_event("supervision.held", on(day), data, client=None)


def overdue(
    *around: Envelope, days: float, clients: Any = None, settings: Mapping[str, Any] | None = None
) -> bool:
    """Return whether supervision is overdue so many days after the first session."""
    whole = the_caseload(clients or [a_client(1)], *around)
    began = on(0) + timedelta(minutes=50)
    until = began + timedelta(days=days)
    found = SupervisionOverdue().judge_caseload(whole, settings or {}, until)
    return any(one.cleared_at is None for one in found.episodes)


@pytest.mark.parametrize(("days", "speaks"), [(30.5, False), (30.6, True)])
def test_four_weeks_without_supervision(days: float, speaks: bool) -> None:
    """It is due until the end of the day four weeks after the first session, and judged two later.

    The first session ended at ten to eleven; that day ends at midnight.
    """
    assert overdue(days=days) is speaks


@pytest.mark.parametrize(("days", "speaks"), [(12.5, False), (12.6, True)])
def test_a_week_and_a_half_without_supervision(days: float, speaks: bool) -> None:
    """Ten and a half days are over on the eleventh, and judged two days later."""
    assert overdue(days=days, settings={"interval_weeks": 1.5}) is speaks


def test_supervision_starts_the_weeks_anew() -> None:
    """From each supervision on four weeks are counted; late it clears, within the grace too."""
    assert not overdue(supervision(20), days=49)
    assert overdue(supervision(20), days=51)
    assert not overdue(supervision(40), days=41)
    assert not overdue(supervision(29), days=31)
    whole = the_caseload([a_client(1)], supervision(40))
    (first, _) = SupervisionOverdue().judge_caseload(whole, {}, FAR).episodes
    assert first.cleared_at == on(40)
    within = the_caseload([a_client(1)], supervision(29))
    assert len(SupervisionOverdue().judge_caseload(within, {}, on(50)).episodes) == 0


def test_supervision_about_one_client_counts() -> None:
    """Supervision held about a client is supervision."""
    about = replace(supervision(20), event=replace(supervision(20).event, subject="cl_1"))
    assert not overdue(days=45, clients=[a_client(1, about)])


def test_leave_and_an_empty_caseload_do_not_count() -> None:
    """Announced leave lets the weeks stand still; who has no client in care needs none."""
    away = an.a_therapist_away("2026-01-12", "2026-01-18", at=on(2))
    assert not overdue(away, days=37.5)
    assert overdue(away, days=37.6)
    left = [a_client(1, an.a_care_event("ended", on(20), reason="agreed"))]
    assert not overdue(days=100, clients=left)


def a_matter(client: int, day: float, severity: int | None = 2, **more: Any) -> list[Envelope]:
    """Return a client with whom a boundary event about the therapist was noted."""
    data = {"clinic": an.CLINIC, "therapist": THERAPIST, "boundary_event": "be", "area": "gifts",
            "about": "therapist", "concerns": THERAPIST, "reported_by": "colleague",
            "reporter_protected": True, "severity": severity} | more  # fmt: skip
    return a_client(client, an.an_event("boundary.noted", on(day), data))


def pattern(*clients: list[Envelope]) -> Verdict:
    """Return what the rule says of boundary events."""
    return BoundaryPatternTherapist().judge_caseload(the_caseload(clients), {}, FAR)


@pytest.mark.parametrize(
    ("severities", "days", "speaks"),
    [((2, 2), 365, True), ((2, 2), 366, False), ((2, 1), 30, False), ((2, None), 30, False),
     ((4, 3), 30, True)],
)  # fmt: skip
def test_two_clients_within_a_year(
    severities: tuple[int | None, int | None], days: int, speaks: bool
) -> None:
    """Two events of severity 2 with different clients within a year are a pattern; not just so."""
    found = pattern(a_matter(1, 1, severities[0]), a_matter(2, 1 + days, severities[1]))
    assert bool(found.episodes) is speaks


def test_one_client_or_another_person_is_no_pattern() -> None:
    """Two events with one client are another rule's; events about others are not this one's."""
    twice = [*a_matter(1, 1), *a_matter(1, 5, boundary_event="other")[1:]]
    assert pattern(twice).episodes == ()
    assert pattern(a_matter(1, 1), a_matter(2, 5, concerns="th_eve")).episodes == ()


def test_what_an_assessment_or_an_outcome_changes() -> None:
    """The latest severity counts; no boundary matter after all counts for nothing; it clears."""
    common = {"clinic": an.CLINIC, "therapist": THERAPIST, "boundary_event": "be"}

    def then(client: int, what: str, day: float, **data: Any) -> list[Envelope]:
        return a_client(client, an.an_event(f"boundary.{what}", on(day), common | data))[1:]

    assessed = {"assessment": "crossing", "assessed_by": "supervisor"}
    lower = [*a_matter(2, 5), *then(2, "assessed", 9, severity=1, **assessed)]
    assert pattern(a_matter(1, 1), lower).episodes == ()
    higher = [*a_matter(2, 5, 1), *then(2, "assessed", 9, severity=2, **assessed)]
    assert [one.effective_at for one in pattern(a_matter(1, 1), higher).episodes] == [on(9)]
    none = [*a_matter(2, 5), *then(2, "closed", 9, outcome="not_a_boundary_matter")]
    assert pattern(a_matter(1, 1), none).episodes == ()
    closed = [*a_matter(2, 5), *then(2, "closed", 9, outcome="upheld")]
    assert [one.cleared_at for one in pattern(a_matter(1, 1), closed).episodes] == [on(9)]


def test_who_reported_is_in_no_extract() -> None:
    """Nothing of who reported a boundary event is kept for the caseload."""
    (extract,) = the_caseload([a_matter(1, 1)]).extracts
    assert b"colleague" not in written(extract)
    assert b"report" not in written(extract)
