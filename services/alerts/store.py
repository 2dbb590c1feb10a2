"""What the watcher remembers between batches: time, what is due, what holds, what is shown."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Table, func, select

from services.alerts import questions
from services.alerts.alert import Subject
from services.alerts.caseload import Extract
from services.alerts.judgement import Held
from services.alerts.tables import NOW, Tables
from shared.clock import from_micros, parse_time, to_micros
from shared.envelope import Envelope
from shared.storage.engine import few, insert_or_nothing, upsert_all
from shared.storage.replacing import CHUNK, Who, by_organisation, replace

Places = Mapping[Who, int]
"""Clients → the partition in which each one's facts stand."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as it is to be shown; ``hidden`` forgets it."""

    organisation: str
    alert: str
    number: int
    body: Mapping[str, Any]
    concerned: frozenset[str]
    hidden: bool


ANY: Final = "*"
"""Stands for a therapist where a clinic concerns a client, and no phase is there."""


@dataclass(frozen=True, slots=True)
class Life:
    """What was found out about one client.

    Attributes:
        due_at: When time alone may change it.
        suspended: How many of its phases wait for a silent source.
        held: Every episode, by subject.
        clinics: Every clinic that one of its facts names.
        extracts: What the therapists' caseloads need to know of the client.
    """

    who: Who
    due_at: datetime | None
    suspended: int
    held: Sequence[tuple[Subject, Held]]
    subjects: Sequence[Subject]
    clinics: Collection[str] = ()
    extracts: Sequence[Extract] = ()


def advance_clock(
    db: Connection, tables: Tables, seen: Mapping[int, datetime]
) -> dict[int, datetime]:
    """Move the present of partitions forward, never back; return it."""
    rows = [{"partition": place, "until": to_micros(at)} for place, at in sorted(seen.items())]
    moved = db.execute(questions.onward(db.dialect.name, tables.clock), few(rows))
    return {row.partition: from_micros(row.until) for row in moved}


def present(db: Connection, tables: Tables) -> dict[int, datetime]:
    """Return the present of every partition."""
    rows = db.execute(select(tables.clock.c.partition, tables.clock.c.until))
    return {row.partition: from_micros(row.until) for row in rows}


def touch(db: Connection, tables: Tables, touched: Places) -> None:
    """Note that clients are to be judged."""
    rows = [
        {
            "organisation": organisation,
            "client": client,
            "partition": partition,
            "due_at": NOW,
            "suspended": 0,
        }
        for (organisation, client), partition in sorted(touched.items())
    ]
    upsert_all(db, tables.clients, rows)


def clients_known(db: Connection, tables: Tables) -> int:
    """Return how many clients (and sources) were ever touched."""
    return db.execute(select(func.count()).select_from(tables.clients)).scalar_one()


def due(db: Connection, tables: Tables, partitions: Collection[int]) -> dict[Who, int]:
    """Return the clients of some partitions that are to be judged by the present there."""
    asked = questions.due(tables.clients, tables.clock)
    rows = db.execute(asked, {"places": sorted(partitions)})
    return {(row.organisation, row.client): row.partition for row in rows}


def clients_of(
    db: Connection,
    tables: Tables,
    organisation: str,
    partition: int,
    *,
    clinics: Collection[str] | None = None,
    therapists: Collection[str] | None = None,
) -> set[Who]:
    """Return the clients that a fact about clinics, or about therapists, concerns."""
    asked = select(tables.phases.c.client).where(
        tables.phases.c.organisation == organisation, tables.phases.c.partition == partition
    )
    if therapists is not None:
        asked = asked.where(tables.phases.c.therapist.in_(sorted(therapists)))
    if clinics is not None:
        asked = asked.where(tables.phases.c.clinic.in_(sorted(clinics)))
    return {(organisation, row.client) for row in db.execute(asked.distinct())}


def client_of(db: Connection, tables: Tables, organisation: str, alert: str) -> str | None:
    """Return whom a shown alert is about."""
    return db.scalar(
        select(tables.inbox.c.client).where(
            tables.inbox.c.organisation == organisation, tables.inbox.c.alert == alert
        )
    )


