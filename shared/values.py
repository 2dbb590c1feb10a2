"""Values that are made by the thousand: frozen to who writes code, cheap to who runs it.

A dataclass with ``frozen=True`` sets each field through ``object.__setattr__``, which makes a fact
five times as dear (0.96 against 0.19 µs for twelve fields, measured); the history of one client
has tens of thousands of fields. So of these mypy alone forbids any change, and it reads every
line.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Make a dataclass with slots, equality and a hash; frozen by mypy, not while running."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
