"""The ledger: every step of every alert, and who was told of it. Kept, never rebuilt.

What was told is a matter of record (invariant 4). The rows of ``ledger`` are the outbox as well:
they are written in the transaction that saves the judgement, and sent afterwards.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    exists,
    or_,
    select,
)

from services.alerts.notes import noted
from services.alerts.steps import Decided, Known
from shared.clock import from_micros, to_micros
from shared.storage.engine import insert
from shared.storage.kept import ID, KEPT
from shared.values import frozen

STREAM, WEBHOOK, SUMMARY = "stream", "webhook", "summary"
"""Channels: the topic of alerts; a recipient's webhook; the summary of what was history."""

PENDING, SENT, GIVEN_UP, CANCELLED = "pending", "sent", "given_up", "cancelled"
WAITING: Final = "waiting"
"""History: told to nobody yet; its summary is to come."""
QUIET: Final = "quiet"
"""Came in a clinic's quiet start: its report is to come."""
HELD: Final = "held"
"""Came over the recipient's daily cap: the digest of its day is to come."""
COLLECTED: Final = "collected"
"""Named in a message (``notices``) that is under way: it is settled with that."""
GROUPED: Final = "grouped"
"""Told by the notice of another alert of its group, which is named beside it."""
HUSHED: Final = "hushed"
"""Not said for now: consent to it is withdrawn, or it was over when it would have been its turn.
It is said where its alert holds and may be told of (``hushing``)."""
COVERED: Final = "covered"
"""Was still silent when a later step of its alert was decided, which says as much."""
UNDELIVERABLE, WITHOUT_RECIPIENT = "undeliverable", "without_recipient"
SUMMED_UP: Final = "summed_up"
"""History that was named in a summary; those who are told it have rows of their own."""
SETTLED: Final = "settled"
"""Held by rules that took over from others: as good as told, and told to nobody."""

UNSAID: Final = (CANCELLED, HUSHED)
"""Nobody is told, as things stand."""

NOBODY: Final = ""
"""Stands in the column ``recipient`` where there is none."""

AT_ONCE: Final = 0
_CHUNK: Final = 500

