"""Boundary events and risk items: each threshold exactly at it and just under."""

from datetime import timedelta

import pytest

from services.alerts.rules.boundary_serious import BoundarySerious
from services.alerts.rules.boundary_unassessed import BoundaryUnassessed
from services.alerts.rules.risk_item import RiskItem
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged, urgencies

SERIOUS, UNASSESSED, RISK = BoundarySerious(), BoundaryUnassessed(), RiskItem()
INSTANT = timedelta(microseconds=1)
NOTED = on(8)
"""Tuesday 13 January 2026."""


# boundary-serious -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("severity", "expected"),
    [(None, []), (2, []), (3, [["attention"]]), (4, [["urgent"]])],
)
def test_serious_is_told_at_once(severity: int | None, expected: list[list[str]]) -> None:
    """Noted or assessed at 3 is attention, at 4 urgent, at the moment itself and without grace."""
    noted = an.a_boundary_noted(at=NOTED, severity=severity)
    assert urgencies(judged(SERIOUS, noted, until=NOTED).episodes) == expected
    if severity is not None:
        light = an.a_boundary_noted(at=NOTED, severity=1)
        assessed = an.a_boundary_assessed(at=on(9), severity=severity)
        found = judged(SERIOUS, light, assessed, until=on(9)).episodes
        assert urgencies(found) == expected
        assert [episode.effective_at for episode in found] == [on(9)] * len(expected)


def test_it_rises_with_the_assessment_and_clears_when_closed() -> None:
    """3 then 4 escalates; a milder assessment clears nothing, closing does."""
    life = [
        an.a_boundary_noted(at=NOTED, severity=3),
        an.a_boundary_assessed(at=on(9), severity=4),
        an.a_boundary_assessed(at=on(10), severity=1),
    ]
    (episode,) = judged(SERIOUS, *life).episodes
    assert (urgencies([episode]), episode.cleared_at) == ([["attention", "urgent"]], None)
    closed = an.a_boundary_step("closed", at=on(11))
    (ended,) = judged(SERIOUS, *life, closed).episodes
    assert ended.cleared_at == on(11)
    again = [
        an.a_boundary_assessed(at=on(12), severity=3),
        an.a_boundary_step("reopened", at=on(13)),
    ]
    first, second = judged(SERIOUS, *life, closed, *again).episodes
    assert (first.cleared_at, second.effective_at) == (on(11), on(12))


def test_a_second_serious_event_tells_again() -> None:
    """While one is open, another of the same severity makes a step; both must be closed."""
    life = [
        an.a_boundary_noted("b1", at=on(8), severity=4),
        an.a_boundary_noted("b2", at=on(9), severity=3),
        an.a_boundary_step("closed", "b1", at=on(10)),
    ]
    (episode,) = judged(SERIOUS, *life).episodes
    assert urgencies([episode]) == [["urgent", "urgent"]]
    assert episode.cleared_at is None
    (ended,) = judged(SERIOUS, *life, an.a_boundary_step("closed", "b2", at=on(11))).episodes
    assert ended.cleared_at == on(11)


def test_the_end_of_care_closes_no_boundary_event() -> None:
    """Care that ended leaves a serious boundary event open."""
    life = [an.a_boundary_noted(at=NOTED, severity=4), an.a_care_event("ended", on(20))]
    for rule in (SERIOUS, UNASSESSED):
        (episode,) = judged(rule, *life).episodes
        assert episode.cleared_at is None


def test_whom_it_concerns_is_in_no_text() -> None:
    """Neither the person nor the word appears in title, explanation, numbers or steps to take."""
    life = [an.a_boundary_noted(at=NOTED, severity=4, concerns="th_secret")]
    for rule in (SERIOUS, UNASSESSED):
        (episode,) = judged(rule, *life).episodes
        for step in episode.steps:
            text = (
                f"{episode.title} {step.explanation} {step.numbers} {step.not_counted} {step.key}"
            )
            assert "secret" not in text
            assert "concern" not in text


