"""Weeks are those of the clinic's clock: exactly so many, and just under, at a change of clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.alerts.absorbing import of_peer
from services.alerts.caseload import Caseload, caseload
from services.alerts.extracting import extracts
from services.alerts.rule import Episode
from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.boundary_pattern import BoundaryPattern
from services.alerts.rules.boundary_pattern_therapist import BoundaryPatternTherapist
from services.alerts.rules.caseload_interrupted import CaseloadInterrupted
from services.alerts.rules.countertransference_unsupervised import (
    CountertransferenceUnsupervised,
)
from services.alerts.rules.dropout_risk import DropoutRisk
from services.alerts.rules.setback_without_plan import SetbackWithoutPlan
from services.alerts.rules.supervision_overdue import SupervisionOverdue
from shared.alliance.beside import beside
from shared.alliance.clinics import surroundings
from shared.alliance.facets import facets
from shared.alliance.history import fold
from shared.alliance.things import Clinic
from shared.clock import format_time
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alert_rules import a_step
from tests.support.events import CLIENT, CLINIC, ORGANISATION, THERAPIST
from tests.support.phases import FAR, judged, the_phase

INSTANT = timedelta(microseconds=1)
LENGTH = timedelta(minutes=50)

CHANGES = pytest.mark.parametrize(
    ("zone", "sunday"),
    [
        ("Europe/London", "2026-03-29"),
        ("Europe/London", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
    ],
    ids=["London forward", "London back", "New York forward", "New York back"],
)
"""Each day has 23 hours, or 25."""


def before(zone: str, sunday: str, days: float, hour: int = 10) -> datetime:
    """Return so many days of the clinic before the Thursday after a change, at an hour there."""
    thursday = datetime.fromisoformat(sunday).replace(hour=hour) + timedelta(days=4)
    return (thursday - timedelta(days=days)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def a_clinic(zone: str) -> Envelope:
    """Return the clinic's configuration, from before anything happened there."""
    return an.a_clinic_configured(
        timezone=zone, sends=["plan"], at=datetime(2020, 1, 1, tzinfo=UTC)
    )


def the_caseload(zone: str, *clients: list[Envelope]) -> Caseload:
    """Return the caseload that some clients make, each seen first a year before the changes."""
    around = [a_clinic(zone)]
    found = []
    for n, events in enumerate(clients):
        client = f"cl_{n}"
        seen = an.a_session_held(f"s{n}", datetime(2025, 1, 1, tzinfo=UTC), client=client)
        found += extracts(fold(ORGANISATION, client, [seen, *events], around))
    return caseload(ORGANISATION, THERAPIST, found, surroundings(ORGANISATION, around))


@CHANGES
def test_eight_weeks_of_boundary_events(zone: str, sunday: str) -> None:
    """Three kinds in exactly eight weeks are a pattern; an instant more is none."""
    last = before(zone, sunday, 0)
    for first, found in ((before(zone, sunday, 56), 1), (before(zone, sunday, 56) - INSTANT, 0)):
        events = [
            an.a_boundary_noted("a", at=first, area="time"),
            an.a_boundary_noted("b", at=before(zone, sunday, 20), area="gifts"),
            an.a_boundary_noted("c", at=last, area="place"),
        ]
        assert len(judged(BoundaryPattern(), a_clinic(zone), *events).episodes) == found


@CHANGES
def test_four_weeks_of_a_caseload(zone: str, sunday: str) -> None:
    """Exactly four weeks after one cancellation it does not count any more; just before, it does.

    It clears at that hour of the clinic, whatever the clock did meanwhile.
    """
    first, end = before(zone, sunday, 28), before(zone, sunday, 0)
    rule = CaseloadInterrupted()

    def clients(second: datetime) -> list[list[Envelope]]:
        each = [[an.a_session_cancelled(f"c{n}", at=at, by="clinic", client=f"cl_{n}")]
                for n, at in enumerate((first, second))]  # fmt: skip
        return [*each, *([] for _ in range(6))]

    assert rule.judge_caseload(the_caseload(zone, *clients(end)), {}, FAR).episodes == ()
    whole = the_caseload(zone, *clients(end - INSTANT))
    (told,) = rule.judge_caseload(whole, {}, FAR).episodes
    assert (told.effective_at, told.cleared_at) == (end - INSTANT, end)


