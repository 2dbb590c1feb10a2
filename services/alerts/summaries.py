"""Tell what was history, once: a summary per clinic and recipient (invariant 9).

What became true long before it was learnt is no news: it waits in the ledger. Once nothing more of
that kind has come to light at a clinic for a day, a backfill is over, and one notice names every
alert of it that still holds, with no word on any of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, and_, bindparam, select

from services.alerts import ledger
from services.alerts.audience import audience
from services.alerts.ledger import LEDGER, OF_ITS_STEP, STEPS
from services.alerts.outbox import ALIVE, SUMMARY_OF_HISTORY
from services.alerts.steps import SOURCE
from services.alerts.tables import Tables
from shared import ids
from shared.alliance.matters import UNKNOWN
from shared.clock import from_micros, to_micros
from shared.storage.accounts import Recipient
from shared.storage.engine import insert

QUIET_FOR: Final = timedelta(hours=24)
"""design.md section 3: so long after the last of it, the history of a clinic is summed up."""

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
        db: A transaction of its own: what is named in a notice waits no longer, all or nothing.
        tables: Those that serve: what still holds.
        recipients: Organisation → everybody who is told there.
        present: Up to when every partition was handled, as the stream knows the time.
    """
    waiting: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in db.execute(_waiting(tables)):
        waiting[row.organisation, row.clinic].append(row)
    notices = 0
    for (organisation, clinic), rows in sorted(waiting.items()):
        last = from_micros(max(row.written_at for row in rows))
        if last + QUIET_FOR <= present:
            named = _named(db, rows, recipients(organisation), present)
            _write(db, organisation, clinic, named, last, present)
            notices += len(named)
    return notices


def _waiting(tables: Tables) -> Any:
    inbox = tables.inbox
    return (
        select(LEDGER, STEPS.c.body, STEPS.c.concerned, STEPS.c.therapist, inbox.c.clinic)
        .join(STEPS, OF_ITS_STEP)
        .join(
            inbox,
            and_(inbox.c.organisation == LEDGER.c.organisation, inbox.c.alert == LEDGER.c.alert),
        )
        .where(
            LEDGER.c.channel == ledger.SUMMARY,
            LEDGER.c.status == ledger.WAITING,
            inbox.c.state.in_(ALIVE),
        )
        .order_by(LEDGER.c.alert, LEDGER.c.number)
    )


def _named(
    db: Connection, rows: Iterable[Row[Any]], people: Sequence[Recipient], present: datetime
) -> Mapping[str, list[str]]:
    """Return recipient → the alerts to name; each is noted as told to them."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        taken = {"whose": row.organisation, "which": row.alert, "its_step": row.step}
        if db.execute(_TAKE, {**taken, "at": to_micros(present)}).rowcount != 1:
            continue  # Another has summed it up.
        who = audience(
            people,
            roles=orjson.loads(row.body)["tell"],
            clinics=[row.clinic] if row.clinic else [],
            therapist=row.therapist,
            concerned=set(row.concerned) - {UNKNOWN},
        )
        told = dict.fromkeys(who.recipients, ledger.SUMMED_UP) or {ledger.NOBODY: who.outcome}
        insert(db, LEDGER, [_telling(row, one, told[one], present) for one in told])
        for one in who.recipients:
            found[one].append(row.alert)
    return found


def _write(
    db: Connection,
    organisation: str,
    clinic: str,
    named: Mapping[str, list[str]],
    last: datetime,
    present: datetime,
) -> None:
    """Write the notices: steps of no alert, which no list shows, each to one recipient."""
    at, ends = to_micros(present), str(to_micros(last))
    for recipient, alerts in sorted(named.items()):
        name = ids.derived_id("summary", organisation, clinic, recipient, ends)
        body = {"clinic": clinic or None, "alerts": alerts, "urgency": "information"}
        step = {
            "organisation": organisation, "alert": name, "number": 1, "step": SUMMARY_OF_HISTORY,
            "id": ids.event_id(organisation, "", SOURCE, f"{name}/{SUMMARY_OF_HISTORY}"),
            "client": "", "care": "", "therapist": "", "rule": "", "kind": SUMMARY_OF_HISTORY,
            "round": 1, "keys": [], "effective_at": at, "cleared_at": None, "decided_at": at,
            "escalated_at": at, "first_decided_at": at, "concerned": [], "hidden": True,
            "body": orjson.dumps(body),
        }  # fmt: skip
        row = {
            "organisation": organisation, "alert": name, "step": SUMMARY_OF_HISTORY,
            "channel": ledger.WEBHOOK, "recipient": recipient, "number": 1,
            "status": ledger.PENDING, "written_at": at, "due_at": ledger.AT_ONCE, "attempts": 0,
        }  # fmt: skip
        insert(db, STEPS, [step])
        insert(db, LEDGER, [row])


def _telling(row: Row[Any], recipient: str, status: str, present: datetime) -> dict[str, Any]:
    return {
        "organisation": row.organisation,
        "alert": row.alert,
        "step": row.step,
        "channel": ledger.WEBHOOK,
        "recipient": recipient,
        "number": row.number,
        "status": status,
        "written_at": to_micros(present),
        "attempts": 0,
        "settled_at": to_micros(present),
    }
