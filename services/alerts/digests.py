"""Tell what came over the daily cap, once: a digest per recipient and day.

It is composed when the day is over in the clinic's zone, for every partition: then nothing more
is decided on that day.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select

from services.alerts import notices
from services.alerts.alone import alone
from services.alerts.ledger import COLLECTED, HELD, LEDGER, OF_ITS_STEP, STEPS, WEBHOOK
from services.alerts.notices import DIGEST
from shared.clock import to_micros

_OVER: Final = (
    select(LEDGER.c.organisation, LEDGER.c.recipient, LEDGER.c.day)
    .distinct()
    .where(
        LEDGER.c.status == HELD,
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.due_at <= bindparam("present"),
    )
    .order_by(LEDGER.c.organisation, LEDGER.c.recipient, LEDGER.c.day)
)
_HELD: Final = (
    select(LEDGER, *notices.SAID)
    .join(STEPS, OF_ITS_STEP)
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.recipient == bindparam("whom"),
        LEDGER.c.day == bindparam("on"),
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.status == HELD,
    )
    .order_by(STEPS.c.decided_at, STEPS.c.effective_at, STEPS.c.rule, LEDGER.c.alert)
)
_COLLECT: Final = (
    LEDGER.update()
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.recipient == bindparam("whom"),
        LEDGER.c.day == bindparam("on"),
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.status == HELD,
    )
    .values(status=COLLECTED, message=bindparam("name"))
)


def compose(db: Connection, present: datetime) -> int:
    """Write the digests of days that are over; return how many.

    Whether its reader may be told of all of it is looked at when it goes out.

    Args:
        db: A transaction of its own: what a digest names is collected, all or nothing. It is alone
            in telling: of two who compose at once the second finds nothing left.
        present: Up to when every partition was handled, as the stream knows the time.
    """
    written = 0
    for place in db.execute(_OVER, {"present": to_micros(present)}).all():
        alone(db, place.organisation)
        mine = {"whose": place.organisation, "whom": place.recipient, "on": place.day}
        rows = db.execute(_HELD, mine).all()
        if not rows or any(row.due_at > to_micros(present) for row in rows):
            continue  # One of their clinics lies where the day is not over yet.
        _compose(db, rows, mine, present)
        written += 1
    return written


def _compose(
    db: Connection, rows: Sequence[Row[Any]], mine: dict[str, str], present: datetime
) -> None:
    whose, whom = mine["whose"], mine["whom"]
    name = notices.name_of(DIGEST, whose, whom, [(row.alert, row.step) for row in rows])
    db.execute(_COLLECT, {**mine, "name": name})
    said = {"day": mine["on"], "alerts": list(dict.fromkeys(row.alert for row in rows))}
    notices.write(db, whose, whom, name, DIGEST, said, present)