def test_four_weeks_end_also_in_an_hour_that_was_there_twice() -> None:
    """What was called off in the hour that came twice is four weeks ago at its hour, once."""
    again = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # The second half past one in London.
    events = [
        [an.a_session_cancelled(f"c{n}", at=again, by="clinic", client=f"cl_{n}")]
        for n in range(2)
    ]
    whole = the_caseload("Europe/London", *events, *([] for _ in range(6)))
    (told,) = CaseloadInterrupted().judge_caseload(whole, {}, FAR).episodes
    assert told.cleared_at == datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@CHANGES
def test_a_year_of_boundary_events(zone: str, sunday: str) -> None:
    """Two clients within exactly so many days count together; an instant more does not."""
    rule, last = BoundaryPatternTherapist(), before(zone, sunday, 0)
    for first, found in ((before(zone, sunday, 30), 1), (before(zone, sunday, 30) - INSTANT, 0)):
        clients = [
            [an.a_boundary_noted(f"b{n}", at=at, severity=2, concerns=THERAPIST, client=f"cl_{n}")]
            for n, at in enumerate((first, last))
        ]
        whole = the_caseload(zone, *clients)
        assert len(rule.judge_caseload(whole, {"within_days": 30}, FAR).episodes) == found


@CHANGES
def test_four_weeks_between_a_lapse_and_a_decline(zone: str, sunday: str) -> None:
    """A lapse exactly four weeks before the ratings fell counts; an instant earlier, over, not.

    The alert tells of just the parts that it was made of.
    """
    fell, since = before(zone, sunday, 0), before(zone, sunday, 28)
    phase = the_phase(a_clinic(zone), an.a_session_held("s", before(zone, sunday, 60)))
    fact = phase.facts[-1]

    def part(rule: str, at: datetime, until: datetime | None = None) -> dict[str, list[Episode]]:
        step = a_step("attention", at, fact)
        return {rule: [Episode(rule, rule, at, step.known_at, until, rule, (step,))]}

    rule = DropoutRisk()
    for lapsed, found in ((since, 1), (since - INSTANT, 0)):
        parts = part("alliance-drop", fell) | part("session-gap", lapsed, fell - INSTANT)
        assert len(rule.combine(phase, parts, rule.defaults, FAR).episodes) == found
    assert of_peer("a", AllianceDrop(), fell, None, Clinic("elm", timezone=zone)).reaches == since


@CHANGES
def test_four_weeks_of_countertransference(zone: str, sunday: str) -> None:
    """Twice within exactly four weeks is told; an instant more is not."""
    last = before(zone, sunday, 0)
    for first, found in ((before(zone, sunday, 28), 1), (before(zone, sunday, 28) - INSTANT, 0)):
        notes = [
            an.an_event(
                "dynamics.noted",
                at,
                {"clinic": CLINIC, "therapist": THERAPIST, "kind": "countertransference",
                 "taken_to_supervision": False},
            )
            for at in (first, last)
        ]  # fmt: skip
        rule = CountertransferenceUnsupervised()
        assert len(judged(rule, a_clinic(zone), *notes).episodes) == found


@CHANGES
@pytest.mark.parametrize("hour", [0, 10, 23])
def test_four_weeks_to_agree_a_relapse_plan(zone: str, sunday: str, hour: int) -> None:
    """The deadline is the end of the clinic's twenty-eighth day, whatever the hour before."""
    noted, due = before(zone, sunday, 28, hour), before(zone, sunday, -1, 0)
    setback = an.an_event(
        "setback.noted",
        noted,
        {"clinic": CLINIC, "therapist": THERAPIST, "severity": "moderate"},
    )
    rule, grace = SetbackWithoutPlan(), timedelta(hours=48)
    (told,) = judged(rule, a_clinic(zone), setback).episodes
    assert told.effective_at == due
    early = judged(rule, a_clinic(zone), setback, until=due + grace - INSTANT)
    assert (early.episodes, early.due_at) == ((), due + grace)
    assert len(judged(rule, a_clinic(zone), setback, until=due + grace).episodes) == 1


