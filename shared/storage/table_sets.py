"""What tables a generation of a set of read models consists of, as its code declares them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import MetaData

FIRST: Final = 1


@dataclass(frozen=True)
class Catalogue:
    """The tables of one generation of a set, as they are declared.

    Attributes:
        names: What a table holds → its name.
    """

    number: int
    metadata: MetaData = field(default_factory=MetaData)
    names: dict[str, str] = field(default_factory=dict)

    def named(self, what: str, version: int) -> str:
        """Return the name of a table: of the version of its code, and of its generation."""
        self.names[what] = f"{what}_v{version}{self._suffix('_')}"
        return self.names[what]

    def consumer(self, name: str) -> str:
        """Return the name of the generation's positions, and of its group on the stream."""
        return f"{name}{self._suffix('.')}"

    def _suffix(self, separator: str) -> str:
        # The first generation has the names that tables had before there were generations.
        return "" if self.number == FIRST else f"{separator}g{self.number}"


@dataclass(frozen=True, slots=True)
class TableSet:
    """Tables that share one position, as this version of Rapport fills them.

    Attributes:
        name: Such as ``timelines``.
        consumer: Names the positions of the first generation.
        code: Names and versions of what fills the tables: other code comes to other rows.
        declared: Generation → its tables.
    """

    name: str
    consumer: str
    code: str
    declared: Callable[[int], Catalogue]
