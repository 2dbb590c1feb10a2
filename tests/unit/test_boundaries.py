"""The life of boundary events: state, deadline, patterns, and what an entry depends on."""

from datetime import datetime, timedelta

import pytest

from services.alerts.rules.boundary_unassessed import BoundaryUnassessed
from shared.alliance.boundaries import Entry, deadline, patterns, register, state_of
from shared.alliance.clinics import surroundings
from shared.alliance.matters import UNKNOWN, matters
from shared.alliance.things import Clinic
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.phases import judged, the_phase

EVE = "th_eve"
INSTANT = timedelta(microseconds=1)
ELM = Clinic(an.CLINIC)


def entries(*told: Envelope, around: tuple[Envelope, ...] = ()) -> dict[str, Entry]:
    """Return the register of one client by the senders' references."""
    said = surroundings(an.ORGANISATION, around)
    found = register(an.ORGANISATION, an.CLIENT, told, matters(told), said)
    return {one.event.ref: one for one in found}


def due(*told: Envelope) -> datetime | None:
    """Return when the assessment of the only boundary event is due."""
    (one,) = entries(*told).values()
    found = deadline(one.event, ELM)
    return None if found is None else found.due_at


def test_a_life_goes_from_noted_to_closed_and_back() -> None:
    """Each step moves the state; reopened, it is where it was before it was closed."""
    steps = [
        (an.a_boundary_noted(at=an.on(1)), "noted"),
        (an.a_boundary_assessed(at=an.on(2)), "assessed"),
        (an.a_boundary_step("acted_on", at=an.on(3)), "acted_on"),
        (an.a_boundary_step("closed", at=an.on(4)), "closed"),
        (an.a_boundary_step("reopened", at=an.on(5)), "acted_on"),
    ]
    told: list[Envelope] = []
    for envelope, state in steps:
        told.append(envelope)
        assert state_of(entries(*told)["b1"].event) == state


@pytest.mark.parametrize(
    ("severity", "at"), [(0, None), (1, None), (None, 15), (2, 15), (3, 10), (4, 8)]
)
def test_the_deadline_follows_the_severity(severity: int | None, at: int | None) -> None:
    """Noted on Tuesday the 13th: none, five working days, two, the end of the day."""
    found = due(an.a_boundary_noted(at=an.on(8), severity=severity))
    assert found == (None if at is None else an.on(at + 1, 0))


def test_the_deadline_knows_zone_holidays_and_closures() -> None:
    """The end of a working day is the clinic's own."""
    around = (
        an.a_clinic_configured(timezone="Pacific/Auckland", holidays=["2026-01-15"]),
        an.a_clinic_closed("2026-01-16", "2026-01-16"),
    )
    one = entries(an.a_boundary_noted(at=an.on(8), severity=3), around=around)["b1"]
    assert one.deadline is not None
    # Wednesday and Monday are worked; the thirteen hours of New Zealand's summer lie ahead of UTC.
    assert one.deadline.due_at == an.on(14, 11)


def test_noted_again_the_earliest_deadline_holds() -> None:
    """A graver report shortens it, a milder one does not stretch it; afterwards none counts."""
    first = an.a_boundary_noted(at=an.on(8), severity=1)
    graver = an.a_boundary_noted(at=an.on(9), severity=4)
    milder = an.a_boundary_noted(at=an.on(9), severity=2)
    assert due(first, graver) == an.on(10, 0)
    assert due(graver, an.a_boundary_noted(at=an.on(9, 11), severity=0)) == an.on(10, 0)
    assert due(an.a_boundary_noted(at=an.on(8), severity=3), milder) == an.on(11, 0)
    assert due(first, an.a_boundary_assessed(at=an.on(8, 12)), graver) is None


