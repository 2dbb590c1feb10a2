"""Tell what a clinic's quiet start held back, once, when its quiet days are over.

One message per clinic and recipient: how many notices they would have had, and which of those
alerts still hold. It goes by the ledger alone.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, and_, bindparam, select

from services.alerts import ledger, notices
from services.alerts.alone import alone
from services.alerts.latest import ITS_BODY, ITS_LAST, LAST, STANDS, readers_now
from services.alerts.ledger import LEDGER, OF_ITS_STEP, STEPS
from services.alerts.notices import REPORT, WOULD_HAVE_BEEN
from services.alerts.outbox import ALIVE
from shared.clock import to_micros
from shared.storage.accounts import Recipient
from shared.storage.engine import insert

_WAITS: Final = and_(LEDGER.c.status == ledger.QUIET, LEDGER.c.channel == ledger.SUMMARY)
_OVER: Final = (
    select(LEDGER.c.organisation)
    .distinct()
    .where(_WAITS, LEDGER.c.due_at <= bindparam("present"))
    .order_by(LEDGER.c.organisation)
)
_QUIET: Final = (
    select(LEDGER, STEPS.c.body, *STANDS, ITS_BODY)
    .join(STEPS, OF_ITS_STEP)
    .join(LAST, ITS_LAST)
    .where(LEDGER.c.organisation == bindparam("whose"), _WAITS)
    .order_by(STEPS.c.decided_at, STEPS.c.effective_at, STEPS.c.rule, LEDGER.c.alert)
)


def report(
    db: Connection, recipients: Callable[[str], Sequence[Recipient]], present: datetime
) -> int:
    """Write the reports of quiet starts that are over; return how many.

    Args:
        db: A transaction of its own: what is reported waits no longer, all or nothing. It is alone
            in telling: of two who report at once the second finds nothing left.
        recipients: Organisation → everybody who is told there.
        present: Up to when every partition was handled, as the stream knows the time.
    """
    written = 0
    for organisation in db.scalars(_OVER, {"present": to_micros(present)}).all():
        alone(db, organisation)
        clinics: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in db.execute(_QUIET, {"whose": organisation}):
            clinics[orjson.loads(row.body)["clinic"] or ""].append(row)
        for clinic, rows in sorted(clinics.items()):
            if max(row.due_at for row in rows) <= to_micros(present):
                written += _report(db, clinic, rows, recipients(organisation), present)
    return written


def _report(
    db: Connection,
    clinic: str,
    rows: Sequence[Row[Any]],
    people: Sequence[Recipient],
    present: datetime,
) -> int:
    """Write the reports of one clinic, one to each who would have been told."""
    theirs: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        who = readers_now(row, people, clinic)
        for one in who.recipients:
            theirs[one].append(row)
        if not who.recipients:
            insert(db, LEDGER, [notices.telling(row, ledger.NOBODY, who.outcome, present)])
    _wait_no_longer(db, rows, present)
    for recipient, some in sorted(theirs.items()):
        _write(db, clinic, recipient, some, present)
    return len(theirs)


def _wait_no_longer(db: Connection, rows: Iterable[Row[Any]], present: datetime) -> None:
    now = {"status": ledger.SUMMED_UP, "settled_at": to_micros(present)}
    for row in rows:
        ledger.update(db, row, **now)


def _write(
    db: Connection, clinic: str, recipient: str, rows: Sequence[Row[Any]], present: datetime
) -> None:
    organisation = rows[0].organisation
    name = notices.name_of(
        REPORT, organisation, recipient, [(row.alert, row.step) for row in rows]
    )
    alive = [row for row in rows if orjson.loads(row.last_body)["state"] in ALIVE]
    told = [notices.telling(row, recipient, ledger.COLLECTED, present, name) for row in alive]
    insert(db, LEDGER, told)
    urgencies = Counter(orjson.loads(row.body)["urgency"] for row in rows)
    said = {
        "clinic": clinic or None,
        "alerts": list(dict.fromkeys(row.alert for row in alive)),
        WOULD_HAVE_BEEN: {one: urgencies[one] for one in ("urgent", "attention")},
    }
    notices.write(db, organisation, recipient, name, REPORT, said, present)
