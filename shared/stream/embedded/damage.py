"""Damage: a record that is not what was appended is never taken for one.

SQLite keeps no checksums, so a byte that a disk or a copy changed would be read as if somebody had
written it. Each record has a CRC-32 over everything in its row; it is made when the record is
appended and compared whenever it is read. It finds accidents, not forgers.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from shared.errors import StreamDamaged
from shared.stream.embedded.tables import DAMAGED, PARTITIONS, RECORDS
from shared.stream.ports import Partition


def checksum(
    place: int, offset: int, key: bytes, value: bytes, headers: bytes, appended_at: int
) -> int:
    """Return the CRC-32 of a row; lengths are in it, so that no byte changes sides unseen."""
    begun = zlib.crc32(f"{place} {offset} {appended_at} {len(key)} {len(value)}".encode())
    return zlib.crc32(headers, zlib.crc32(value, zlib.crc32(key, begun)))


def intact(row: Row[Any]) -> bool:
    """Return whether a row is what was appended; one from before there were checksums counts."""
    parts = (row.key, row.value, row.headers)
    if not all(isinstance(part, bytes) for part in parts):
        return False
    made = checksum(row.place, row.offset, *parts, row.appended_at)
    return row.checksum is None or bool(row.checksum == made)


def good_beginning(rows: Sequence[Row[Any]], place: Partition, start: int) -> Sequence[Row[Any]]:
    """Return the rows before the first that is missing or damaged.

    Raises:
        StreamDamaged: when there is none before it.
    """
    for index, row in enumerate(rows):
        if row.offset != start + index or not intact(row):
            rows = rows[:index]
            break
    if not rows:
        raise StreamDamaged(f"{place.topic}/{place.number} offset {start}: {DAMAGED}")
    return rows


def all_damage(db: Connection) -> Iterator[str]:
    """Read the whole file; yield a sentence for each thing that is damaged."""
    said = db.exec_driver_sql("PRAGMA quick_check").scalars().all()
    if said != ["ok"]:
        yield f"SQLite says: {said[0]}"
    for place in db.execute(select(PARTITIONS)).all():
        yield from _damage_in(db, place)


def _damage_in(db: Connection, place: Row[Any]) -> Iterator[str]:
    where = f"{place.topic}/{place.number}"
    wanted = select(RECORDS).where(RECORDS.c.place == place.place).order_by(RECORDS.c.offset)
    expected = place.begins
    for row in db.execute(wanted.execution_options(yield_per=1_000)):
        if row.offset != expected:
            yield f"{where}: offsets {expected} to {row.offset - 1} are missing"
        elif not intact(row):
            yield f"{where} offset {row.offset} is not what was appended"
        expected = row.offset + 1
    if expected != place.ends:
        yield f"{where}: it ends at offset {expected}, not {place.ends}"
