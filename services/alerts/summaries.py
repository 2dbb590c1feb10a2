"""Tell what was history, once: a summary per clinic and recipient (invariant 9).

What became true long before it was learnt is no news: it waits in the ledger. Once nothing more of
that kind has come to light at a clinic for a day, a backfill is over, and one notice names every
alert of it that still holds, with no word on any of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, func, select

from services.alerts import ledger, notices
from services.alerts.alone import alone
from services.alerts.latest import ITS_LAST, LAST, STANDS, readers_now
from services.alerts.ledger import LEDGER, OF_ITS_STEP, STEPS
from services.alerts.notices import SUMMARY_OF_HISTORY
from services.alerts.outbox import ALIVE
from services.alerts.tables import Tables
from shared.clock import from_micros, to_micros
from shared.storage.accounts import Recipient
from shared.storage.engine import insert

QUIET_FOR: Final = timedelta(hours=24)
"""design.md section 3: so long after the last of it, the history of a clinic is summed up."""

_WHOSE: Final = (
    select(LEDGER.c.organisation)
    .distinct()
    .where(LEDGER.c.channel == ledger.SUMMARY, LEDGER.c.status == ledger.WAITING)
    .order_by(LEDGER.c.organisation)
)
_TAKE: Final = (
    LEDGER.update()
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.alert == bindparam("which"),
        LEDGER.c.step == bindparam("its_step"),
        LEDGER.c.channel == ledger.SUMMARY,
        LEDGER.c.status == ledger.WAITING,
    )
    .values(status=ledger.SUMMED_UP, settled_at=bindparam("at"))
)


def sum_up(
    db: Connection,
    tables: Tables,
    recipients: Callable[[str], Sequence[Recipient]],
    present: datetime,
) -> int:
    """Write a notice for everybody who is to be told of what was history; return how many.

    Args:
        db: A transaction of its own: what is named in a notice waits no longer, all or nothing. It
            is alone in telling: of two who sum up at once the second finds nothing left.
        tables: Those that serve: what still holds.
        recipients: Organisation → everybody who is told there.
        present: Up to when every partition was handled, as the stream knows the time.
    """
    written = 0
    for organisation in db.scalars(_WHOSE).all():
        alone(db, organisation)
        waiting: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in db.execute(_waiting(tables, organisation)):
            waiting[row.clinic].append(row)
        for clinic, rows in sorted(waiting.items()):
            last = from_micros(max(row.written_at for row in rows))
            quiet_until = max((row.due_at for row in rows if row.due_at is not None), default=0)
            if last + QUIET_FOR <= present and quiet_until <= to_micros(present):
                named = _named(db, rows, recipients(organisation), present)
                _write(db, organisation, clinic, named, present)
                written += len(named)
    return written


def waiting_history(db: Connection, organisation: str) -> int:
    """Return how many alerts still hold that were history when they became known.

    They were told to nobody and wait in the ledger for their summary.
    """
    asked = select(func.count(LEDGER.c.alert.distinct())).where(
        LEDGER.c.organisation == organisation,
        LEDGER.c.channel == ledger.SUMMARY,
        LEDGER.c.status == ledger.WAITING,
    )
    return db.execute(asked).scalar_one()


def _waiting(tables: Tables, organisation: str) -> Any:
    inbox = tables.inbox
    return (
        select(LEDGER, STEPS.c.body, *STANDS, inbox.c.clinic)
        .join(STEPS, OF_ITS_STEP)
        .join(LAST, ITS_LAST)
        .join(
            inbox,
            and_(inbox.c.organisation == LEDGER.c.organisation, inbox.c.alert == LEDGER.c.alert),
        )
        .where(
            LEDGER.c.organisation == organisation,
            LEDGER.c.channel == ledger.SUMMARY,
            LEDGER.c.status == ledger.WAITING,
            inbox.c.state.in_(ALIVE),
        )
        .order_by(LEDGER.c.alert, LEDGER.c.number)
    )


def _named(
    db: Connection, rows: Iterable[Row[Any]], people: Sequence[Recipient], present: datetime
) -> Mapping[str, list[Row[Any]]]:
    """Return recipient → what is to be named to them; what can be told to nobody is noted."""
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        taken = {"whose": row.organisation, "which": row.alert, "its_step": row.step}
        db.execute(_TAKE, {**taken, "at": to_micros(present)})
        who = readers_now(row, people, row.clinic)
        if not who.recipients:
            insert(db, LEDGER, [notices.telling(row, ledger.NOBODY, who.outcome, present)])
        for one in set(who.recipients) - _named_since(db, row):
            found[one].append(row)
    return found


def _named_since(db: Connection, row: Row[Any]) -> set[str]:
    """Return who was named the alert in another message since, a report or a digest."""
    message = and_(
        STEPS.c.organisation == LEDGER.c.organisation, STEPS.c.alert == LEDGER.c.message
    )
    asked = (
        select(LEDGER.c.recipient)
        .join(STEPS, message)
        .where(
            LEDGER.c.organisation == row.organisation,
            LEDGER.c.alert == row.alert,
            LEDGER.c.channel == ledger.WEBHOOK,
            LEDGER.c.status.not_in((*ledger.UNSAID, ledger.GIVEN_UP)),
            STEPS.c.decided_at >= row.written_at,
        )
    )
    return set(db.scalars(asked))


def _write(
    db: Connection,
    organisation: str,
    clinic: str,
    named: Mapping[str, list[Row[Any]]],
    present: datetime,
) -> None:
    """Write the notices, each to one recipient; what it names is noted as told by it."""
    for recipient, rows in sorted(named.items()):
        told = [(row.alert, row.step) for row in rows]
        name = notices.name_of(SUMMARY_OF_HISTORY, organisation, recipient, told)
        collected = [
            notices.telling(row, recipient, ledger.COLLECTED, present, name) for row in rows
        ]
        insert(db, LEDGER, collected)
        alerts = list(dict.fromkeys(row.alert for row in rows))
        said = {"clinic": clinic or None, "alerts": alerts}
        notices.write(db, organisation, recipient, name, SUMMARY_OF_HISTORY, said, present)
