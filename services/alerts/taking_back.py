"""What the ledger promised and nobody has sent yet, when it is not to be said any more."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, and_, bindparam, or_, select

from services.alerts import notices
from services.alerts.alert import RANKS
from services.alerts.decided import Decided
from services.alerts.latest import ITS_BODY, ITS_LAST, LAST
from services.alerts.ledger import (
    AT_ONCE,
    CANCELLED,
    COLLECTED,
    COVERED,
    GROUPED,
    HELD,
    HUSHED,
    LEDGER,
    NOBODY,
    OF_ITS_STEP,
    PENDING,
    PERHAPS_TOLD,
    QUIET,
    STEPS,
    SUMMARY,
    WAITING,
    WEBHOOK,
    Entries,
    update,
)
from services.alerts.outbox import ALIVE

_NOTHING: Final[Mapping[str, str]] = {}

_CANCEL_WAITING: Final = (
    LEDGER.update()
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.alert == bindparam("which"),
        LEDGER.c.channel == SUMMARY,
        LEDGER.c.status.in_(bindparam("waiting", expanding=True)),
    )
    .values(status=CANCELLED)
)
"""Let no summary tell of an alert that does not hold any more, or was told by itself."""

_COVER: Final = (
    LEDGER.update()
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.alert == bindparam("which"),
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.recipient.in_(bindparam("whom", expanding=True)),
        LEDGER.c.number < bindparam("before"),
        LEDGER.c.status == bindparam("silent"),
    )
    .values(status=COVERED)
)
"""Let nobody be told of a step after a later one of the same alert, which says as much."""


def overtake(db: Connection, step: Decided, entries: Entries) -> None:
    """Let what waits be told no more where a new step of its alert says enough."""
    if step.number == 1:
        return  # Of an alert that is new nothing waits.
    which = {"whose": step.subject.organisation, "which": step.alert}
    if step.kind == "retracted" or step.telling == "news":
        db.execute(_CANCEL_WAITING, {**which, "waiting": [WAITING, QUIET, HUSHED]})
        if step.kind == "retracted":
            # A message may have been composed while it was judged: it is seen only now.
            _leave_out(db, step.subject.organisation, step.alert, step.decided_at)
    elif step.kind == "resolved" or step.telling == "quiet":
        # That it would have been told is part of the report all the same, which is enough.
        db.execute(_CANCEL_WAITING, {**which, "waiting": [WAITING]})
    if step.telling == "news":
        whom = {
            recipient: entry.status
            for (channel, recipient), entry in entries.items()
            if channel == WEBHOOK and recipient != NOBODY
        }
        at_once = [one for one, status in whom.items() if status == PENDING]
        for some, silent in ((at_once, HELD), (list(whom), GROUPED), (list(whom), HUSHED)):
            if some:
                asked = {**which, "before": step.number, "whom": some, "silent": silent}
                db.execute(_COVER, asked)


def to_correct(db: Connection, step: Decided) -> list[str]:
    """Return who may have been told of an alert; what nobody has tried to tell is cancelled.

    Args:
        db: The transaction that saves the judgement.
        step: The one that takes the alert back.
    """
    organisation, alert = step.subject.organisation, step.alert
    mine = and_(
        LEDGER.c.organisation == organisation,
        LEDGER.c.alert == alert,
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.recipient != NOBODY,
    )
    db.execute(
        LEDGER.update()
        .where(mine, LEDGER.c.status == PENDING, LEDGER.c.attempts == 0, LEDGER.c.holder.is_(None))
        .values(status=CANCELLED)
    )
    silent = or_(LEDGER.c.status.in_((HELD, GROUPED)), ~PERHAPS_TOLD)
    db.execute(LEDGER.update().where(mine, silent).values(status=CANCELLED))
    _leave_out(db, organisation, alert, step.decided_at)
    told = select(LEDGER.c.recipient).where(mine, LEDGER.c.status.not_in((CANCELLED, COVERED)))
    return sorted(db.scalars(told.distinct()))


def _leave_out(db: Connection, organisation: str, alert: str, at: datetime) -> None:
    """Take an alert out of the messages that nobody has tried to send."""
    for message in naming(db, organisation, alert):
        notices.take_out(db, organisation, message.message, {alert}, at)


def naming(db: Connection, organisation: str, alert: str) -> Sequence[Row[Any, Any]]:
    """Return the messages under way that name an alert, each with whom it goes to."""
    named = select(LEDGER.c.message, LEDGER.c.recipient).where(
        LEDGER.c.organisation == organisation,
        LEDGER.c.alert == alert,
        LEDGER.c.status == COLLECTED,
    )
    return db.execute(named.distinct().order_by(LEDGER.c.message)).all()


def speak_for_themselves(
    db: Connection,
    organisation: str,
    alert: str,
    *,
    only: str | None = None,
    but: Collection[str] = (),
    meanwhile: Mapping[str, str] = _NOTHING,
) -> None:
    """Let another alert of a group be told where the one that spoke for it does no more.

    The most urgent that was silent under it, and of those the first, speaks for the others from
    now on: each recipient is told at once, whatever else they were told on that day. What is over
    by now is not told, unless it proves to hold.

    Args:
        db: The transaction in which it falls silent.
        organisation: Whose.
        alert: The one that spoke for others.
        only: To whom it does no more; None: to everybody.
        but: To whom it still does.
        meanwhile: Alert → its state, where this transaction takes steps that are not kept yet.
    """
    under = and_(
        LEDGER.c.organisation == organisation,
        LEDGER.c.under == alert,
        LEDGER.c.status == GROUPED,
        LEDGER.c.recipient.not_in(but),
    )
    if only is not None:
        under = and_(under, LEDGER.c.recipient == only)
    said = select(LEDGER, STEPS.c.body, ITS_BODY)
    asked = said.join(STEPS, OF_ITS_STEP).join(LAST, ITS_LAST).where(under)
    turn = (STEPS.c.decided_at, STEPS.c.effective_at, STEPS.c.rule, LEDGER.c.alert)
    firsts: dict[str, Row[Any]] = {}
    rows = db.execute(asked.order_by(*turn)).all()
    for row in sorted(rows, key=lambda one: -RANKS[orjson.loads(one.body)["urgency"]]):
        if meanwhile.get(row.alert, orjson.loads(row.last_body)["state"]) in ALIVE:
            firsts.setdefault(row.recipient, row)
        else:
            update(db, row, status=HUSHED, under=None)
    for first in firsts.values():
        update(db, first, status=PENDING, due_at=AT_ONCE, under=None)
        others = LEDGER.update().where(under, LEDGER.c.recipient == first.recipient)
        db.execute(others.values(under=first.alert))
