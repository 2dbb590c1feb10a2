"""Generations: which tables of a set of read models serve, which are built, which are kept.

A set stands or falls together, because its read models share one position. A generation of it
owns its tables and its positions, so that the next is built beside the one that serves, compared
with it, and switched to by one update. These rows are kept: what was told stands in the ledger
under the generation that told it, and must not be forgotten with what the stream can fill again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    or_,
    select,
)

from shared.clock import to_micros
from shared.errors import AnotherVersion, Superseded
from shared.storage import positions
from shared.storage.engine import Database, insert_or_nothing
from shared.storage.kept import KEPT
from shared.storage.table_sets import FIRST, TableSet

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
    Column("consumer", String(64), nullable=False),
    Column("tables", JSON, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("holder", String(36)),
    Column("held_until", BigInteger),
    PrimaryKeyConstraint("name", "number"),
)
"""One row per generation ever begun, so that no number is given twice."""

# What every step asks is made once: making a question costs more than asking it.
_ACTIVE: Final = select(GENERATIONS.c.number).where(
    GENERATIONS.c.name == bindparam("whose"), GENERATIONS.c.state == "active"
)
_SERVING: Final = (
    select(GENERATIONS.c.number, GENERATIONS.c.state, GENERATIONS.c.code)
    .where(
        GENERATIONS.c.name == bindparam("whose"),
        GENERATIONS.c.state.in_(bindparam("states", expanding=True)),
    )
    .order_by(GENERATIONS.c.state)  # The active one first.
)
_HELD: Final = (
    select(GENERATIONS.c.state)
    .where(GENERATIONS.c.name == bindparam("whose"), GENERATIONS.c.number == bindparam("which"))
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a set.

    Attributes:
        name: The set.
        number: Rises with every generation.
        code: What filled its tables.
        consumer: Names its positions.
        tables: What a table holds → its name.
        stage: How far a generation that is built has come.
        cursor: Where folding goes on.
    """

    name: str
    number: int
    state: State
    code: str
    consumer: str
    tables: Mapping[str, str]
    stage: Stage
    cursor: str


def prepare(database: Database, which: TableSet) -> None:
    """Make the first generation of a set where there is none, and the tables of what serves."""
    with database.write() as db:
        _begin(db, which, FIRST, "active", "following")
        # What other code made has other tables, which are none of ours to make.
        ours = [
            one
            for one in every(db, which.name)
            if one.code == which.code and one.state in ("active", "previous")
        ]
        for one in ours:
            if one.tables != which.declared(one.number).names:
                _rename(db, one, which.declared(one.number).names)
    positions.create_tables(database, *(which.declared(one.number).metadata for one in ours))


def every(db: Connection, name: str) -> list[Generation]:
    """Return every generation of a set ever begun, in order."""
    columns = [GENERATIONS.c[name] for name in Generation.__slots__]
    rows = db.execute(
        select(*columns).where(GENERATIONS.c.name == name).order_by(GENERATIONS.c.number)
    )
    return [Generation(*row) for row in rows]


def in_state(db: Connection, name: str, state: State) -> Generation | None:
    """Return the generation of a set in a state that one has at most."""
    return next((one for one in every(db, name) if one.state == state), None)


def active(db: Connection, name: str) -> int:
    """Return which generation of a set serves."""
    found: int | None = db.scalar(_ACTIVE, {"whose": name})
    return FIRST if found is None else found


def serving(db: Connection, which: TableSet, *states: State) -> int:
    """Return the generation that a process with some code works with.

    Args:
        db: Any transaction; a reader asks in the one it reads in.
        which: The set, as the process would fill it.
        states: ``active``, and perhaps ``previous``: what an old release may go on with until
            it is replaced.

    Raises:
        AnotherVersion: when none of them was made by this code.
    """
    rows = db.execute(_SERVING, {"whose": which.name, "states": states}).all()
    if not rows:
        return FIRST
    for row in rows:
        if row.code == which.code:
            number: int = row.number
            return number
    raise AnotherVersion(f"run: rapport rebuild {which.name}")


def hold(db: Connection, name: str, number: int, *states: State) -> None:
    """Keep a generation from being switched until the end of the transaction.

    Raises:
        Superseded: when it is in none of the states (any more).
    """
    state = db.scalar(_HELD, {"whose": name, "which": number})
    if state not in states:
        raise Superseded(f"{name}: generation {number} is {state}")


