"""Messages that name many alerts: a day's digest, a summary of history, a quiet start's report.

Such a message is a step of no alert, which no list shows, told to one recipient. The rows of the
ledger that it tells carry its name and are ``collected``: what becomes of it becomes of them. It
is named by what it says, so that saying the same again is one message; where it must not say all
of it any more, it is cancelled, and another says the rest.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, select

from services.alerts.decided import SOURCE
from services.alerts.ledger import (
    AT_ONCE,
    CANCELLED,
    COLLECTED,
    HUSHED,
    LEDGER,
    OF_ITS_STEP,
    PENDING,
    STEPS,
    SUMMED_UP,
    WEBHOOK,
)
from shared import ids
from shared.clock import to_micros
from shared.storage.engine import insert

DIGEST: Final = "digest"
"""What came over the daily cap of a recipient."""

SUMMARY_OF_HISTORY: Final = "summary"
"""What was history when it became known."""

REPORT: Final = "report"
"""What a clinic's quiet start held back."""

KINDS: Final = (DIGEST, SUMMARY_OF_HISTORY, REPORT)

WOULD_HAVE_BEEN: Final = "would_have_been"
"""In a report: how many notices of each urgency there would have been."""

SAID: Final = (
    STEPS.c.id, STEPS.c.client, STEPS.c.kind, STEPS.c.decided_at, STEPS.c.clinics, STEPS.c.body,
)  # fmt: skip
"""What a row of the ledger is sent with."""

_CANCELLED: Final[Mapping[str, Any]] = {"status": CANCELLED}

_IT: Final = and_(
    LEDGER.c.organisation == bindparam("whose"),
    LEDGER.c.alert == bindparam("which"),
    LEDGER.c.channel == WEBHOOK,
)
_STOP: Final = LEDGER.update().where(_IT, LEDGER.c.status == PENDING).values(status=CANCELLED)
_STOP_UNTRIED: Final = _STOP.where(LEDGER.c.attempts == 0, LEDGER.c.holder.is_(None))
"""Nobody has tried to send it; a deliverer who takes it at this moment was first, or too late."""


def members(organisation: str, message: str) -> ColumnElement[bool]:
    """Return what tells the rows that a message tells."""
    return and_(
        LEDGER.c.organisation == organisation,
        LEDGER.c.message == message,
        LEDGER.c.status == COLLECTED,
    )


def name_of(kind: str, organisation: str, recipient: str, told: Sequence[tuple[str, str]]) -> str:
    """Return the name of a message: it follows from what it says to whom.

    Args:
        kind: One of ``KINDS``.
        organisation: Whose.
        recipient: Who is told.
        told: Alerts, each with the step that is told.
    """
    said = [word for pair in sorted(told) for word in pair]
    return ids.derived_id(kind, organisation, recipient, *said)


def write(
    db: Connection,
    organisation: str,
    recipient: str,
    name: str,
    kind: str,
    said: Mapping[str, Any],
    at: datetime,
) -> None:
    """Write a message to one recipient, due at once.

    Args:
        db: The transaction that collects what it tells.
        organisation: Whose.
        recipient: Who is told.
        name: See ``name_of``.
        kind: One of ``KINDS``.
        said: What the message says; the alerts by their ids.
        at: The present.
    """
    moment = to_micros(at)
    step = {
        "organisation": organisation, "alert": name, "number": 1, "step": kind,
        "id": ids.event_id(organisation, "", SOURCE, f"{name}/{kind}"),
        "client": "", "care": "", "therapist": "", "rule": "", "kind": kind,
        "round": 1, "keys": [], "effective_at": moment, "cleared_at": None, "decided_at": moment,
        "escalated_at": moment, "first_decided_at": moment, "concerned": [], "hidden": True,
        "body": orjson.dumps({**said, "urgency": "information"}),
    }  # fmt: skip
    row = {
        "organisation": organisation, "alert": name, "step": kind,
        "channel": WEBHOOK, "recipient": recipient, "number": 1,
        "status": PENDING, "written_at": moment, "due_at": AT_ONCE, "attempts": 0,
    }  # fmt: skip
    insert(db, STEPS, [step])
    insert(db, LEDGER, [row])