# boundary-unassessed ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("severity", "due", "urgency"),
    [
        (None, on(16, 0), "attention"),
        (2, on(16, 0), "attention"),
        (3, on(11, 0), "urgent"),
        (4, on(9, 0), "urgent"),
    ],
)
def test_unassessed_opens_at_its_deadline(severity: int | None, due: object, urgency: str) -> None:
    """Five working days for 2 or none, two for 3, the end of the day for 4; no grace."""
    noted = an.a_boundary_noted(at=NOTED, severity=severity)
    (episode,) = judged(UNASSESSED, noted).episodes
    assert (episode.effective_at, episode.known_at) == (due, due)
    assert (urgencies([episode]), episode.cleared_at) == ([[urgency]], None)
    waiting = judged(UNASSESSED, noted, until=episode.effective_at - INSTANT)
    assert (waiting.episodes, waiting.due_at) == ((), due)
    assert len(judged(UNASSESSED, noted, until=episode.effective_at).episodes) == 1
    for at, found in ((episode.effective_at, 0), (episode.effective_at + INSTANT, 1)):
        assessed = an.a_boundary_assessed(at=at, severity=0)
        assert len(judged(UNASSESSED, noted, assessed).episodes) == found


@pytest.mark.parametrize("severity", [0, 1])
def test_a_minor_event_has_no_deadline(severity: int) -> None:
    """Severity 0 and 1 go to supervision; nothing falls due."""
    verdict = judged(UNASSESSED, an.a_boundary_noted(at=NOTED, severity=severity))
    assert (verdict.episodes, verdict.due_at) == ((), None)


def test_assessing_or_closing_clears_it() -> None:
    """A late assessment, or closing it without one, ends the episode."""
    noted = an.a_boundary_noted(at=NOTED, severity=4)
    for late in (an.a_boundary_assessed(at=on(20)), an.a_boundary_step("closed", at=on(20))):
        (episode,) = judged(UNASSESSED, noted, late).episodes
        assert episode.cleared_at == on(20)


def test_an_assessment_entered_with_an_earlier_hour_counts() -> None:
    """Where only the day of an assessment is known, it may seem to come before the note."""
    noted = an.a_boundary_noted("b1", at=on(1, 12), severity=4)
    assessed = an.a_boundary_assessed("b1", at=on(1, 9), severity=4)
    assert judged(BoundaryUnassessed(), noted, assessed).episodes == ()


def test_the_deadline_is_the_clinics_own() -> None:
    """Zone, working days, holidays and closures of the clinic decide when it is due."""
    noted = an.a_boundary_noted(at=on(8, 12, 30), severity=3)
    around = [
        an.a_clinic_configured(timezone="Pacific/Auckland", holidays=["2026-01-15"]),
        an.a_clinic_closed("2026-01-16", "2026-01-16"),
    ]
    # In Auckland it is Wednesday 14 already; 15 is a holiday, 16 closed, then a weekend.
    (episode,) = judged(UNASSESSED, noted, *around).episodes
    assert episode.effective_at == on(15, 11)


def test_a_step_of_an_event_never_noted_has_no_deadline() -> None:
    """Where only later steps have arrived, nothing falls due."""
    assert judged(UNASSESSED, an.a_boundary_assessed(at=on(9), severity=4)).due_at is None


# risk-item --------------------------------------------------------------------------------------
def answers(*values: float | None, item: str = "9", instrument: str = "phq-9") -> list[Envelope]:
    """Return one rating a week with nothing but its risk item."""
    return [
        an.a_rating(None, at=on(n * 7), instrument=instrument, items={item: value})
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0,), []),
        ((None,), []),
        ((1,), [["information"]]),
        ((2,), [["attention"]]),
        ((3,), [["urgent"]]),
        ((0, 1), [["information"]]),
        # A rise of two is urgent, a rise of one is what its value is.
        ((0, 2), [["urgent"]]),
        ((1, 2), [["information", "attention"]]),
        ((1, 3), [["information", "urgent"]]),
        ((2, 3), [["attention", "urgent"]]),
        # The same again says nothing new; a lower one is new once, a higher one tells again.
        ((3, 3, 3), [["urgent"]]),
        ((3, 2), [["urgent", "urgent"]]),
        ((3, 1), [["urgent"]]),
        ((3, 1, 3), [["urgent", "urgent"]]),
        ((2, 3, 2, 3), [["attention", "urgent", "urgent"]]),
        # A 0 clears; what follows is a new episode.
        ((3, 0, 1), [["urgent"], ["information"]]),
        # A null is no answer: it clears nothing.
        ((2, None, 2), [["attention"]]),
    ],
)
def test_risk_steps(values: tuple[float | None, ...], expected: list[list[str]]) -> None:
    """1 is information, 2 attention, 3 or a rise of 2 urgent; higher answers tell again."""
    assert urgencies(judged(RISK, *answers(*values)).episodes) == expected


