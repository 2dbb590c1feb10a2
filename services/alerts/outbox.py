"""The rows of the ledger that are still to be sent: claimed, tried, settled.

A claim is a lease on one row, so that two deliverers never send the same row at once; one that
dies with rows in hand lets the lease expire, and they are sent again under the same ids.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, or_, select

from services.alerts import notices
from services.alerts.ledger import (
    AT_ONCE,
    CANCELLED,
    COLLECTED,
    GIVEN_UP,
    HELD,
    HUSHED,
    LEDGER,
    NOBODY,
    OF_ITS_STEP,
    PENDING,
    QUIET,
    SENT,
    STEPS,
    UNDELIVERABLE,
    WAITING,
    WEBHOOK,
    WITHOUT_RECIPIENT,
)
from services.alerts.tables import shown
from shared.clock import from_micros, to_micros
from shared.metrics import KEPT_QUIET

LEASE: Final = timedelta(seconds=60)
"""Own: well over what the attempts of one claim may take."""

RETRY_AFTER: Final[tuple[timedelta, ...]] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The schedule of the Standard Webhooks specification: 75 h in all, then it is given up."""

SPARED_FOR: Final = timedelta(minutes=5)
"""Own: a recipient who failed gets nothing else for so long at most, and delays nobody else."""

ALIVE: Final = ("open", "snoozed")

UNTIL: Final = {
    HELD: notices.DIGEST,
    QUIET: notices.REPORT,
    WAITING: notices.SUMMARY_OF_HISTORY,
}
"""What waits, and the kind of message that tells of it."""


@dataclass(frozen=True, slots=True)
class Due:
    """One row to be sent, with the step that it tells.

    Attributes:
        id: The step's id.
        attempts: How often it was tried before.
        body: The alert as it stood after the step.
        clinics: Those that it is about; None where an earlier version wrote the step.
        before: Who held it when it was claimed, and let the claim run out: they may have sent it.
    """

    organisation: str
    alert: str
    step: str
    channel: str
    recipient: str
    id: str
    client: str
    kind: str
    number: int
    attempts: int
    decided_at: datetime
    body: dict[str, Any]
    clinics: Collection[str] | None = None
    before: str | None = None


_EARLIER: Final = LEDGER.alias("earlier")


def _an_earlier_one_is_pending() -> ColumnElement[bool]:
    """Nobody learns of a later step of an alert before an earlier one."""
    earlier = _EARLIER
    return exists().where(
        earlier.c.organisation == LEDGER.c.organisation,
        earlier.c.alert == LEDGER.c.alert,
        earlier.c.channel == LEDGER.c.channel,
        earlier.c.recipient == LEDGER.c.recipient,
        earlier.c.number < LEDGER.c.number,
        earlier.c.status.in_((PENDING, COLLECTED)),
    )


# A deliverer asks twenty times a second, so every question and order is made once.
_FREE: Final = or_(
    LEDGER.c.holder.is_(None),
    LEDGER.c.held_until <= bindparam("present"),
    # Much further off than a claim lasts: the clock was wrong, and nobody waits for hours.
    # A little further off is another's claim, made while we waited with our present in hand.
    LEDGER.c.held_until > bindparam("wrong"),
)
_DUE: Final = and_(LEDGER.c.status == PENDING, LEDGER.c.due_at <= bindparam("present"), _FREE)
_ANY_DUE: Final = select(LEDGER.c.channel).where(_DUE).limit(1)
_DUE_FIRST: Final = (
    select(LEDGER, *notices.SAID)
    .join(STEPS, OF_ITS_STEP)
    .where(
        _DUE,
        LEDGER.c.channel == bindparam("by"),
        ~_an_earlier_one_is_pending(),
    )
    .order_by(STEPS.c.decided_at, LEDGER.c.alert, LEDGER.c.number)
    .limit(bindparam("most"))
    # Who claims waits for nobody, because of two who wait for each other one is ended.
    .with_for_update(of=LEDGER, skip_locked=True)
)
_IT: Final = and_(
    *(column == bindparam(f"its_{column.name}") for column in LEDGER.primary_key.columns)
)
_MINE: Final = and_(_IT, LEDGER.c.holder == bindparam("me"))
_TAKE: Final = LEDGER.update().where(_IT, LEDGER.c.status == PENDING, _FREE)
_SETTLE: Final = LEDGER.update().where(_MINE, LEDGER.c.status == PENDING)
# Consent may be withdrawn while it is being sent.
_ARRIVED: Final = LEDGER.update().where(_MINE, LEDGER.c.status.in_((PENDING, HUSHED)))
_RELEASE: Final = LEDGER.update().where(_MINE)


def any_due(db: Connection, now: datetime) -> bool:
    """Return whether there may be rows to claim, of any channel."""
    return db.scalar(_ANY_DUE, _moments(now)) is not None


def claim(db: Connection, channel: str, me: str, now: datetime, limit: int) -> list[Due]:
    """Lease at most ``limit`` due rows, oldest steps first.

    Args:
        db: A transaction of its own.
        channel: Which rows.
        me: Names the deliverer.
        now: The present.
        limit: How many rows.
    """
    moments, claimed = _moments(now), {"holder": me, "held_until": to_micros(now + LEASE)}
    rows = db.execute(_DUE_FIRST, {**moments, "by": channel, "most": limit}).all()
    return [
        due_of(row)
        for row in rows
        if db.execute(_TAKE, {**_its(row), **moments, **claimed}).rowcount == 1
    ]


def delivered(db: Connection, due: Due, me: str, now: datetime) -> None:
    """Settle a row that was sent."""
    _settle(db, due, me, status=SENT, settled_at=to_micros(now))