STEPS = Table(
    "ledger_steps",
    KEPT,
    Column("organisation", ID, nullable=False),
    Column("alert", String(36), nullable=False),
    Column("number", Integer, nullable=False),
    Column("id", String(36), nullable=False),
    Column("step", String(128), nullable=False),
    Column("client", ID, nullable=False),
    Column("care", ID, nullable=False),
    Column("therapist", ID, nullable=False),
    Column("rule", ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("round", Integer, nullable=False),
    Column("keys", JSON, nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger),
    Column("decided_at", BigInteger, nullable=False),
    Column("escalated_at", BigInteger, nullable=False),
    Column("first_decided_at", BigInteger, nullable=False),
    Column("concerned", JSON, nullable=False),
    Column("clinics", JSON),
    Column("hidden", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organisation", "alert", "number"),
    UniqueConstraint("organisation", "id"),
    Index(None, "organisation", "client"),
)
"""``clinics`` are those that the alert is about; null where an earlier version wrote the step."""

LEDGER = Table(
    "ledger",
    KEPT,
    Column("organisation", ID, nullable=False),
    Column("alert", String(36), nullable=False),
    Column("step", String(128), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("recipient", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", String(24), nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("holder", String(36)),
    Column("held_until", BigInteger),
    Column("settled_at", BigInteger),
    Column("day", String(10)),
    Column("message", String(36)),
    Column("group_id", String(36)),
    Column("under", String(36)),
    PrimaryKeyConstraint("organisation", "alert", "step", "channel", "recipient"),
    Index(None, "status", "channel", "due_at"),
    Index(None, "organisation", "recipient", "day"),
    Index(None, "organisation", "message"),
    Index(None, "organisation", "group_id"),
    Index(None, "organisation", "under"),
)
"""Unique per (alert, step, channel, recipient): nobody is told anything twice.

``day`` is the date, in the clinic's zone, on which a row counts towards the daily cap; ``message``
names the message of many alerts that tells it, if one does; ``under`` the alert of its group.
"""

OF_ITS_STEP: Final = and_(
    STEPS.c.organisation == LEDGER.c.organisation,
    STEPS.c.alert == LEDGER.c.alert,
    STEPS.c.number == LEDGER.c.number,
)
"""Joins a row of the ledger to the step that it tells."""


PERHAPS_TOLD: Final = or_(
    LEDGER.c.status.not_in(UNSAID),
    and_(LEDGER.c.status == HUSHED, or_(LEDGER.c.attempts > 0, LEDGER.c.holder.is_not(None))),
)
"""Somebody was told, or soon is, or was tried before consent was withdrawn, or is right now."""


@frozen
class Entry:
    """What becomes of telling a step to somebody.

    Attributes:
        status: One of the words above.
        day: The date on which it counts towards the daily cap; None: it never does.
        due_at: When it is told, where that is not at once.
        group: The group of alerts that it belongs to, if any.
        under: The alert of its group that tells of it, where it is ``grouped``.
    """

    status: str
    day: str | None = None
    due_at: int | None = None
    group: str | None = None
    under: str | None = None


Entries = Mapping[tuple[str, str], Entry]
"""(channel, recipient) → what becomes of telling it there."""

Key = tuple[str, str, str]
"""Care, therapist and rule: whose alerts are compared with whose episodes."""


_LATER: Final = STEPS.alias("later")


@cache
def _last_steps(inbox: Table) -> Select[Any]:
    """Return what asks for the last step of every alert of clients: whether it is told, or shown.

    Told is an alert of which somebody was told, or soon is, or of which a step was settled: that
    it holds otherwise than before is no news then either. Whoever wrote a note on it knows of it.
    Made once: making this question costs ten times what asking it does (280 against 30 µs).
    """
    told = exists().where(
        LEDGER.c.organisation == STEPS.c.organisation,
        LEDGER.c.alert == STEPS.c.alert,
        LEDGER.c.channel == WEBHOOK,
        or_(
            and_(LEDGER.c.recipient != NOBODY, PERHAPS_TOLD),
            LEDGER.c.status == SETTLED,
        ),
    )
    silent = exists().where(
        LEDGER.c.organisation == STEPS.c.organisation,
        LEDGER.c.alert == STEPS.c.alert,
        LEDGER.c.status == HUSHED,
    )
    later = exists().where(
        _LATER.c.organisation == STEPS.c.organisation,
        _LATER.c.alert == STEPS.c.alert,
        _LATER.c.number > STEPS.c.number,
    )
    same = and_(inbox.c.organisation == STEPS.c.organisation, inbox.c.alert == STEPS.c.alert)
    known = or_(told, noted(STEPS)).label("told")
    return (
        select(STEPS, known, silent.label("silent"), inbox.c.number.label("shown"))
        .join_from(STEPS, inbox, same, isouter=True)
        .where(
            STEPS.c.organisation == bindparam("whose"),
            STEPS.c.client.in_(bindparam("clients", expanding=True)),
            ~later,
        )
    )


def known_alerts(
    db: Connection, inbox: Table, organisation: str, clients: Collection[str]
) -> dict[str, dict[Key, list[Known]]]:
    """Return every alert ever known of some clients, as its last step has it.

    Args:
        db: Any transaction.
        inbox: Where the alerts are shown.
        organisation: Whose clients.
        clients: Opaque ids.
    """
    rows = [
        row
        for chunk in _chunks(clients)
        for row in db.execute(_last_steps(inbox), {"whose": organisation, "clients": chunk})
    ]
    rows.sort(key=lambda row: (row.first_decided_at, row.effective_at, row.alert))
    found: dict[str, dict[Key, list[Known]]] = {client: defaultdict(list) for client in clients}
    for first, row in enumerate(rows):
        known = _known(row, first)
        found[row.client][(row.care, row.therapist, row.rule)].append(known)
    return found


def keep(db: Connection, steps: Sequence[tuple[Decided, Entries]]) -> None:
    """Write steps, and whom each is to be told to.

    They are written when they were decided, as the stream knows the time. What is pending is due
    at once: that time may be ahead of the deliverer's, where a clock was wrong for a moment.
    """
    if not steps:
        return
    insert(db, STEPS, [_step_row(step) for step, _ in steps])
    rows = [
        {
            "organisation": step.subject.organisation,
            "alert": step.alert,
            "step": step.step,
            "channel": channel,
            "recipient": recipient,
            "number": step.number,
            "status": entry.status,
            "written_at": to_micros(step.decided_at),
            "due_at": AT_ONCE if entry.status == PENDING else entry.due_at,
            "attempts": 0,
            "day": entry.day,
            "group_id": entry.group,
            "under": entry.under,
        }
        for step, entries in steps
        for (channel, recipient), entry in entries.items()
    ]
    insert(db, LEDGER, rows)


def _chunks(names: Iterable[str]) -> Iterable[list[str]]:
    wanted = list(names)
    return (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))


def _known(row: Row[Any], first: int) -> Known:
    return Known(
        alert=row.alert,
        first=first,
        number=row.number,
        round=row.round,
        kind=row.kind,
        keys=tuple(row.keys),
        effective_at=from_micros(row.effective_at),
        cleared_at=None if row.cleared_at is None else from_micros(row.cleared_at),
        opened_at=from_micros(row.first_decided_at),
        escalated_at=from_micros(row.escalated_at),
        told=bool(row.told),
        silent=bool(row.silent),
        concerned=frozenset(row.concerned),
        body=orjson.loads(row.body),
        hidden=row.hidden,
        shown=row.shown or 0,
    )


def update(db: Connection, row: Row[Any], **values: Any) -> None:
    """Set columns of one row of the ledger."""
    its = (one == getattr(row, one.name) for one in LEDGER.primary_key.columns)
    db.execute(LEDGER.update().where(*its).values(values))


def _step_row(step: Decided) -> dict[str, Any]:
    subject = step.subject
    return {
        "organisation": subject.organisation,
        "alert": step.alert,
        "number": step.number,
        "id": step.id,
        "step": step.step,
        "client": subject.client,
        "care": subject.care,
        "therapist": subject.therapist,
        "rule": step.body["rule"],
        "kind": step.kind,
        "round": step.round,
        "keys": list(step.keys),
        "effective_at": to_micros(step.effective_at),
        "cleared_at": None if step.cleared_at is None else to_micros(step.cleared_at),
        "decided_at": to_micros(step.decided_at),
        "escalated_at": to_micros(step.escalated_at),
        "first_decided_at": to_micros(step.opened_at),
        "concerned": sorted(step.concerned),
        "clinics": list(subject.clinics),
        "hidden": step.hidden,
        "body": orjson.dumps(step.body),
    }
