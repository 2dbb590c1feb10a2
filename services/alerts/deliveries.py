"""Send what the ledger holds: steps onto the topic of alerts, messages to recipients.

Nothing is decided here. A crash between commit and send loses nothing, because the rows stay; one
between send and settling repeats a message under the same id, which is how recipients tell.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import Connection

from services.alerts import notices, outbox, standing_in, withholding
from services.alerts.alone import alone
from services.alerts.ledger import STREAM, WEBHOOK
from services.alerts.outbox import Due
from services.alerts.steps import SOURCE
from services.alerts.webhook import Message, MessageSender
from shared import metrics
from shared.clock import format_time, parse_time
from shared.envelope import TYPE_PREFIX, Envelope, Event
from shared.storage.accounts import Recipient
from shared.storage.engine import Database
from shared.stream import codec
from shared.stream.ports import ALERTS, Outgoing, Publisher

STREAM_LIMIT: Final = 200
WEBHOOK_LIMIT: Final = 20
"""Rows that one step takes in hand."""

RAPPORT: Final = "rapport"


class Deliverer:
    """A worker: takes due rows of the ledger and sends them."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        recipients: Callable[[str], Sequence[Recipient]],
        sender: MessageSender,
        *,
        publish_deadline_s: float,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send nothing yet.

        Args:
            database: Where the ledger is.
            publisher: Closed with the worker.
            recipients: Organisation → its recipients as they are now, asked for each delivery.
            sender: Sends one message.
            publish_deadline_s: How long the stream may take to acknowledge.
            stopwatch: Seconds since some moment: slow recipients make a step last minutes.
        """
        self._database = database
        self._publisher = publisher
        self._recipients = recipients
        self._sender = sender
        self._publish_deadline_s = publish_deadline_s
        self._stopwatch = stopwatch
        self._me = uuid.uuid4().hex

    def step(self, now: datetime) -> bool:
        """Send what is due; return whether there was anything.

        Raises:
            Unavailable: when the database or the stream does not answer; step again later.
        """
        with self._database.ask() as db:
            if not outbox.any_due(db, now):
                return False
        published = self._publish(now)
        told = self._tell(now)
        return published or told

    def close(self) -> None:
        """Close the publisher."""
        self._publisher.close()

    def _publish(self, now: datetime) -> bool:
        with self._database.write() as db:
            rows = outbox.claim(db, STREAM, self._me, now, STREAM_LIMIT)
        if not rows:
            return False
        try:
            self._publisher.publish([_record(row) for row in rows], self._publish_deadline_s)
        except Exception:
            # Whether the stream has them is not known; publishing them again is safe.
            with self._database.write() as db:
                for row in rows:
                    outbox.release(db, row, self._me)
            raise
        with self._database.write() as db:
            for row in rows:
                outbox.delivered(db, row, self._me, now)
        return True

    def _tell(self, now: datetime) -> bool:
        with self._database.write() as db:
            rows = outbox.claim(db, WEBHOOK, self._me, now, WEBHOOK_LIMIT)
        people = {one: self._by_id(one) for one in {row.organisation for row in rows}}
        failing: set[tuple[str, str]] = set()
        began = self._stopwatch()
        for row in rows:
            at = now + self._since(began)
            who = (row.organisation, row.recipient)
            if who in failing:
                with self._database.write() as db:
                    outbox.release(db, row, self._me)
            elif not self._tell_one(row, people[row.organisation].get(row.recipient), at):
                failing.add(who)
        return bool(rows)

    def _by_id(self, organisation: str) -> Mapping[str, Recipient]:
        return {one.id: one for one in self._recipients(organisation) if not one.disabled}

    def _tell_one(self, row: Due, recipient: Recipient | None, now: datetime) -> bool:
        """Try one row; return False where its recipient should be spared for now."""
        if not self._may_tell(row, recipient, now) or recipient is None:
            return True
        began = self._stopwatch()
        outcome = self._sender.send(recipient.url, recipient.secret, message(row), now)
        now += self._since(began)
        with self._database.write() as db:
            alone(db, row.organisation)
            if outcome == "delivered":
                outbox.delivered(db, row, self._me, now)
                metrics.DELIVERIES.labels("delivered").inc()
                return True
            if outbox.is_last(row):
                self._give_up(db, row, now)
            else:
                outbox.failed(db, row, self._me, now)
        if outcome == "blocked":
            metrics.DELIVERIES.labels("blocked").inc()
        elif not outbox.is_last(row):
            metrics.DELIVERIES.labels("retried").inc()
        return False

    def _give_up(self, db: Connection, row: Due, now: datetime) -> None:
        """Settle a row that reached nobody; tell whoever stands in, where somebody must."""
        if not outbox.given_up(db, row, self._me, now):
            return
        standing_in.after_giving_up(db, row, self._recipients(row.organisation), now)
        metrics.DELIVERIES.labels("given_up").inc()

    def _since(self, began: float) -> timedelta:
        """Return how long it took, in whole seconds: what took none leaves the time as it is."""
        return timedelta(seconds=int(self._stopwatch() - began))

    def _may_tell(self, row: Due, recipient: Recipient | None, now: datetime) -> bool:
        """Renew the claim on a row; settle it where its recipient must not be told (any more)."""
        everybody = self._recipients(row.organisation)
        with self._database.write() as db:
            if recipient is None:
                alone(db, row.organisation)
                self._give_up(db, row, now)
            elif recipient.person in withholding.concerned(db, row):
                withholding.withhold(db, row, self._me, now, everybody)
            elif outbox.still_mine(db, row, self._me, now):
                return True
            else:
                # It was hushed since it was claimed: nobody was told of it here.
                outbox.release(db, row, self._me)
        return False


def message(row: Due) -> Message:
    """Return what a recipient is sent: ids alone, and the same bytes at every attempt."""
    about = {"alert": row.alert, "step": row.id, "urgency": row.body["urgency"]}
    if row.body.get("group") is not None:
        about["group"] = row.body["group"]
    if row.kind in notices.KINDS:
        about = {name: said for name, said in row.body.items() if name != "urgency"}
    body = {
        "type": f"{TYPE_PREFIX}alert.{row.kind}",
        "timestamp": format_time(row.decided_at),
        "data": about,
    }
    return Message(row.id, orjson.dumps(body))


def _record(row: Due) -> Outgoing:
    """Return the record of a step; the same row gives the same bytes."""
    data = orjson.dumps(row.body, option=orjson.OPT_SORT_KEYS)
    at = parse_time(row.body["effective_at"]) if row.kind == "opened" else row.decided_at
    event = Event(
        type=f"alert.{row.kind}",
        source=SOURCE,
        id=f"{row.alert}/{row.step}",
        time=at,
        subject=row.client,
        data=row.body,
    )
    content = hashlib.sha256(data).hexdigest()[:32]
    envelope = Envelope(row.organisation, RAPPORT, event, content, row.decided_at)
    return codec.encode(envelope, ALERTS)