@pytest.mark.parametrize("severity", [None, 2, 3, 4])
def test_rule_and_register_count_the_days_of_the_clinic_that_noted(severity: int | None) -> None:
    """Where the client is in care in another clinic too, both say the same day and moment.

    Noted on a Tuesday where nobody works on Wednesdays and the clock is five hours behind.
    """
    told = (
        an.a_session_held(at=an.on(1), clinic="oak"),
        an.a_boundary_noted(at=an.on(8), severity=severity),
        an.a_boundary_assessed(at=an.on(40), clinic="oak"),
        an.a_session_held("s2", an.on(41), clinic="oak"),
    )
    around = (
        an.a_clinic_configured("oak"),
        an.a_clinic_configured(
            timezone="America/New_York", working_days=["mon", "tue", "thu", "fri"]
        ),
    )
    phase = the_phase(*told, *around)
    assert phase.clinic.ref == "oak"
    (episode,) = judged(BoundaryUnassessed(), *told, *around).episodes
    (one,) = entries(*told, around=around).values()
    assert one.deadline is not None
    assert one.deadline.due_at == episode.effective_at
    assert one.deadline.due_on.isoformat() == {3: "2026-01-16", 4: "2026-01-13"}.get(
        severity or 2, "2026-01-22"
    )


def test_settled_at_the_deadline_is_in_time() -> None:
    """An instant later it is late."""
    noted = an.a_boundary_noted(at=an.on(8), severity=4)
    for at, late in ((an.on(9, 0), False), (an.on(9, 0) + INSTANT, True)):
        (one,) = entries(noted, an.a_boundary_assessed(at=at)).values()
        assert one.deadline is not None
        assert one.deadline.missed is late


def test_three_kinds_in_eight_weeks_are_a_pattern() -> None:
    """Exactly eight weeks are within; an instant more, a third of a known kind, or merged, not."""
    areas = ("time", "gifts", "money")
    for last, area, found in (
        (timedelta(weeks=8), "money", 1),
        (timedelta(weeks=8) + INSTANT, "money", 0),
        (timedelta(weeks=8), "gifts", 0),
    ):
        times = (an.on(1), an.on(2), an.on(1) + last)
        told = [
            an.a_boundary_noted(f"b{n}", at=at, area=what)
            for n, (at, what) in enumerate(zip(times, (*areas[:2], area), strict=True))
        ]
        events = [one.event for one in entries(*told).values()]
        assert len(list(patterns(events, Clinic))) == found
        gone = an.a_boundary_step("closed", "b0", at=an.on(70), outcome="not_a_boundary_matter")
        assert list(patterns([one.event for one in entries(*told, gone).values()], Clinic)) == []


def test_only_assessed_it_is_there_and_concerns_nobody_knows_whom() -> None:
    """Without a note it has a state and no deadline; its therapist is presumed to be concerned."""
    assessed = an.a_boundary_assessed("b9")
    one = entries(assessed)["b9"]
    assert (state_of(one.event), one.deadline, one.concerned) == ("assessed", None, None)
    assert matters([assessed]).people([assessed.id]) == {an.THERAPIST, UNKNOWN}


def test_noted_twice_it_concerns_both() -> None:
    """Whom either note names, and whom a correction names, are concerned for good."""
    first = an.a_boundary_noted(at=an.on(1), concerns=EVE)
    second = an.a_boundary_noted(at=an.on(2), concerns="th_ada")
    corrected = an.a_correction(second, concerns="th_bob")
    assert entries(first, second, corrected)["b1"].concerned == frozenset(
        {EVE, "th_ada", "th_bob"}
    )


def test_a_circle_of_mergers_is_one_matter() -> None:
    """Both are closed, name each other, and are kept from everybody whom either concerns."""
    found = entries(
        an.a_boundary_noted("b1", at=an.on(1), concerns=EVE),
        an.a_boundary_noted("b2", at=an.on(1), concerns="th_ada"),
        an.a_boundary_step("closed", "b1", at=an.on(2), outcome="merged", merged_into="b2"),
        an.a_boundary_step("closed", "b2", at=an.on(3), outcome="merged", merged_into="b1"),
    )
    for one, other in (("b1", "b2"), ("b2", "b1")):
        assert found[one].concerned == frozenset({EVE, "th_ada"})
        assert found[one].merged == (found[other].id,)
        assert state_of(found[one].event) == "closed"


def test_an_entry_depends_on_its_own_matter_alone() -> None:
    """Whatever else is noted of the client, elsewhere or by others, it says the same."""
    own = (an.a_session_held(), an.a_boundary_noted("b1", severity=3))
    other = an.a_boundary_noted("b2", at=an.on(1), clinic="oak", therapist=EVE, concerns=EVE)
    alone = entries(*own)["b1"]
    assert entries(*own, other, an.a_boundary_assessed("b2", at=an.on(2)))["b1"] == alone
