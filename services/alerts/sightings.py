"""What was seen from clinics, and whether the stream says so: a small table of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from services.alerts.tables import Tables
from shared.clock import from_micros, to_micros
from shared.storage.engine import few, insert_or_nothing
from shared.storage.facts import MANY


@dataclass(frozen=True, slots=True)
class Sighting:
    """A type that was seen from a clinic, and when the first of its facts was recorded."""

    organisation: str
    clinic: str
    type: str
    at: datetime


def note(db: Connection, tables: Tables, seen: Mapping[tuple[str, str, str], datetime]) -> None:
    """Remember (organisation, clinic, type) and when, unless it was seen before."""
    rows = [
        {
            "organisation": organisation,
            "clinic": clinic,
            "type": type,
            "seen_at": to_micros(at),
            "said": False,
        }
        for (organisation, clinic, type), at in sorted(seen.items())
    ]
    if rows:
        db.execute(insert_or_nothing(db, tables.seen), few(rows))


def unsaid(db: Connection, tables: Tables) -> list[Sighting]:
    """Return what was seen and the stream may not say yet."""
    seen = tables.seen.c
    asked = (
        select(seen.organisation, seen.clinic, seen.type, seen.seen_at)
        .where(seen.said.is_(False))
        .order_by(seen.organisation, seen.clinic, seen.type)
    )
    return [
        Sighting(row.organisation, row.clinic, row.type, from_micros(row.seen_at))
        for row in db.execute(asked)
    ]


def stands(db: Connection, tables: Tables, organisation: str, source: str, id: str) -> int:
    """Return in how many partitions an event that concerns many stands."""
    facts = tables.facts.c
    partitions = select(tables.clock.c.partition)
    asked = (
        select(func.count())
        .select_from(tables.facts)
        .where(
            facts.organisation == organisation,
            facts.client == MANY,
            facts.partition.in_(partitions),
            facts.source == source,
            facts.id == id,
        )
    )
    return db.execute(asked).scalar_one()


def said(db: Connection, tables: Tables, seen: Iterable[Sighting]) -> None:
    """Remember that the stream says so."""
    of = tables.seen.c
    for one in seen:
        this = (of.organisation == one.organisation, of.clinic == one.clinic, of.type == one.type)
        db.execute(tables.seen.update().where(*this).values(said=True))