def test_pauses_stop_the_days_to_a_relapse_plan() -> None:
    """A week of pause is a week more, and is listed as not counted."""
    said = {"clinic": CLINIC, "therapist": THERAPIST}
    events = [
        an.a_feed_seen("relapse_plan.agreed"),
        an.an_event("setback.noted", an.on(0), said | {"severity": "moderate"}),
        an.a_care_event("paused", an.on(3), reason="client_request"),
        an.a_care_event("resumed", an.on(10)),
    ]
    (told,) = judged(SetbackWithoutPlan(), *events).episodes
    assert told.effective_at == an.on(29 + 7, 0)
    assert sum(told.steps[0].not_counted.values()) == 1


@CHANGES
@pytest.mark.parametrize("hour", [0, 10, 23])
def test_four_weeks_without_supervision(zone: str, sunday: str, hour: int) -> None:
    """The deadline is the end of the clinic's twenty-eighth day after the last supervision."""
    held, due = before(zone, sunday, 28, hour), before(zone, sunday, -1, 0)
    said = {"clinic": CLINIC, "therapist": THERAPIST, "topics": ["alliance"]}
    supervision = an.an_event("supervision.held", held, said, client="cl_0")
    whole = the_caseload(zone, [supervision])
    (*_, told) = SupervisionOverdue().judge_caseload(whole, {}, FAR).episodes
    assert told.effective_at == due


def test_clinics_with_one_clock_have_one_calendar() -> None:
    """A caseload in two clinics is counted by their clock where they share it, else in UTC."""
    for second, zone in (("Europe/London", "Europe/London"), ("America/New_York", "UTC")):
        around = [
            an.a_clinic_configured("elm", timezone="Europe/London"),
            an.a_clinic_configured("oak", timezone=second),
        ]
        found = []
        for client, clinic in (("cl_0", "elm"), ("cl_1", "oak")):
            seen = an.a_session_held("s", an.on(0), client=client, clinic=clinic)
            found += extracts(fold(ORGANISATION, client, [seen], around))
        whole = caseload(ORGANISATION, THERAPIST, found, surroundings(ORGANISATION, around))
        assert whole.calendar.timezone == zone


@CHANGES
def test_eight_weeks_of_a_facet(zone: str, sunday: str) -> None:
    """A rating of exactly eight weeks ago gives a level; an instant older, only a course.

    Each four weeks of the course end at the same hour of the clinic.
    """
    last, edge = before(zone, sunday, 0), before(zone, sunday, 56)
    for at, known in ((edge, True), (edge - INSTANT, False)):
        rated = an.a_rating(None, at=at, items={"1": 9, "2": 9, "3": 9, "4": 9})
        told = [a_clinic(zone), rated, an.a_session_held("s", last - LENGTH)]
        history = fold(ORGANISATION, CLIENT, told, told)
        trust = facets(history, last)["trust"]
        assert (trust["level"] is not None) is known
        (step,) = trust["course"]
        assert step["until"] == format_time(edge)


@CHANGES
def test_four_weeks_of_support_after_a_setback(zone: str, sunday: str) -> None:
    """Who is reached exactly four weeks after a setback was supported; an instant later is not."""
    end = before(zone, sunday, 0)
    said = {"clinic": CLINIC, "therapist": THERAPIST}
    for at, found in ((end, 1), (end + INSTANT, 0)):
        phase = the_phase(
            a_clinic(zone),
            an.an_event("setback.noted", before(zone, sunday, 28), said | {"severity": "mild"}),
            an.an_event("contact.attempted", at, said | {"by": "therapist", "reached": True}),
        )
        assert len(beside([phase]).get("support", [])) == found
