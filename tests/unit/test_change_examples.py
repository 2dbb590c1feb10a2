"""Examples in the library of change, as a reader would recompute them by hand."""

import doctest
from types import ModuleType

import pytest

from shared.change import chart, group_level, reliable, ruptures, sudden, trend


@pytest.mark.parametrize("module", [chart, group_level, reliable, ruptures, sudden, trend])
def test_an_example_comes_out_as_it_is_written(module: ModuleType) -> None:
    """Each module has one, with the figures that its code gives."""
    found = doctest.testmod(module)
    assert found.attempted
    assert found.failed == 0
