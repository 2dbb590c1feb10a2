"""Boundary events of several kinds, and about confidentiality: thresholds, ends, exclusions."""

import pytest

from services.alerts.rules.boundary_pattern import BoundaryPattern
from services.alerts.rules.confidentiality_breach import ConfidentialityBreach
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged, urgencies


def noted(*areas: str, every: float = 14) -> list[Envelope]:
    """Return boundary events of these areas, one each fortnight unless said."""
    return [
        an.a_boundary_noted(f"b{n}", at=on(n * every), area=area) for n, area in enumerate(areas)
    ]


@pytest.mark.parametrize(
    ("areas", "every", "expected"),
    [
        (("time", "gifts", "place"), 14, [["attention"]]),
        (("time", "gifts", "gifts"), 14, []),
        (("time", "gifts"), 14, []),
        (("time", "gifts", "place"), 28, [["attention"]]),
        (("time", "gifts", "place"), 28.1, []),
        ((), 14, []),
    ],
)
def test_three_kinds_within_eight_weeks(
    areas: tuple[str, ...], every: float, expected: list[list[str]]
) -> None:
    """Two kinds are no pattern, however often; exactly eight weeks are within."""
    events = noted(*areas, every=every) or [an.a_session_scheduled()]
    assert urgencies(judged(BoundaryPattern(), *events).episodes) == expected


@pytest.mark.parametrize(
    ("outcome", "expected"), [("not_a_boundary_matter", 0), ("merged", 0), ("not_upheld", 1)]
)
def test_what_was_none_after_all_does_not_count(outcome: str, expected: int) -> None:
    """What turned out to be no boundary matter, or the same one, was never part of a pattern."""
    end = an.a_boundary_step("closed", "b1", at=on(60), outcome=outcome, merged_into="b0")
    found = judged(BoundaryPattern(), *noted("time", "gifts", "place"), end).episodes
    assert len(found) == expected


def test_a_pattern_clears_when_fewer_are_open() -> None:
    """One of three closed is enough; of four, two."""
    three = noted("time", "gifts", "place")
    one = an.a_boundary_step("closed", "b0", at=on(40))
    (told,) = judged(BoundaryPattern(), *three, one).episodes
    assert told.cleared_at == on(40)
    assert len(told.steps[0].evidence) == 3


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(None, [["attention"]]), (0, [["attention"]]), (2, [["attention"]]), (3, [["urgent"]])],
)
def test_confidentiality_is_told_whatever_its_severity(
    severity: int | None, expected: list[list[str]]
) -> None:
    """At once; urgent from severity 3."""
    event = an.a_boundary_noted(area="confidentiality", severity=severity)
    assert urgencies(judged(ConfidentialityBreach(), event).episodes) == expected


def test_confidentiality_rises_with_its_assessment_and_ends_with_the_matter() -> None:
    """Assessed at 4 it is urgent; closed it clears; reopened it is told anew."""
    life = [
        an.a_boundary_noted(at=on(0), area="confidentiality", severity=1),
        an.a_boundary_assessed(at=on(1), severity=4),
        an.a_boundary_step("closed", at=on(10)),
        an.a_boundary_step("reopened", at=on(20)),
    ]
    first, second = judged(ConfidentialityBreach(), *life).episodes
    assert [step.urgency for step in first.steps] == ["attention", "urgent"]
    assert (first.cleared_at, second.effective_at) == (on(10), on(20))
    assert judged(ConfidentialityBreach(), an.a_boundary_noted(area="time")).episodes == ()
