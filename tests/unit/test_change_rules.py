"""Drops, ruptures, divergence, deterioration, setbacks: each at its threshold, and just under."""

import pytest

from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.countertransference_unsupervised import CountertransferenceUnsupervised
from services.alerts.rules.rater_divergence import RaterDivergence
from services.alerts.rules.reliable_deterioration import ReliableDeterioration
from services.alerts.rules.rupture_unrepaired import RuptureUnrepaired
from services.alerts.rules.setback_without_plan import SetbackWithoutPlan
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLINIC, THERAPIST, on
from tests.support.phases import judged, ratings, urgencies, weekly

STEADY = (36, 36.9, 36, 36.9, 36)
"""σ̂ = 0.9 ÷ 1.128: three of them are 2.394 points, less than a tenth of the scale."""

VARIED = (36, 38, 36, 38, 36)
"""σ̂ = 2 ÷ 1.128: three of them are 5.32 points, more than a tenth of the scale."""


def scores(*totals: float, instrument: str = "phq-9") -> list[Envelope]:
    """Return one outcome score a week."""
    return ratings(*totals, instrument=instrument)


def both(*sides: tuple[int, int]) -> list[Envelope]:
    """Return weekly sessions rated by the client and by the therapist, totals of 12 to 60."""
    made: list[Envelope] = []
    for week, (client, therapist) in enumerate(sides):
        about = {"at": on(week * 7, 12), "session": f"s{week}", "scored_as": "sum"}
        made.append(an.a_rating(client, instrument="wai-sr", **about))  # type: ignore[arg-type]
        made.append(
            an.a_rating(therapist, instrument="wai-sr-t", rater="therapist", **about)  # type: ignore[arg-type]
        )
    return made


def noted(what: str, day: float, **data: object) -> Envelope:
    """Return something that the therapist noted."""
    return an.an_event(what, on(day), {"clinic": CLINIC, "therapist": THERAPIST, **data})


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ((*STEADY, 32), [["attention"]]),
        ((*STEADY, 32.1), [["information"]]),
        ((*VARIED, 30.6), [["information", "attention"]]),
        ((*VARIED, 30.7), [["information"]]),
        ((*STEADY, 35.1), []),
        ((37, 36), [["information"]]),
        ((37, 36.1), []),
        ((36,), []),
        ((), []),
        ((40, 40, 40, 40, 40, 36), [["attention"]]),
        ((40, 40, 40, 40, 40, 36.1), [["information"]]),
        ((40, 40, 40, 40, 20), [["information"]]),
        ((40, 20), [["information"]]),
    ],
)
def test_a_drop_counts_against_the_clients_own_variation(
    totals: tuple[float, ...], expected: list[list[str]]
) -> None:
    """3 σ̂ below the median of the three before, and a tenth of the scale; if flat, that alone."""
    assert urgencies(judged(AllianceDrop(), *ratings(*totals), _anchor()).episodes) == expected


def test_without_a_least_fall_a_flat_course_is_not_analysable() -> None:
    """Where a clinic asks for no tenth of the scale, nothing is said of who rated evenly."""
    even = ratings(40, 40, 40, 40, 40, 40, 39.9)
    assert judged(AllianceDrop(), *even, fall_percent=0).episodes == ()


def test_a_drop_clears_by_two_ratings_without_one() -> None:
    """One rating that came back is not enough."""
    once = judged(AllianceDrop(), *ratings(*STEADY, 30, 36)).episodes
    twice = judged(AllianceDrop(), *ratings(*STEADY, 30, 36, 36)).episodes
    assert [one.cleared_at for one in once] == [None]
    assert [one.cleared_at for one in twice] == [on(49, 11)]


@pytest.mark.parametrize(
    ("outcomes", "more", "expected"),
    [
        (("held", "held", "held", "held"), [], [["attention"]]),
        (("held", "held", "held", "cancelled:client"), [], []),
        (("held",) * 4, [an.a_rupture_repaired("r1", at=on(20), resolution=3)], []),
        (("held",) * 4, [an.a_rupture_repaired("r1", at=on(20), resolution=2)], [["attention"]]),
        (("held",) * 4, [an.a_rupture_noted("r1", at=on(15))], []),
    ],
)
def test_a_rupture_has_three_sessions_after_its_own(
    outcomes: tuple[str, ...], more: list[Envelope], expected: list[list[str]]
) -> None:
    """The session in which it was noted does not count; a repair counts from 3 of 5."""
    told = judged(
        RuptureUnrepaired(), *weekly(*outcomes), an.a_rupture_noted("r1", at=on(0, 10.5)), *more
    )
    assert urgencies(told.episodes) == expected


