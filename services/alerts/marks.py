"""How far each partition was ever judged: kept, so that reading it again says nothing new."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, cast, select
from sqlalchemy.sql.dml import ReturningInsert

from shared.storage.engine import few, upsert, upserting
from shared.storage.kept import installation

_MARK: Final = select(installation.c.value).where(installation.c.name == bindparam("mark"))


def mark_of(db: Connection, consumer: str, partition: int) -> int:
    """Return how far a partition was ever judged: the offset after the last record.

    Below it nothing is judged, so that reading the stream again says nothing that the ledger
    does not hold; there every client is judged once, as it stands.
    """
    found = db.scalar(_MARK, {"mark": mark_name(consumer, str(partition))})
    return 0 if found is None else int(found)


def reached(db: Connection, consumer: str, ends: Mapping[int, int]) -> set[int]:
    """Keep how far partitions are judged now; return those that were judged no further before."""
    names = {mark_name(consumer, str(partition)): partition for partition in sorted(ends)}
    rows = [{"name": name, "value": str(ends[place])} for name, place in names.items()]
    moved = db.execute(_moving(db.dialect.name), few(rows))
    return {names[row.name] for row in moved}


def set_mark(db: Connection, consumer: str, partition: int, next_offset: int) -> None:
    """Keep how far a partition has been judged."""
    row = {"name": mark_name(consumer, str(partition)), "value": str(next_offset)}
    upsert(db, installation, ["name"], row)


def mark_name(consumer: str, partition: str) -> str:
    """Return the name under which is kept how far a partition was ever judged."""
    return f"judged:{consumer}:{partition}"


@cache
def _moving(dialect: str) -> ReturningInsert[Any]:
    made = upserting(dialect, installation)
    before, now = (cast(one.value, BigInteger) for one in (installation.c, made.excluded))
    return made.on_conflict_do_update(
        index_elements=[installation.c.name],
        set_={"value": made.excluded.value},
        where=before <= now,
    ).returning(installation.c.name)
