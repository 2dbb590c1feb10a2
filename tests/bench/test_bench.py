"""The benchmark itself: it runs on sizes so small that its figures mean nothing."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.bench import Bench
from tests.bench.findings import Row, Target
from tests.bench.groups import GROUPS
from tests.bench.measuring import interleaved, measured, ratio
from tests.bench.sizes import TINY
from tests.bench.tables import WIDTH, draw


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_of_rows_can_be_measured(name: str, tmp_path: Path) -> None:
    """Every group finds rows on what one laptop has by itself, and all of them can be drawn."""
    findings = GROUPS[name](Bench(TINY, tmp_path, None, lambda _: None))
    assert findings.rows
    drawn = StringIO()
    draw(Console(file=drawn, width=WIDTH), {}, {name: findings})
    text = drawn.getvalue()
    assert all(row.what in text for row in findings.rows)


def test_sides_take_turns_in_both_orders() -> None:
    """Every side is measured once per repeat, and none is always the first."""
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) for name in ("a", "b", "c")}
    interleaved(sides, 2)
    assert order == ["a", "b", "c", "c", "b", "a"]


def test_a_ratio_is_taken_repeat_by_repeat() -> None:
    """A machine that is slower for a while moves both sides, and not the ratio."""
    found = ratio(measured([100, 50, 80]), measured([200, 100, 160]))
    assert found.figures == (0.5, 0.5, 0.5)


def test_a_target_is_held_against_the_median() -> None:
    """One slow repeat does not miss a target, and a target of the ratio looks at the ratio."""
    row = Row("x", measured([1, 9, 9]), "events/s", "y", measured([10, 10, 10]),
              measured([0.1, 0.9, 0.9]), Target(0.8, of="ratio"))  # fmt: skip
    assert row.met is True
    assert Row("x", measured([5]), "ms", target=Target(5, "<")).met is False