def telling(
    row: Any, recipient: str, status: str, at: datetime, message: str | None = None
) -> dict[str, Any]:
    """Return the row of the ledger for telling somebody of the step of another row.

    Args:
        row: The other, read or claimed: it has an organisation, an alert, a step and its number.
        recipient: Who is told.
        status: What becomes of it; what is pending is due at once.
        at: The present.
        message: The message of many alerts that tells it, if one does.
    """
    return {
        "organisation": row.organisation,
        "alert": row.alert,
        "step": row.step,
        "channel": WEBHOOK,
        "recipient": recipient,
        "number": row.number,
        "status": status,
        "written_at": to_micros(at),
        "due_at": AT_ONCE if status == PENDING else None,
        "attempts": 0,
        "message": message,
    }


def take_out(
    db: Connection, organisation: str, message: str, alerts: Collection[str], at: datetime
) -> bool:
    """Take alerts out of a message; return False where somebody has tried to send it already."""
    if db.execute(_STOP_UNTRIED, {"whose": organisation, "which": message}).rowcount != 1:
        return False
    say_the_rest(db, organisation, message, alerts, at)
    return True


def hush(db: Connection, organisation: str, message: str, alert: str, at: datetime) -> None:
    """Take an alert out of a message that may have been tried: it is not said for now.

    Who had the message all the same is told the rest again, under another id. What they may have
    read in it counts as tried: should it prove wrong, they are told so.
    """
    its = {"whose": organisation, "which": message}
    untried = db.execute(_STOP_UNTRIED, its).rowcount == 1
    db.execute(_STOP, its)
    hushed = {"status": HUSHED, "message": None, "attempts": 0 if untried else 1}
    say_the_rest(db, organisation, message, {alert}, at, hushed)


def say_the_rest(
    db: Connection,
    organisation: str,
    message: str,
    alerts: Collection[str],
    at: datetime,
    others: Mapping[str, Any] = _CANCELLED,
) -> None:
    """Write another message in the place of a cancelled one, without some of its alerts.

    Args:
        db: The transaction that cancelled it.
        organisation: Whose.
        message: The one that was cancelled.
        alerts: Those that the other does not name.
        at: The present.
        others: What becomes of the rows about these.
    """
    mine = members(organisation, message)
    told = db.execute(select(LEDGER.c.alert, LEDGER.c.step, LEDGER.c.recipient).where(mine)).all()
    db.execute(LEDGER.update().where(mine, LEDGER.c.alert.in_(alerts)).values(others))
    rest = [row for row in told if row.alert not in alerts]
    if not rest:
        return
    kind, said = _whole(db, organisation, message)
    said.pop(WOULD_HAVE_BEEN, None)  # It counts what must not be told of any more.
    named = [one for one in said["alerts"] if one not in alerts]
    who = rest[0].recipient
    name = name_of(kind, organisation, who, [(row.alert, row.step) for row in rest])
    db.execute(LEDGER.update().where(mine).values(message=name))
    write(db, organisation, who, name, kind, {**said, "alerts": named}, at)


def settle(db: Connection, organisation: str, message: str, status: str, settled_at: int) -> None:
    """Let become of what a message tells what became of it."""
    mine = members(organisation, message)
    db.execute(LEDGER.update().where(mine).values(status=status, settled_at=settled_at))


def adopt(
    db: Connection, organisation: str, message: str, recipient: str, alerts: Collection[str]
) -> None:
    """Let a message that an earlier version wrote be named in the rows that it tells.

    It settled them when it wrote the message, before that was sent.
    """
    mine = and_(
        LEDGER.c.organisation == organisation,
        LEDGER.c.alert.in_(alerts),
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.recipient == recipient,
        LEDGER.c.status == SUMMED_UP,
    )
    db.execute(LEDGER.update().where(mine).values(status=COLLECTED, message=message))


def told_in(db: Connection, organisation: str, message: str) -> Sequence[Row[Any]]:
    """Return the rows that a message tells, each with the step that it is about."""
    asked = select(LEDGER, *SAID).join(STEPS, OF_ITS_STEP)
    return db.execute(asked.where(members(organisation, message))).all()


def _whole(db: Connection, organisation: str, message: str) -> tuple[str, dict[str, Any]]:
    """Return the kind of a message, and what it says."""
    asked = select(STEPS.c.kind, STEPS.c.body).where(
        STEPS.c.organisation == organisation, STEPS.c.alert == message
    )
    row = db.execute(asked).one()
    return row.kind, orjson.loads(row.body)
