"""What became of telling people: for whoever asks why they were, or were not, told at once.

Only recipients of one's own organisation are named, by their opaque ids. Why a notice was not
sent after all is not said: that it concerns its reader is for nobody to read off a list.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, Select, select

from services.alerts import notices
from services.alerts.ledger import (
    CANCELLED,
    COLLECTED,
    COVERED,
    GIVEN_UP,
    GROUPED,
    HELD,
    LEDGER,
    NOBODY,
    OF_ITS_STEP,
    PENDING,
    QUIET,
    SENT,
    SETTLED,
    STEPS,
    SUMMARY,
    SUMMED_UP,
    UNDELIVERABLE,
    WAITING,
    WEBHOOK,
    WITHOUT_RECIPIENT,
)
from shared.clock import format_time, from_micros

WORDS: Final[Mapping[str, str]] = {
    PENDING: "on its way",
    SENT: "sent",
    GIVEN_UP: "given up: nobody took it there",
    CANCELLED: "not sent after all",
    QUIET: "its clinic had just begun: named in a report when the quiet days are over",
    HELD: "over the day's number of notices: named in the digest when the day is over",
    COLLECTED: "named in a message that is on its way",
    GROUPED: "told by the notice of another alert of its group",
    COVERED: "not sent by itself: a later step says as much",
    WAITING: "history when it became known: a summary is to come",
    SUMMED_UP: "history, or of a quiet start: named in a message of many",
    SETTLED: "no news: other rules held it when they took over",
    UNDELIVERABLE: "told to nobody: it concerns everybody who could be",
    WITHOUT_RECIPIENT: "told to nobody: there is no recipient for it",
}
"""What became of it, in words."""

_MESSAGES: Final = STEPS.alias("messages")


def of_alert(db: Connection, organisation: str, alert: str) -> list[dict[str, Any]]:
    """Return whom the steps of an alert were told to, or not, in order."""
    asked = _asked(organisation).where(LEDGER.c.alert == alert)
    ordered = asked.order_by(LEDGER.c.number, LEDGER.c.channel, LEDGER.c.recipient)
    return [_entry(row) for row in db.execute(ordered)]


def of_recipient(
    db: Connection, organisation: str, recipient: str, limit: int
) -> list[dict[str, Any]]:
    """Return what became of the latest notices for a recipient, the latest first."""
    asked = _asked(organisation).where(
        LEDGER.c.recipient == recipient, STEPS.c.kind.not_in(notices.KINDS)
    )
    latest = (STEPS.c.decided_at.desc(), STEPS.c.effective_at.desc(), STEPS.c.rule)
    ordered = asked.order_by(*latest, LEDGER.c.alert, LEDGER.c.number.desc())
    return [{"alert": row.alert, **_entry(row)} for row in db.execute(ordered.limit(limit))]


def without_hidden(delivery: dict[str, Any], visible: Collection[str]) -> dict[str, Any]:
    """Return a delivery that names no alert but those which whoever asks may see."""
    return delivery if delivery["under"] in visible else {**delivery, "under": None}


def held_of(db: Connection, organisation: str, alerts: Collection[str]) -> dict[str, str]:
    """Return which of some alerts wait for a digest, each with the digest's day."""
    asked = select(LEDGER.c.alert, LEDGER.c.day).where(
        LEDGER.c.organisation == organisation,
        LEDGER.c.alert.in_(alerts),
        LEDGER.c.status == HELD,
    )
    return {row.alert: row.day for row in db.execute(asked)}


def said_of(delivery: Mapping[str, Any]) -> str:
    """Return what became of a delivery in one line, for the terminal."""
    named = {
        notices.DIGEST: f"digest of {delivery['day']}",
        notices.SUMMARY_OF_HISTORY: "summary of what was history",
        notices.REPORT: "report of the quiet start",
    }
    message = delivery["message"]
    more = named[message] if message else delivery["under"]
    return f"{delivery['words']} ({more})" if more else str(delivery["words"])


def _asked(organisation: str) -> Select[Any]:
    said = (STEPS.c.kind, STEPS.c.decided_at, _MESSAGES.c.kind.label("named_in"))
    whole = (_MESSAGES.c.organisation == LEDGER.c.organisation) & (
        _MESSAGES.c.alert == LEDGER.c.message
    )
    return (
        select(LEDGER, *said, _MESSAGES.c.body.label("message_body"))
        .join(STEPS, OF_ITS_STEP)
        .join(_MESSAGES, whole, isouter=True)
        .where(LEDGER.c.organisation == organisation, LEDGER.c.channel.in_((WEBHOOK, SUMMARY)))
    )


def _entry(row: Row[Any]) -> dict[str, Any]:
    day = row.day if row.status == HELD else None
    if row.message_body is not None:
        day = orjson.loads(row.message_body).get("day")
    return {
        "step": row.kind,
        "at": format_time(from_micros(row.decided_at)),
        "recipient": None if row.recipient == NOBODY else row.recipient,
        "status": row.status,
        "words": WORDS[row.status],
        "message": notices.DIGEST if row.status == HELD else row.named_in,
        "day": day,
        "under": row.under,
        "attempts": row.attempts,
        "settled_at": None if row.settled_at is None else format_time(from_micros(row.settled_at)),
    }
