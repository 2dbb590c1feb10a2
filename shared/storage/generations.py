"""Generations: which tables of a set of read models serve, which are built, which are kept.

A set stands or falls together, because its read models share one position. A generation of it
owns its tables and its positions, so that the next is built beside the one that serves, compared
with it, and switched to by one update. These rows are kept: what was told stands in the ledger
under the generation that told it, and must not be forgotten with what the stream can fill again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    select,
)

from shared.errors import AnotherVersion, Superseded
from shared.storage import positions
from shared.storage.engine import Database, insert_or_nothing
from shared.storage.kept import KEPT

FIRST: Final = 1

State = Literal["active", "building", "previous", "dropped"]
Stage = Literal["reading", "folding", "following"]
"""Of a generation that is built: reading the stream, folding what was read, following live."""

LEASE: Final = timedelta(seconds=10)
"""Own: after so long without a sign of life another command may go on building."""

GENERATIONS = Table(
    "generations",
    KEPT,
    Column("name", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", Text, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("holder", String(36)),
    Column("held_until", BigInteger),
    PrimaryKeyConstraint("name", "number"),
)
"""One row per generation ever begun, so that no number is given twice."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a set.

    Attributes:
        name: The set.
        number: Rises with every generation.
        code: Names and versions of what fills its tables: other code comes to other rows.
        stage: How far a generation that is built has come.
        cursor: Where folding goes on.
    """

    name: str
    number: int
    state: State
    code: str
    stage: Stage
    cursor: str


@dataclass(frozen=True)
class Catalogue:
    """The tables of one generation of a set, as they are declared."""

    number: int
    metadata: MetaData = field(default_factory=MetaData)

    def named(self, what: str, version: int) -> str:
        """Return the name of a table: of the version of its code, and of its generation."""
        return f"{what}_v{version}{self._suffix('_')}"

    def consumer(self, name: str) -> str:
        """Return the name of the generation's positions, and of its group on the stream."""
        return f"{name}{self._suffix('.')}"

    def _suffix(self, separator: str) -> str:
        # The first generation has the names that tables had before there were generations.
        return "" if self.number == FIRST else f"{separator}g{self.number}"


def prepare(
    database: Database, name: str, code: str, catalogue: Callable[[int], Catalogue]
) -> None:
    """Make the first generation of a set where there is none, and the tables of what serves.

    Args:
        database: Has the kept tables.
        name: The set.
        code: What would fill the tables of a first generation.
        catalogue: Generation → its tables.
    """
    with database.write() as db:
        first = _row(name, FIRST, "active", code, "following")
        db.execute(insert_or_nothing(db, GENERATIONS).values(first))
        # What other code made has other tables, which are none of ours to make.
        ours = [one.number for one in every(db, name) if one.code == code and _lives(one)]
    positions.create_tables(database, *(catalogue(number).metadata for number in ours))


def every(db: Connection, name: str) -> list[Generation]:
    """Return every generation of a set ever begun, in order."""
    rows = db.execute(
        select(GENERATIONS).where(GENERATIONS.c.name == name).order_by(GENERATIONS.c.number)
    )
    return [
        Generation(row.name, row.number, row.state, row.code, row.stage, row.cursor)
        for row in rows
    ]


def in_state(db: Connection, name: str, state: State) -> Generation | None:
    """Return the generation of a set in a state of which there is one at most."""
    return next((one for one in every(db, name) if one.state == state), None)


def active(db: Connection, name: str) -> int:
    """Return which generation of a set serves."""
    found = db.scalar(
        select(GENERATIONS.c.number).where(
            GENERATIONS.c.name == name, GENERATIONS.c.state == "active"
        )
    )
    return FIRST if found is None else found


def serving(db: Connection, name: str, code: str, *states: State) -> int:
    """Return the generation that a process with some code works with.

    Args:
        db: Any transaction; a reader asks in the one it reads in.
        name: The set.
        code: What the process would fill the tables with.
        states: ``active``, and perhaps ``previous``: what an old release may go on with until
            it is replaced.

    Raises:
        AnotherVersion: when none of them was made by this code.
    """
    rows = db.execute(
        select(GENERATIONS.c.number, GENERATIONS.c.state, GENERATIONS.c.code)
        .where(GENERATIONS.c.name == name, GENERATIONS.c.state.in_(states))
        .order_by(GENERATIONS.c.state)  # The active one first.
    ).all()
    if not rows:
        return FIRST
    for row in rows:
        if row.code == code:
            number: int = row.number
            return number
    raise AnotherVersion(f"run: rapport rebuild {name}")


def hold(db: Connection, name: str, number: int) -> None:
    """Keep a generation from being switched until the end of the transaction.

    Raises:
        Superseded: when another has taken its place already.
    """
    state = db.scalar(
        select(GENERATIONS.c.state)
        .where(GENERATIONS.c.name == name, GENERATIONS.c.number == number)
        .with_for_update(read=True)
    )
    if state != "active":
        raise Superseded(f"{name}: generation {number} does not serve any more")


def _lives(one: Generation) -> bool:
    return one.state in ("active", "previous")


def _row(name: str, number: int, state: State, code: str, stage: Stage) -> dict[str, Any]:
    return {
        "name": name,
        "number": number,
        "state": state,
        "code": code,
        "stage": stage,
        "cursor": "",
    }
