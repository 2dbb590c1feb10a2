"""Every step of every alert, and the newest of each: a function of the set of steps.

Steps may be redelivered, and may come in any order. All are kept, so that a timeline can be asked
what was known at an earlier time; the newest is chosen among them.
"""

from collections.abc import Mapping, Sequence, Set
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
    case,
    func,
    select,
)

from services.projections.read_model import Batch
from services.projections.visibility import BOUNDARY
from shared.clock import to_micros
from shared.envelope import Envelope
from shared.storage.engine import insert_or_nothing, upsert
from shared.storage.positions import REBUILDABLE
from shared.stream.ports import ALERTS

UNPLACED = ""
"""Evidence of a boundary alert that names no boundary fact: never cleared for anybody."""

STEPS = Table(
    "alert_steps_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("step", String(128), primary_key=True),
    Column("alert", String(36), nullable=False),
    Column("client", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("alert_steps_v1_client", "organisation", "client"),
    Index("alert_steps_v1_alert", "organisation", "alert"),
)

NEWEST = Table(
    "alerts_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("alert", String(36), primary_key=True),
    Column("client", String(40), nullable=False),
    Column("clinic", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("urgency", String(16), nullable=False),
    Index("alerts_v1_client", "organisation", "client", "state"),
)

EVIDENCE = Table(
    "alert_evidence_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("alert", String(36), primary_key=True),
    Column("event", String(36), primary_key=True),
)
"""The boundary facts that an alert stands on, in any of its steps."""


class Alerts:
    """What leadership sees of episodes, as the topic of alerts tells it."""

    name = "alerts"
    version = 1
    tables = (STEPS, NEWEST, EVIDENCE)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Keep each step once, and choose anew the newest of every alert touched."""
        envelopes = [item.envelope for item in batch.of(ALERTS)]
        if not envelopes:
            return
        db.execute(insert_or_nothing(db, STEPS), [_step(envelope) for envelope in envelopes])
        evidence = [row for envelope in envelopes for row in _evidence(envelope)]
        if evidence:
            db.execute(insert_or_nothing(db, EVIDENCE), evidence)
        for organisation, alert in sorted({_alert(envelope) for envelope in envelopes}):
            _choose_newest(db, organisation, alert)

    def query(
        self, db: Connection, organisation: str, client: str, known_at: datetime | None = None
    ) -> list[tuple[dict[str, Any], Set[str]]]:
        """Return the alerts of a client as they stood at ``known_at``, oldest first.

        With each come the boundary facts that it ever stood on: its history tells of them all.
        """
        asked = _in_order(
            select(STEPS).where(STEPS.c.organisation == organisation, STEPS.c.client == client)
        )
        if known_at is not None:
            asked = asked.where(STEPS.c.recorded_at <= to_micros(known_at))
        found: dict[str, tuple[dict[str, Any], set[str]]] = {}
        for row in db.execute(asked):
            alert: dict[str, Any] = orjson.loads(row.body)
            _, evidence = found.get(row.alert, ({}, set()))
            found[row.alert] = (alert, evidence | set(boundary_evidence(alert)))
        return sorted(found.values(), key=lambda one: (one[0]["effective_at"], one[0]["id"]))

    def open_by_client(
        self,
        organisation: str,
        clinics: frozenset[str] | None,
        cleared: Select[tuple[str]] | None,
    ) -> Subquery:
        """Return client → number of open alerts by urgency, of those that a caller may know of.

        Args:
            organisation: Whose alerts.
            clinics: Only of these clinics; None: of all.
            cleared: The boundary events that the caller may know of; None: all of them.
        """
        asked = select(
            NEWEST.c.client,
            func.sum(_one_if("urgent")).label("urgent"),
            func.sum(_one_if("attention")).label("attention"),
            func.sum(_one_if("information")).label("information"),
        ).where(NEWEST.c.organisation == organisation, NEWEST.c.state == "open")
        if clinics is not None:
            asked = asked.where(NEWEST.c.clinic.in_(sorted(clinics)))
        if cleared is not None:
            hidden = select(EVIDENCE.c.alert).where(
                EVIDENCE.c.organisation == organisation, EVIDENCE.c.event.not_in(cleared)
            )
            asked = asked.where(NEWEST.c.alert.not_in(hidden))
        return asked.group_by(NEWEST.c.client).subquery("open_alerts")


def boundary_evidence(alert: Mapping[str, Any]) -> Sequence[str]:
    """Return the boundary facts that an alert stands on; never empty for a boundary alert."""
    evidence = alert["evidence"]
    found = [item["event"] for item in evidence if item["type"].startswith(BOUNDARY)]
    return found or ([UNPLACED] if alert["family"] == "boundary" else [])


def _one_if(urgency: str) -> Any:
    return case((NEWEST.c.urgency == urgency, 1), else_=0)


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


def _in_order(asked: Select[Any]) -> Select[Any]:
    """Order steps from the oldest to the newest, however they came."""
    return asked.order_by(STEPS.c.number, STEPS.c.recorded_at, STEPS.c.step)


def _choose_newest(db: Connection, organisation: str, alert: str) -> None:
    asked = select(STEPS.c.body).where(
        STEPS.c.organisation == organisation, STEPS.c.alert == alert
    )
    body = orjson.loads(db.execute(_in_order(asked)).scalars().all()[-1])
    row = {
        "organisation": organisation,
        "alert": alert,
        "client": body["client"],
        "clinic": body["clinic"] or "",  # An alert about a feed may be of no one clinic.
        "state": body["state"],
        "urgency": body["urgency"],
    }
    upsert(db, NEWEST, ["organisation", "alert"], row)
