"""What is kept of therapists' caseloads: of every client an extract, written where it differs."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, select, tuple_

from services.alerts import marks
from services.alerts.caseload import Caseload, Extract, caseload, read, written
from services.alerts.store import Life
from services.alerts.tables import Tables
from shared.alliance.clinics import Surroundings
from shared.storage import positions
from shared.storage.kept import installation
from shared.storage.replacing import CHUNK, Who, about, by_organisation, replace
from shared.stream.ports import EVENTS


def save(db: Connection, tables: Tables, lives: Sequence[Life]) -> set[Who]:
    """Write what is extracted of clients; return the therapists for whom something changed."""
    wanted = {life.who: {one.therapist: written(one) for one in life.extracts} for life in lives}
    before: dict[Who, dict[str, bytes]] = {who: {} for who in wanted}
    for some in by_organisation(wanted):
        for row in db.execute(_of_clients(tables.extracts), some):
            before[row.organisation, row.client][row.therapist] = row.body
    different = {who: of for who, of in wanted.items() if of != before[who]}
    rows = {
        who: [
            {"organisation": who[0], "client": who[1], "therapist": therapist, "body": body}
            for therapist, body in sorted(of.items())
        ]
        for who, of in different.items()
    }
    if rows:
        replace(db, tables.extracts, rows)
    return {
        (who[0], therapist)
        for who, of in different.items()
        for therapist in of.keys() | before[who].keys()
        if of.get(therapist) != before[who].get(therapist)
    }


def of_therapists(
    db: Connection,
    tables: Tables,
    organisation: str,
    therapists: Collection[str],
    around: Surroundings,
) -> dict[str, Caseload]:
    """Return the caseloads of some therapists, with what is known of them besides."""
    rows, names = tables.extracts.c, sorted(therapists)
    found: dict[str, list[Extract]] = {name: [] for name in names}
    for start in range(0, len(names), CHUNK):
        mine = rows.therapist.in_(names[start : start + CHUNK])
        for row in db.execute(select(tables.extracts).where(
                rows.organisation == organisation, mine)):  # fmt: skip
            found[row.therapist].append(read(row.client, row.therapist, row.body))
    return {name: caseload(organisation, name, every, around) for name, every in found.items()}


def therapists(db: Connection, tables: Tables, organisation: str) -> set[Who]:
    """Return everybody of an organisation who has or had clients."""
    rows = tables.extracts.c
    asked = select(rows.therapist).where(rows.organisation == organisation).distinct()
    return {(organisation, name) for name in db.scalars(asked)}


def after(db: Connection, tables: Tables, who: Iterable[str], limit: int) -> list[Who]:
    """Return the next therapists who have or had clients, in a fixed order."""
    rows = tables.extracts.c
    place = tuple_(rows.organisation, rows.therapist)
    asked: Any = select(rows.organisation, rows.therapist).where(place > tuple_(*who)).distinct()
    found = db.execute(asked.order_by(rows.organisation, rows.therapist).limit(limit))
    return [(row.organisation, row.therapist) for row in found]


def complete(db: Connection, consumer: str) -> bool:
    """Return whether every partition stands where it was ever judged, or further.

    Reading the stream again, a caseload is not whole before that: what seems to be missing from
    it would be taken back.
    """
    at = positions.all_of(db, consumer)
    prefix = marks.mark_name(consumer, "")
    asked = select(installation).where(installation.c.name.startswith(prefix, autoescape=True))
    for mark in db.execute(asked):
        place = (EVENTS, int(mark.name.removeprefix(prefix)))
        if place not in at or at[place].next_offset < int(mark.value):
            return False
    return True


@cache
def _of_clients(extracts: Table) -> Select[Any]:
    # Every judgement asks it, so it is made once.
    return select(extracts).where(*about(extracts))
