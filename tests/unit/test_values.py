"""Values that are cheap to make are values all the same."""

from dataclasses import field, replace
from typing import Any

from shared.values import frozen


@frozen
class _Point:
    x: int
    y: int = 0
    aside: list[Any] = field(default_factory=list, compare=False)


def test_a_value_is_what_it_holds() -> None:
    """Two with the same fields are equal and hash alike; what is set apart does not count."""
    assert _Point(1) == _Point(1, 0, [2])
    assert len({_Point(1), _Point(1, 0), _Point(1, 2)}) == 2
    assert replace(_Point(1), y=3) == _Point(1, 3)


def test_a_value_has_no_other_fields() -> None:
    """It has slots: a field that nobody declared cannot be set, and takes no room."""
    assert not hasattr(_Point(1), "__dict__")