def test_keys_differ_when_told_again() -> None:
    """Every step that tells again has a key of its own."""
    (episode,) = judged(RISK, *answers(3, 2, 3)).episodes
    assert [step.key for step in episode.steps] == [
        "urgent:phq-9.9:3", "attention:phq-9.9:2", "urgent:phq-9.9:3#2",
    ]  # fmt: skip


def test_a_zero_clears_its_own_item_only() -> None:
    """Two instruments with a risk item are one episode; both must come back to 0."""
    life = [
        *answers(2),
        an.a_rating(None, at=on(3), instrument="core-10", items={"6": 3}),
        an.a_rating(None, at=on(8), instrument="phq-9", items={"9": 0}),
    ]
    (episode,) = judged(RISK, *life).episodes
    assert (urgencies([episode]), episode.cleared_at) == ([["attention", "urgent"]], None)
    last = an.a_rating(None, at=on(9), instrument="core-10", items={"6": 0})
    (ended,) = judged(RISK, *life, last).episodes
    assert ended.cleared_at == on(9)


def test_risk_to_others_is_said_to_be_that() -> None:
    """CORE-OM asks about harm to oneself and to others, which call for different next steps."""
    for item, words in (
        ("9", "Item 9 of core-om was"),
        ("22", "Item 22 of core-om, about risk to others, was"),
    ):
        rating = an.a_rating(None, at=on(1), instrument="core-om", items={item: 2})
        (episode,) = judged(RISK, rating).episodes
        assert urgencies([episode]) == [["attention"]]
        assert episode.steps[0].explanation.startswith(f"{words} answered with 2 of 4.")
    assert any("risk to others" in step for step in RISK.next_steps)


def test_a_lone_total_says_nothing_about_risk() -> None:
    """Not seen is not 0: a total neither opens nor clears."""
    total = an.a_rating(27, at=on(3), instrument="phq-9")
    assert judged(RISK, total).episodes == ()
    (episode,) = judged(RISK, *answers(2), total).episodes
    assert episode.cleared_at is None


def test_a_correction_voids_a_risk_answer() -> None:
    """A wrongly entered 3 that is corrected to 0 has never been."""
    (wrong,) = answers(3)
    assert judged(RISK, wrong, an.a_correction(wrong, items={"9": 0})).episodes == ()


@pytest.mark.parametrize("swapped", [False, True])
def test_opaque_ids_decide_nothing(swapped: bool) -> None:
    """Two respondents at one moment take the same steps, whichever ids the registry gave them."""
    low, high = ("pe_b", "pe_a") if swapped else ("pe_a", "pe_b")
    told = [
        an.a_rating(None, id="1", instrument="phq-9", respondent=low, items={"9": 2}),
        an.a_rating(None, id="2", instrument="phq-9", respondent=high, items={"9": 3}),
    ]
    (episode,) = judged(RISK, *told).episodes
    assert urgencies([episode]) == [["attention", "urgent"]]


def test_it_says_that_rapport_is_no_crisis_service() -> None:
    """The steps to take say so, whatever else they say."""
    assert any("not a crisis service" in step for step in RISK.next_steps)


def test_all_risk_items_of_a_form_are_named_together() -> None:
    """Several steps that come at once are told as one: it names every item above zero."""
    items = {str(number): 0 for number in range(1, 35)} | {"6": 3, "9": 2, "22": 1, "34": 1}
    form = an.a_rating(None, at=on(1), instrument="core-om", items=items)
    (episode,) = judged(RISK, form).episodes
    told = {step.numbers["item"]: step.explanation for step in episode.steps}
    assert told["6"] == (
        "Item 6 of core-om, about risk to others, was answered with 3 of 4. It was not seen "
        "before. In the same form: item 9 with 2, item 22, about risk to others, with 1 and item "
        "34 with 1."
    )
    assert episode.steps[-1].numbers["item"] == "6"
    alone = an.a_rating(None, at=on(1), instrument="phq-9", items={"9": 1})
    (one,) = judged(RISK, alone).episodes
    assert "In the same form" not in one.steps[0].explanation


def test_one_item_that_clears_and_another_that_rises_are_one_episode() -> None:
    """In one form: risk has moved, and has not gone."""
    none = {str(number): 0 for number in range(1, 35)}
    first = an.a_rating(None, at=on(1), instrument="core-om", items=none | {"9": 2})
    then = an.a_rating(None, at=on(8), instrument="core-om", items=none | {"34": 2})
    (episode,) = judged(RISK, first, then).episodes
    assert episode.cleared_at is None
    assert [step.numbers["item"] for step in episode.steps] == ["9", "34"]