def is_last(due: Due) -> bool:
    """Return whether a row is given up where the attempt that is made now fails."""
    return due.attempts >= len(RETRY_AFTER)


def failed(db: Connection, due: Due, me: str, now: datetime) -> None:
    """Put a row off to its next attempt."""
    pause = RETRY_AFTER[due.attempts]
    _settle(db, due, me, due_at=to_micros(now + pause))
    _spare(db, due, to_micros(now + min(pause, SPARED_FOR)))


def given_up(db: Connection, due: Due, me: str, now: datetime) -> bool:
    """Settle a row after its last attempt, or whose recipient is gone or disabled.

    Returns:
        False where another has it in hand, or it is not to be told any more.
    """
    return _settle(db, due, me, status=GIVEN_UP, settled_at=to_micros(now))


def withheld(db: Connection, due: Due, me: str, now: datetime) -> bool:
    """Settle a row that its recipient must not be told; False where another has it in hand."""
    return _settle(db, due, me, status=CANCELLED, settled_at=to_micros(now))


def still_mine(db: Connection, due: Due, me: str, now: datetime) -> bool:
    """Renew the lease of a row, right before it is sent; False when it was lost."""
    renewed = {**_its(due), "me": me, "held_until": to_micros(now + LEASE)}
    return db.execute(_SETTLE, renewed).rowcount == 1


def release(db: Connection, due: Due, me: str) -> None:
    """Let go of a row that was not tried: it is as it was found.

    Whoever held it before may have told somebody, who must then be told of a correction too.
    """
    again = {"holder": due.before, "held_until": None if due.before is None else AT_ONCE}
    db.execute(_RELEASE, {**_its(due), "me": me, **again})


def oldest(db: Connection) -> datetime | None:
    """Return when the oldest row that still waits to be sent was written."""
    found = db.scalar(select(func.min(LEDGER.c.written_at)).where(LEDGER.c.status == PENDING))
    return None if found is None else from_micros(found)


def held_back(db: Connection) -> dict[str, int]:
    """Return how many notices wait for each kind of message that names many.

    Those of boundary matters are left out, as of every metric.
    """
    inbox = shown(db).inbox
    its = and_(inbox.c.organisation == LEDGER.c.organisation, inbox.c.alert == LEDGER.c.alert)
    asked = select(LEDGER.c.status, func.count()).join(inbox, its)
    asked = asked.where(LEDGER.c.status.in_(UNTIL), inbox.c.family != KEPT_QUIET)
    found = {row[0]: row[1] for row in db.execute(asked.group_by(LEDGER.c.status))}
    return {kind: found.get(status, 0) for status, kind in UNTIL.items()}


def untold(db: Connection, organisation: str | None = None) -> dict[str, int]:
    """Return how many alerts that stand open reached nobody in a step, by reason.

    Args:
        db: Any transaction.
        organisation: Whose; None: everybody's.
    """
    inbox = shown(db).inbox
    asked = (
        select(LEDGER.c.status, LEDGER.c.organisation, LEDGER.c.alert)
        .distinct()
        .join(
            inbox,
            and_(inbox.c.organisation == LEDGER.c.organisation, inbox.c.alert == LEDGER.c.alert),
        )
        .where(
            LEDGER.c.channel == WEBHOOK,
            LEDGER.c.recipient == NOBODY,
            LEDGER.c.status.in_([UNDELIVERABLE, WITHOUT_RECIPIENT]),
            inbox.c.state.in_(ALIVE),
        )
    )
    if organisation is not None:
        asked = asked.where(LEDGER.c.organisation == organisation)
    counted = Counter(row.status for row in db.execute(asked))
    return {status: counted[status] for status in (UNDELIVERABLE, WITHOUT_RECIPIENT)}


def _moments(now: datetime) -> dict[str, int]:
    return {"present": to_micros(now), "wrong": to_micros(now + 2 * LEASE)}


def _its(row: Row[Any] | Due) -> dict[str, Any]:
    """Return what names a row."""
    return {
        "its_organisation": row.organisation,
        "its_alert": row.alert,
        "its_step": row.step,
        "its_channel": row.channel,
        "its_recipient": row.recipient,
    }


def due_of(row: Row[Any]) -> Due:
    """Return a row of the ledger, read with the step that it tells."""
    return Due(
        organisation=row.organisation,
        alert=row.alert,
        step=row.step,
        channel=row.channel,
        recipient=row.recipient,
        id=row.id,
        client=row.client,
        kind=row.kind,
        number=row.number,
        attempts=row.attempts,
        decided_at=from_micros(row.decided_at),
        body=orjson.loads(row.body),
        clinics=row.clinics,
        before=row.holder,
    )


def _settle(db: Connection, due: Due, me: str, **values: Any) -> bool:
    """Write what became of an attempt, unless another has taken the row over meanwhile."""
    over = {"attempts": due.attempts + 1, "holder": None, "held_until": None}
    asked = _ARRIVED if values.get("status") == SENT else _SETTLE
    mine = db.execute(asked, {**_its(due), "me": me, **over, **values}).rowcount == 1
    if mine and due.kind in notices.KINDS and values.get("status") in (SENT, GIVEN_UP):
        notices.settle(db, due.organisation, due.alert, values["status"], values["settled_at"])
    return mine


def _spare(db: Connection, due: Due, until: int) -> None:
    """Put off what else is due to a recipient who just failed."""
    db.execute(
        LEDGER.update()
        .where(
            LEDGER.c.status == PENDING,
            LEDGER.c.channel == due.channel,
            LEDGER.c.organisation == due.organisation,
            LEDGER.c.recipient == due.recipient,
            LEDGER.c.holder.is_(None),
            LEDGER.c.due_at < until,
        )
        .values(due_at=until)
    )