def test_a_late_repair_clears() -> None:
    """What was told is over when the repair is recorded."""
    repair = an.a_rupture_repaired("r1", at=on(40), resolution=4)
    (told,) = judged(
        RuptureUnrepaired(), *weekly(*["held"] * 5), an.a_rupture_noted("r1", at=on(0)), repair
    ).episodes
    assert told.cleared_at == on(40)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([(40, 54), (40, 54), (40, 54)], [["attention"]]),
        ([(40, 54), (40, 54)], []),
        ([(45, 55), (45, 55), (45, 55)], [["attention"]]),
        ([(45, 54), (45, 54), (45, 54)], []),
        ([(46, 60), (46, 60), (46, 60)], []),
        ([(40, 54), (50, 54), (40, 54), (40, 54)], []),
        ([(54, 40)] * 3, []),
    ],
)
def test_divergence_is_high_and_low_and_sustained(
    sides: list[tuple[int, int]], expected: list[list[str]]
) -> None:
    """Ten of 48 points are above 20 %, nine are not; a client above 70 % is not low."""
    assert urgencies(judged(RaterDivergence(), *both(*sides)).episodes) == expected


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ((9, 15), [["attention"]]),
        ((9, 14), []),
        ((9, 12, 15, 9, 9), [["attention"]]),
        ((15, 9), []),
        ((9,), []),
    ],
)
def test_deterioration_is_reliable(totals: tuple[float, ...], expected: list[list[str]]) -> None:
    """Six points worse than the first on the PHQ-9, not five."""
    assert urgencies(judged(ReliableDeterioration(), *scores(*totals)).episodes) == expected


def test_without_a_reliable_change_nothing_is_said() -> None:
    """The BDI-II has none here: not analysable, however far it fell."""
    told = judged(ReliableDeterioration(), *scores(5, 60, instrument="bdi-2"))
    assert told.episodes == ()


@pytest.mark.parametrize(
    ("severity", "planned_on", "expected"),
    [
        ("moderate", None, [["attention"]]),
        ("mild", None, [["information"]]),
        ("severe", 28, []),
        ("severe", 32, [["attention"]]),
        ("severe", 29, []),
    ],
)
def test_a_plan_is_due_four_weeks_after_a_setback(
    severity: str, planned_on: float | None, expected: list[list[str]]
) -> None:
    """A plan of the 28th day is in time; one within the 48 hours of grace was entered late.

    Where relapse plans are never sent, none is missed.
    """
    events = [noted("setback.noted", 0, severity=severity)]
    if planned_on is not None:
        events.append(noted("relapse_plan.agreed", planned_on, agreed_by=["client", "therapist"]))
    sent = an.a_feed_seen("relapse_plan.agreed")
    told = judged(SetbackWithoutPlan(), sent, *events).episodes
    assert urgencies(told) == expected
    if expected and planned_on is not None:
        assert told[0].cleared_at == on(planned_on)
    elif planned_on is None:
        assert judged(SetbackWithoutPlan(), *events).episodes == (), "plans are never sent"


@pytest.mark.parametrize(
    ("days", "supervised_on", "expected"),
    [
        ((0, 28), None, [["attention"]]),
        ((0, 28.1), None, []),
        ((0,), None, []),
        ((0, 14), 7, []),
    ],
)
def test_two_notes_in_four_weeks(
    days: tuple[float, ...], supervised_on: float | None, expected: list[list[str]]
) -> None:
    """Within 28 days to the hour; supervision on it in between begins anew."""
    kind = {"kind": "countertransference", "taken_to_supervision": False}
    events = [noted("dynamics.noted", day, **kind) for day in days]
    if supervised_on is not None:
        events.append(noted("dynamics.noted", supervised_on,
                            kind="countertransference", taken_to_supervision=True))  # fmt: skip
    assert urgencies(judged(CountertransferenceUnsupervised(), *events).episodes) == expected


def test_four_weeks_are_the_clinics_own() -> None:
    """Two notes at the same hour are four weeks apart, also where the clock was set back."""
    kind = {"kind": "countertransference", "taken_to_supervision": False}
    clinic, autumn = an.a_clinic_configured(), 273 + 9 / 24 - 10 / 24
    for later, told in ((28 + 1 / 24, 1), (28 + 1.1 / 24, 0)):
        notes = [noted("dynamics.noted", autumn + day, **kind) for day in (0, later)]
        rule = CountertransferenceUnsupervised()
        assert len(judged(rule, clinic, *notes).episodes) == told


def _anchor() -> Envelope:
    """Return something that makes a phase even where nothing was rated."""
    return an.a_session_scheduled("anchor", on(3))


def on_the_arm(client: float, therapist: float) -> list[Envelope]:
    """Return three weekly sessions rated by both on the ARM-5, means of 1 to 7."""
    made = []
    for week in range(3):
        about = {"instrument": "arm-5", "at": on(week * 7, 12), "session": f"s{week}"}
        made.append(an.a_rating(client, **about))  # type: ignore[arg-type]
        made.append(an.a_rating(therapist, rater="therapist", **about))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("client", "therapist", "expected"),
    [
        (4.6, 5.8, [["attention"]]),
        (4.8, 5.8, []),
        (5.0, 6.2, [["attention"]]),
        (4.2, 5.4, [["attention"]]),
        (5.2, 6.4, [["attention"]]),
    ],
)
def test_exactly_twenty_percent_apart(
    client: float, therapist: float, expected: list[list[str]]
) -> None:
    """1.2 of the ARM-5's 6 points are a fifth, whatever floats make of thirds."""
    told = judged(RaterDivergence(), *on_the_arm(client, therapist), client_below_percent=80)
    assert urgencies(told.episodes) == expected