def note_senders(db: Connection, tables: Tables, told: Iterable[tuple[int, Envelope]]) -> None:
    """Remember when each source last sent something for each clinic, backfill aside.

    Args:
        db: The transaction.
        tables: Where it is remembered.
        told: What came, each with its partition.
    """
    latest: dict[tuple[str, str, str, int], int] = {}
    for partition, envelope in told:
        clinic = envelope.event.data.get("clinic")
        if clinic is None or envelope.event.backfill:
            continue
        key = (envelope.organisation, envelope.sender, clinic, partition)
        latest[key] = max(latest.get(key, 0), to_micros(envelope.recorded_at))
    rows = [
        {
            "organisation": organisation,
            "sender": sender,
            "clinic": clinic,
            "partition": partition,
            "recorded_at": recorded_at,
        }
        for (organisation, sender, clinic, partition), recorded_at in sorted(latest.items())
    ]
    if rows:
        db.execute(questions.heard(db.dialect.name, tables.senders), few(rows))


def save(db: Connection, tables: Tables, places: Places, lives: Sequence[Life]) -> None:
    """Write what was found out about clients: what holds, and when to look again."""
    upsert_all(db, tables.clients, [_client_row(places[life.who], life) for life in lives])
    replace(db, tables.phases, {life.who: _phase_rows(places[life.who], life) for life in lives})
    replace(db, tables.episodes, {life.who: _episode_rows(life) for life in lives})


def show_nothing(db: Connection, tables: Tables, whose: Iterable[Who]) -> None:
    """Forget every alert that is shown of some clients."""
    for some in by_organisation(whose):
        alerts = list(db.scalars(questions.alerts_of_clients(tables.inbox), some))
        for table in (tables.inbox, tables.concerned):
            _forget(db, table, some["whose"], alerts)


def show(db: Connection, tables: Tables, places: Places, alerts: Sequence[Shown]) -> None:
    """Show alerts as they are now; forget those that vanished."""
    for organisation, every in groupby(alerts, key=attrgetter("organisation")):
        theirs = list(every)
        _forget(db, tables.inbox, organisation, [one.alert for one in theirs if one.hidden])
        _forget(db, tables.concerned, organisation, [one.alert for one in theirs])
    for start in range(0, len(alerts), CHUNK):
        some = [one for one in alerts[start : start + CHUNK] if not one.hidden]
        upsert_all(db, tables.inbox, [_inbox_row(places, one) for one in some])
    people = [
        {"organisation": one.organisation, "alert": one.alert, "person": person}
        for one in alerts
        for person in sorted(one.concerned)
    ]
    if people:
        db.execute(insert_or_nothing(db, tables.concerned), few(people))


def _forget(db: Connection, table: Table, organisation: str, alerts: Sequence[str]) -> None:
    """Delete what a table says of alerts."""
    for start in range(0, len(alerts), CHUNK):
        some = {"whose": organisation, "some": alerts[start : start + CHUNK]}
        db.execute(questions.none_of_alerts(table), some)


def _client_row(partition: int, life: Life) -> dict[str, Any]:
    return {
        "organisation": life.who[0],
        "client": life.who[1],
        "partition": partition,
        "due_at": None if life.due_at is None else to_micros(life.due_at),
        "suspended": life.suspended,
    }


def _phase_rows(partition: int, life: Life) -> list[dict[str, Any]]:
    """Return where a client is, and, of no phase in particular, what other clinics it knows.

    A boundary event is judged by the calendar of the clinic where it was noted.
    """
    each = [(*one.key, one.clinic) for one in {one.key: one for one in life.subjects}.values()]
    others = sorted({*life.clinics} - {clinic for _, _, clinic in each})
    return [
        {
            "organisation": life.who[0],
            "client": life.who[1],
            "care": care,
            "therapist": therapist,
            "clinic": clinic,
            "partition": partition,
        }
        for care, therapist, clinic in (*each, *((ref, ANY, ref) for ref in others))
    ]


def _episode_rows(life: Life) -> list[dict[str, Any]]:
    return [
        {
            "organisation": subject.organisation,
            "client": subject.client,
            "rule": held.rule.name,
            "episode": held.id,
            "care": subject.care,
            "therapist": subject.therapist,
            "urgency": held.episode.urgency,
            "steps": len(held.episode.steps),
            "told": len(held.steps),
            "effective_at": to_micros(held.effective_at),
            "known_at": to_micros(held.episode.known_at),
            "cleared_at": None if held.cleared_at is None else to_micros(held.cleared_at),
        }
        for subject, held in life.held
    ]


def _inbox_row(places: Places, one: Shown) -> dict[str, Any]:
    body = one.body
    return {
        "organisation": one.organisation,
        "alert": one.alert,
        "number": one.number,
        "client": body["client"],
        "clinic": body["clinic"] or "",
        "partition": places[one.organisation, body["client"]],
        "family": body["family"],
        "urgency": body["urgency"],
        "state": body["state"],
        "effective_at": to_micros(parse_time(body["effective_at"])),
        "body": orjson.dumps(body),
    }
