"""What is not said of a client whose consent is withdrawn, until it is given again.

Nobody is told anything of them meanwhile, by any way: what waits is hushed, also what is on its
way, and what is decided from then on is written hushed. Where consent returns, or what was over
proves to hold, it is said then, once, if it holds still.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, and_, bindparam, select

from services.alerts import notices
from services.alerts.latest import ITS_BODY, ITS_LAST, LAST
from services.alerts.ledger import (
    AT_ONCE,
    COVERED,
    GROUPED,
    HELD,
    HUSHED,
    LEDGER,
    NOBODY,
    PENDING,
    QUIET,
    SUMMARY,
    WAITING,
    WEBHOOK,
    update,
)
from services.alerts.outbox import ALIVE
from services.alerts.taking_back import naming, speak_for_themselves

_WAITS: Final = (PENDING, HELD, GROUPED, WAITING, QUIET)
_AT_ONCE_ASKED: Final = 500

_HUSHED: Final = (
    select(LEDGER, LAST.c.kind.label("last_kind"), LAST.c.number.label("last"), ITS_BODY)
    .join_from(LEDGER, LAST, ITS_LAST)
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.alert.in_(bindparam("which", expanding=True)),
        LEDGER.c.status == HUSHED,
    )
    .order_by(LEDGER.c.alert, LEDGER.c.number.desc())
)


def hush(
    db: Connection,
    whose: Sequence[tuple[str, str, datetime]],
    meanwhile: Mapping[str, str],
) -> None:
    """Let nothing be told of alerts for now: consent to it is withdrawn.

    Others of their groups, of other clients, are told. All of them fall silent first, so that none
    of them speaks for another.

    Args:
        db: The transaction that saves the judgement, before any of its steps is kept.
        whose: Alerts of clients who want none: organisation, alert, the present.
        meanwhile: Alert → its state, where this transaction takes steps that are not kept yet.
    """
    silent: list[tuple[str, str, str]] = []
    for organisation, alert, at in whose:
        told_no_more = _silenced(db, organisation, alert, at)
        silent += [(organisation, alert, one) for one in sorted(told_no_more - {NOBODY})]
    for organisation, alert, recipient in silent:
        speak_for_themselves(db, organisation, alert, only=recipient, meanwhile=meanwhile)


def say(db: Connection, whose: Iterable[tuple[str, str]]) -> None:
    """Let be told what was hushed of alerts that hold, or was a correction.

    Each recipient is told of the latest step, at once, whatever else they were told on that day.

    Args:
        db: The transaction that saves the judgement, after its steps were kept.
        whose: Alerts that may be told of: organisation and alert.
    """
    for organisation, pairs in groupby(sorted(set(whose)), key=itemgetter(0)):
        alerts = [alert for _, alert in pairs]
        for start in range(0, len(alerts), _AT_ONCE_ASKED):
            some = alerts[start : start + _AT_ONCE_ASKED]
            _say(db, db.execute(_HUSHED, {"whose": organisation, "which": some}).all())


def _silenced(db: Connection, organisation: str, alert: str, at: datetime) -> set[str]:
    """Hush what waits to be told of an alert; return who would have been told."""
    mine = and_(
        LEDGER.c.organisation == organisation,
        LEDGER.c.alert == alert,
        LEDGER.c.channel.in_((WEBHOOK, SUMMARY)),
        LEDGER.c.status.in_(_WAITS),
    )
    # Who has it in hand keeps it: should it arrive all the same, it was told.
    stop = LEDGER.update().where(mine).values(status=HUSHED, under=None)
    silent = {row.recipient for row in db.execute(stop.returning(LEDGER.c.recipient))}
    for message in naming(db, organisation, alert):
        notices.hush(db, organisation, message.message, alert, at)
        silent.add(message.recipient)
    return silent


def _say(db: Connection, rows: Collection[Row[Any]]) -> None:
    said: set[tuple[str, str, str]] = set()
    for row in rows:
        corrects = row.number == row.last and row.last_kind == "retracted"
        if not corrects and orjson.loads(row.last_body)["state"] not in ALIVE:
            continue
        place = (row.alert, row.channel, row.recipient)
        now: dict[str, Any] = {"status": COVERED}
        if place not in said:
            now = {"status": PENDING, "due_at": AT_ONCE}
            if row.channel == SUMMARY:
                now = {"status": WAITING}
        said.add(place)
        update(db, row, **now)