def begin(db: Connection, which: TableSet) -> Generation:
    """Return the generation that is being built; begin the next where there is none.

    The one that was kept until now makes room.

    Raises:
        AnotherVersion: when another version of Rapport began one.
    """
    found = in_state(db, which.name, "building")
    if found is None:
        previous = in_state(db, which.name, "previous")
        if previous is not None:
            drop(db, previous)
        number = every(db, which.name)[-1].number + 1
        _begin(db, which, number, "building", "reading")
        which.declared(number).metadata.create_all(db)
        found = in_state(db, which.name, "building")
    if found is None or found.code != which.code:
        raise AnotherVersion(f"drop what it began, with: rapport rebuild {which.name} --discard")
    return found


def drop(db: Connection, generation: Generation) -> None:
    """Drop the tables and positions of a generation that does not serve."""
    for name in generation.tables.values():
        Table(name, MetaData()).drop(db, checkfirst=True)
    theirs = positions.positions.c.consumer == generation.consumer
    db.execute(positions.positions.delete().where(theirs))
    db.execute(
        GENERATIONS.update()
        .where(_is(generation.name, generation.number), GENERATIONS.c.state != "active")
        .values(state="dropped", holder=None, held_until=None)
    )


def claim(db: Connection, generation: Generation, me: str, now: datetime) -> bool:
    """Take or renew the right to work on a generation that does not serve; False if it is taken.

    Raises:
        Superseded: when it was dropped or switched to meanwhile.
    """
    mine = or_(
        GENERATIONS.c.holder == me,
        GENERATIONS.c.holder.is_(None),
        GENERATIONS.c.held_until <= to_micros(now),
        # Much further off than a claim lasts: a clock was wrong, and nobody waits for hours.
        GENERATIONS.c.held_until > to_micros(now + 2 * LEASE),
    )
    hold(db, generation.name, generation.number, "building", "previous")
    taken = db.execute(
        GENERATIONS.update()
        .where(_is(generation.name, generation.number), mine)
        .values(holder=me, held_until=to_micros(now + LEASE))
    )
    return taken.rowcount == 1


def is_worked_on(db: Connection, generation: Generation, now: datetime) -> bool:
    """Return whether a command that works on it gave a sign of life lately."""
    asked = select(GENERATIONS.c.held_until).where(_is(generation.name, generation.number))
    until = db.scalar(asked)
    return until is not None and until > to_micros(now)


def release(db: Connection, generation: Generation, me: str) -> None:
    """Let another work on a generation at once."""
    db.execute(
        GENERATIONS.update()
        .where(_is(generation.name, generation.number), GENERATIONS.c.holder == me)
        .values(holder=None, held_until=None)
    )


def advance(db: Connection, at: Generation, stage: Stage, cursor: str) -> None:
    """Note how far the building of a generation has come.

    Raises:
        Superseded: when it does not stand where it was left: somebody else works on it.
    """
    moved = db.execute(
        GENERATIONS.update()
        .where(
            _is(at.name, at.number),
            GENERATIONS.c.stage == at.stage,
            GENERATIONS.c.cursor == at.cursor,
        )
        .values(stage=stage, cursor=cursor)
    )
    if moved.rowcount != 1:
        raise Superseded(f"{at.name}: generation {at.number} was moved on by another")


def lock(db: Connection, generation: Generation) -> None:
    """Let nobody save anything into a generation until the end of this transaction.

    SQLite needs nothing: every write transaction is BEGIN IMMEDIATE.

    Raises:
        Superseded: when it does not serve any more.
    """
    asked = select(GENERATIONS.c.state).where(_is(generation.name, generation.number))
    if db.scalar(asked.with_for_update()) != "active":
        raise Superseded(f"{generation.name}: generation {generation.number} serves no more")


def switch(db: Connection, old: Generation, new: Generation) -> None:
    """Let ``new`` serve instead of ``old``, which is kept: one update."""
    db.execute(
        GENERATIONS.update()
        .where(GENERATIONS.c.name == old.name, GENERATIONS.c.number.in_([old.number, new.number]))
        .values(
            state=case((GENERATIONS.c.number == new.number, "active"), else_="previous"),
            holder=None,
            held_until=None,
        )
    )


def _is(name: str, number: int) -> ColumnElement[bool]:
    return and_(GENERATIONS.c.name == name, GENERATIONS.c.number == number)


def _rename(db: Connection, one: Generation, names: Mapping[str, str]) -> None:
    """Note the tables of a generation to which a release has added some."""
    db.execute(GENERATIONS.update().where(_is(one.name, one.number)).values(tables=names))


def _begin(db: Connection, which: TableSet, number: int, state: State, stage: Stage) -> None:
    catalogue = which.declared(number)
    row: dict[str, Any] = {
        "name": which.name,
        "number": number,
        "state": state,
        "code": which.code,
        "consumer": catalogue.consumer(which.consumer),
        "tables": catalogue.names,
        "stage": stage,
        "cursor": "",
    }
    db.execute(insert_or_nothing(db, GENERATIONS).values(row))
