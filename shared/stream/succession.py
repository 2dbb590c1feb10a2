"""What waits, when one generation of what is read follows another."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from shared.storage import positions
from shared.storage.engine import insert_or_nothing
from shared.storage.generations import GENERATIONS
from shared.stream.parking import EVICTED, PLACES, TABLE


def to_inherit(db: Connection, old: str, new: str) -> list[dict[str, Any]]:
    """Return the rows of what a consumer holds back that its next generation must hold back too.

    That is what the next has not come to yet: what it has read it has handled.
    """
    reached = {place: at.next_offset for place, at in positions.all_of(db, new).items()}
    mine = {
        tuple(row)
        for row in db.execute(select(*PLACES, TABLE.c.offset).where(TABLE.c.consumer == new))
    }
    held_back = select(TABLE).where(TABLE.c.consumer == old, TABLE.c.held)
    return [
        {**row, "consumer": new}
        for row in db.execute(held_back).mappings()
        if row["offset"] >= reached.get((row["topic"], row["partition"]), 0)
        and tuple(row[column.name] for column in (*PLACES, TABLE.c.offset)) not in mine
    ]


def inherit(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Hold back what ``to_inherit`` has found."""
    if rows:
        db.execute(insert_or_nothing(db, TABLE), rows)


def forget_dropped(db: Connection) -> None:
    """Forget what waits for generations that are dropped; what somebody decided stays."""
    theirs = TABLE.c.consumer.in_(
        select(GENERATIONS.c.consumer).where(GENERATIONS.c.state == "dropped")
    )
    db.execute(TABLE.delete().where(theirs, TABLE.c.state != EVICTED))
    db.execute(TABLE.update().where(theirs).values(held=False))
