"""Every step of every alert, and the newest of each: a function of the set of steps.

Steps may be redelivered, and may come in any order. All are kept, so that a timeline can be asked
what was known at an earlier time; the newest is chosen among them.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    func,
    select,
)

from services.projections.read_model import Batch
from shared.alliance.matters import BOUNDARY
from shared.clock import to_micros
from shared.envelope import Envelope
from shared.storage.engine import insert_or_nothing, upsert
from shared.storage.table_sets import Catalogue
from shared.stream.ports import ALERTS

UNPLACED = ""
"""Evidence of a boundary alert that names no boundary fact: never cleared for anybody."""


class Alerts:
    """What leadership sees of episodes, as the topic of alerts tells it."""

    name = "alerts"
    version = 1
    folds = False

    def __init__(self, catalogue: Catalogue) -> None:
        """Declare the tables of a generation."""
        self._steps = _steps_table(catalogue, self.version)
        self._newest = _newest_table(catalogue, self.version)
        self._evidence = _evidence_table(catalogue, self.version)
        self.tables = (self._steps, self._newest, self._evidence)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Keep each step once, and choose anew the newest of every alert touched."""
        envelopes = [item.envelope for item in batch.of(ALERTS)]
        if not envelopes:
            return
        db.execute(insert_or_nothing(db, self._steps), [_step(envelope) for envelope in envelopes])
        evidence = [row for envelope in envelopes for row in _evidence(envelope)]
        if evidence:
            db.execute(insert_or_nothing(db, self._evidence), evidence)
        for organisation, alert in sorted({_alert(envelope) for envelope in envelopes}):
            self._choose_newest(db, organisation, alert)

    def query(
        self,
        db: Connection,
        organisation: str,
        clients: Collection[str],
        known_at: datetime | None = None,
    ) -> list[tuple[dict[str, Any], Set[str]]]:
        """Return the alerts of one client as they stood at ``known_at``, oldest first.

        With each come the boundary facts that it ever stood on: its history tells of them all.
        One that was taken back before anybody was told of it has vanished.

        Args:
            db: The database.
            organisation: Whose.
            clients: Every reference that is read as that client; an alert may have been told of
                others before, or be told of others now.
            known_at: Only what was said by then.
        """
        steps, named = self._steps, sorted(clients)
        mine = select(steps.c.alert).where(
            steps.c.organisation == organisation, steps.c.client.in_(named)
        )
        asked = self._in_order(
            select(steps).where(steps.c.organisation == organisation, steps.c.alert.in_(mine))
        )
        if known_at is not None:
            asked = asked.where(steps.c.recorded_at <= to_micros(known_at))
        found: dict[str, tuple[dict[str, Any], set[str]]] = {}
        for row in db.execute(asked):
            alert: dict[str, Any] = orjson.loads(row.body)
            _, evidence = found.get(row.alert, ({}, set()))
            found[row.alert] = (alert, evidence | set(boundary_evidence(alert)))
        here = (
            one
            for one in found.values()
            if one[0]["client"] in clients and not one[0].get("untold")
        )
        order = ("effective_at", "rule", "known_at", "id")  # Our own random ids come last.
        return sorted(here, key=lambda one: tuple(one[0][name] for name in order))

    def open_by_client(
        self,
        organisation: str,
        clinics: frozenset[str] | None,
        cleared: Select[tuple[str]] | None,
        homes: Table,
    ) -> Subquery:
        """Return client → number of open alerts by urgency, of those that a caller may know of.

        Args:
            organisation: Whose alerts.
            clinics: Only of these clinics; None: of all.
            cleared: The boundary events that the caller may know of; None: all of them.
            homes: Merged client → at whom they are read: their alerts count there.
        """
        newest, evidence = self._newest.c, self._evidence.c
        client = func.coalesce(homes.c.read_at, newest.client)
        same = and_(homes.c.organisation == newest.organisation, homes.c.client == newest.client)
        counted = select(
            client.label("client"),
            *(
                func.sum(case((newest.urgency == urgency, 1), else_=0)).label(urgency)
                for urgency in ("urgent", "attention", "information")
            ),
        ).select_from(self._newest.outerjoin(homes, same))
        asked = counted.where(newest.organisation == organisation, newest.state == "open")
        if clinics is not None:
            asked = asked.where(newest.clinic.in_(sorted(clinics)))
        if cleared is not None:
            hidden = select(evidence.alert).where(
                evidence.organisation == organisation, evidence.event.not_in(cleared)
            )
            asked = asked.where(newest.alert.not_in(hidden))
        return asked.group_by(client).subquery("open_alerts")

    def _in_order(self, asked: Select[Any]) -> Select[Any]:
        """Order steps from the oldest to the newest, however they came."""
        steps = self._steps.c
        return asked.order_by(steps.number, steps.recorded_at, steps.step)

    def _choose_newest(self, db: Connection, organisation: str, alert: str) -> None:
        steps = self._steps.c
        asked = select(steps.body).where(steps.organisation == organisation, steps.alert == alert)
        body = orjson.loads(db.execute(self._in_order(asked)).scalars().all()[-1])
        row = {
            "organisation": organisation,
            "alert": alert,
            "client": body["client"],
            "clinic": body["clinic"] or "",  # An alert about a feed may be of no one clinic.
            "state": body["state"],
            "urgency": body["urgency"],
        }
        upsert(db, self._newest, ["organisation", "alert"], row)


def boundary_evidence(alert: Mapping[str, Any]) -> Sequence[str]:
    """Return the boundary facts that an alert stands on; never empty for a boundary alert."""
    evidence = alert["evidence"]
    found = [item["event"] for item in evidence if item["type"].startswith(BOUNDARY)]
    return found or ([UNPLACED] if alert["family"] == "boundary" else [])


def _alert(envelope: Envelope) -> tuple[str, str]:
    return envelope.organisation, envelope.event.data["id"]


def _step(envelope: Envelope) -> dict[str, Any]:
    alert = envelope.event.data
    return {
        "organisation": envelope.organisation,
        "step": envelope.event.id,
        "alert": alert["id"],
        "client": alert["client"],
        "number": len(alert["history"]),
        "recorded_at": to_micros(envelope.recorded_at),
        "body": orjson.dumps(alert),
    }


def _evidence(envelope: Envelope) -> list[dict[str, str]]:
    organisation, alert = _alert(envelope)
    return [
        {"organisation": organisation, "alert": alert, "event": event}
        for event in boundary_evidence(envelope.event.data)
    ]


def _steps_table(catalogue: Catalogue, version: int) -> Table:
    name = catalogue.named("alert_steps", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("step", String(128), primary_key=True),
        Column("alert", String(36), nullable=False),
        Column("client", String(40), nullable=False),
        Column("number", Integer, nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Index(f"{name}_client", "organisation", "client"),
        Index(f"{name}_alert", "organisation", "alert"),
    )


def _newest_table(catalogue: Catalogue, version: int) -> Table:
    name = catalogue.named("alerts", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("alert", String(36), primary_key=True),
        Column("client", String(40), nullable=False),
        Column("clinic", String(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("urgency", String(16), nullable=False),
        Index(f"{name}_client", "organisation", "client", "state"),
    )


def _evidence_table(catalogue: Catalogue, version: int) -> Table:
    """Declare the boundary facts that an alert stands on, in any of its steps."""
    return Table(
        catalogue.named("alert_evidence", version),
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("alert", String(36), primary_key=True),
        Column("event", String(36), primary_key=True),
    )
