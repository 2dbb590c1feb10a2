"""What became of telling people: for whoever asks why they were, or were not, told at once.

Only recipients of one's own organisation are named, by their opaque ids. Why a notice was not
sent after all is not said: that it concerns its reader is for nobody to read off a list.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    cast,
    exists,
    func,
    or_,
    select,
)

from services.alerts import acknowledging, notices
from services.alerts.ledger import (
    CANCELLED,
    COLLECTED,
    COVERED,
    GIVEN_UP,
    GROUPED,
    HELD,
    HUSHED,
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
from services.alerts.tables import shown
from shared.alliance.matters import UNKNOWN
from shared.clock import format_time, from_micros

WORDS: Final[Mapping[str, str]] = {
    PENDING: "on its way",
    SENT: "sent",
    GIVEN_UP: "given up: nobody took it there",
    CANCELLED: "not sent after all",
    HUSHED: "not sent for now",
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
_ANY: Final = STEPS.alias("any_step")


def of_alert(db: Connection, organisation: str, alert: str) -> list[dict[str, Any]]:
    """Return whom the steps of an alert were told to, or not, in order."""
    asked = _asked(organisation).where(LEDGER.c.alert == alert)
    ordered = asked.order_by(LEDGER.c.number, LEDGER.c.channel, LEDGER.c.recipient)
    return [_entry(row) for row in db.execute(ordered)]


def of_recipient(
    db: Connection, organisation: str, recipient: str, limit: int, person: str | None = None
) -> list[dict[str, Any]]:
    """Return what became of the latest notices for a recipient, the latest first.

    What concerns them is left out, be it that they were told before anybody knew: the list is
    there to be shown to them.

    Args:
        db: Any transaction.
        organisation: Whose.
        recipient: Its id.
        limit: How many at most.
        person: Opaque reference of who reads there; None where it is nobody's alone.
    """
    asked = _asked(organisation).where(
        LEDGER.c.recipient == recipient, STEPS.c.kind.not_in(notices.KINDS)
    )
    if person is not None:
        asked = asked.where(~_concerns(LEDGER.c.alert, person))
        asked = asked.where(or_(LEDGER.c.under.is_(None), ~_concerns(LEDGER.c.under, person)))
    latest = (STEPS.c.decided_at.desc(), STEPS.c.effective_at.desc(), STEPS.c.rule)
    ordered = asked.order_by(*latest, LEDGER.c.alert, LEDGER.c.number.desc())
    rows = db.execute(ordered.add_columns(STEPS.c.body).limit(limit)).all()
    inbox = shown(db).inbox.c
    standing = select(inbox.alert, inbox.body).where(
        inbox.organisation == organisation, inbox.alert.in_({row.alert for row in rows})
    )
    now = {row.alert: orjson.loads(row.body) for row in db.execute(standing)}
    return [
        {
            "alert": row.alert,
            **_entry(row),
            **_about(orjson.loads(row.body)),
            "acknowledged": None
            if person is None
            else row.alert in now and acknowledging.since(now[row.alert], person, row.decided_at),
        }
        for row in rows
    ]


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


def _about(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an alert is about, as it was told: opaque references, and nobody's name."""
    return {name: alert[name] for name in ("title", "rule", "urgency", "client", "clinic")}


def _concerns(alert: ColumnElement[Any], person: str) -> ColumnElement[bool]:
    """Return whether an alert ever concerned somebody, or may have, by any of its steps."""
    people = cast(_ANY.c.concerned, String)
    # Unlike LIKE, this tells capital letters apart in every database.
    named = [func.replace(people, f'"{one}"', "") != people for one in (person, UNKNOWN)]
    return exists().where(
        _ANY.c.organisation == LEDGER.c.organisation, _ANY.c.alert == alert, or_(*named)
    )


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
