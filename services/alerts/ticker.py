"""Tell the stream that time goes on, what was first seen, and which feeds have fallen silent.

Deadlines are judged against the latest tick of a partition, never against a wall clock. A feed is
silent by the time of the stream as well: a consumer that lags makes no source silent.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import func, select

from services.alerts import digests, reports, sightings, store, summaries
from services.alerts.intake import FEED_TYPES, FIRST, RAPPORT, TICK
from services.alerts.lease import Lease
from services.alerts.seen import SEEN
from services.alerts.sightings import Sighting
from services.alerts.silence import RESUMED, SILENT, Silence, silences
from services.alerts.tables import shown
from shared import metrics
from shared.alliance.reading import standing
from shared.clock import format_time, from_micros, to_micros
from shared.envelope import Envelope, Event
from shared.storage import facts
from shared.storage.accounts import Recipient, Source
from shared.storage.engine import Database
from shared.stream.broadcast import broadcast
from shared.stream.ports import Publisher

SOURCE: Final = "urn:rapport:ticker"
SAID_AT_ONCE: Final = 100
"""Own: so many sightings are published before it is written down that they were."""

EVERYBODY: Final = "rapport"
"""Stands for the organisation of a tick, which is everybody's."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a source has sent: for which clinics, and when last."""

    organisation: str
    source: str
    clinics: tuple[str, ...]
    last: datetime


class Ticker:
    """A worker: one of all processes publishes ticks and what they say of the feeds."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        partitions: Callable[[], int],
        source: Callable[[str], Source | None],
        recipients: Callable[[str], Sequence[Recipient]],
        *,
        every: timedelta,
        deadline_s: float,
    ) -> None:
        """Publish nothing yet.

        Args:
            database: Where the lease is, and what the watcher has seen.
            publisher: Closed with the worker.
            partitions: How many partitions the topic of events has.
            source: Source id → the registered source.
            recipients: Organisation → everybody who is told of alerts there.
            every: How often to tick.
            deadline_s: How long the stream may take to acknowledge.
        """
        self._database = database
        self._publisher = publisher
        self._partitions = partitions
        self._source = source
        self._recipients = recipients
        self._every = every
        self._deadline_s = deadline_s
        self._lease = Lease(database, "ticker")

    def step(self, now: datetime) -> bool:
        """Tick where that is due; after an outage once, with the present.

        Raises:
            Unavailable: when the stream or the database does not answer; step again later.
        """
        held = self._lease.hold(now)
        metrics.TICKER_HOLDER.set(1 if held else 0)
        tick_at = floor(now, self._every)
        if not held or to_micros(tick_at) <= self._lease.value:
            return False
        self._say_what_was_seen(now)
        # Feeds first: what the tick makes due must already know that a feed is silent.
        self._judge_feeds(now)
        self._publish(tick(tick_at, now))
        self._lease.keep(to_micros(tick_at))
        self._sum_up()
        metrics.LAST_TICK.set(tick_at.timestamp())
        return True

    def close(self) -> None:
        """Let another tick, and close the publisher."""
        self._lease.release()
        self._publisher.close()

    def _publish(self, envelope: Envelope) -> None:
        broadcast(self._publisher, envelope, self._partitions(), self._deadline_s)

    def _sum_up(self) -> None:
        """Tell what waited: history, what came over a daily cap, what a quiet start held back."""
        with self._database.read() as db:
            tables = shown(db)
            seen = store.present(db, tables)
        if len(seen) < self._partitions():
            return
        present = min(seen.values())
        # Each by itself: whoever waits for organisations does so in one order.
        with self._database.write() as db:
            digests.compose(db, present)
        with self._database.write() as db:
            reports.report(db, self._recipients, present)
        # The last: whoever is named an alert by the others need not be by this one too.
        with self._database.write() as db:
            summaries.sum_up(db, tables, self._recipients, present)

    def _say_what_was_seen(self, now: datetime) -> None:
        """Say of each type that was first seen from a clinic that it was: that arms rules."""
        with self._database.read() as db:
            tables = shown(db)
            fresh = sightings.unsaid(db, tables)
        for start in range(0, len(fresh), SAID_AT_ONCE):
            some = fresh[start : start + SAID_AT_ONCE]
            with self._database.read() as db:
                # After a rebuild the stream says it already, and whoever read it knows.
                missing = [
                    event
                    for event in (seen_event(one, now) for one in some)
                    if sightings.stands(db, tables, event.organisation, SOURCE, event.event.id)
                    < self._partitions()
                ]
            for event in missing:
                self._publish(event)
            with self._database.write() as db:
                sightings.said(db, tables, some)

    def _judge_feeds(self, now: datetime) -> None:
        feeds = self._feeds()
        with self._database.read() as db:
            tables = shown(db)
            seen = store.present(db, tables)
            known = {
                one: silences(
                    standing(
                        arrival.envelope
                        for arrival in facts.of_many(db, tables.facts, one, FIRST)
                        if arrival.envelope.event.type in FEED_TYPES
                    ).facts
                )
                for one in {feed.organisation for feed in feeds}
            }
        if len(seen) < self._partitions():
            return  # Not every partition was read so far: nobody can be called silent.
        silent = 0
        for feed in feeds:
            spans = known[feed.organisation].get(feed.source, ())
            event = self._change(feed, spans[-1] if spans else None, min(seen.values()), now)
            silent += bool(spans and spans[-1].resumed_at is None)
            if event is not None:
                self._publish(event)
        metrics.SOURCES_SILENT.set(silent)

    def _feeds(self) -> Sequence[Feed]:
        with self._database.read() as db:
            senders = shown(db).senders.c
            rows = db.execute(
                select(
                    senders.organisation,
                    senders.sender,
                    senders.clinic,
                    func.max(senders.recorded_at).label("last"),
                ).group_by(senders.organisation, senders.sender, senders.clinic)
            ).all()
        found: dict[tuple[str, str], dict[str, int]] = {}
        for row in rows:
            found.setdefault((row.organisation, row.sender), {})[row.clinic] = row.last
        return [
            Feed(organisation, sender, tuple(sorted(of)), from_micros(max(of.values())))
            for (organisation, sender), of in sorted(found.items())
        ]

    def _change(
        self, feed: Feed, last: Silence | None, seen: datetime, now: datetime
    ) -> Envelope | None:
        """Return what changed about a feed, under an id that is the same when asked again."""
        registered = self._source(feed.source)
        if registered is None or registered.organisation != feed.organisation:
            return None
        if last is not None and last.resumed_at is None:
            if feed.last <= last.since:
                return None
            return feed_event(RESUMED, feed, feed.last, last.since, now)
        limit = feed.last + timedelta(hours=registered.silent_after_hours)
        if limit > seen:
            return None
        return feed_event(SILENT, feed, limit, limit, now)


def floor(moment: datetime, every: timedelta) -> datetime:
    """Return the last moment of a regular grid: two tickers at once publish one tick."""
    micros, width = to_micros(moment), every // timedelta(microseconds=1)
    return from_micros(micros - micros % width)


def tick(tick_at: datetime, now: datetime) -> Envelope:
    """Return a tick of the clock."""
    text = format_time(tick_at)
    return _own(EVERYBODY, TICK, f"{TICK}/{text}", tick_at, {"tick_at": text}, now)


def feed_event(type: str, feed: Feed, at: datetime, named: datetime, now: datetime) -> Envelope:
    """Return the event that a feed changed.

    Args:
        type: ``feed.silent`` or ``feed.resumed``.
        feed: The feed.
        at: When it changed.
        named: What names the silence: since when it lasts.
        now: The present.
    """
    data = {"source": feed.source, "clinics": list(feed.clinics)}
    id = f"{type}/{feed.source}/{format_time(named)}"
    return _own(feed.organisation, type, id, at, data, now)


def seen_event(one: Sighting, now: datetime) -> Envelope:
    """Return the event that a type was seen, the same however often it is said."""
    data = {"clinic": one.clinic, "type": one.type}
    return _own(one.organisation, SEEN, f"{SEEN}/{one.clinic}/{one.type}", one.at, data, now)


def _own(
    organisation: str, type: str, id: str, time: datetime, data: dict[str, Any], now: datetime
) -> Envelope:
    content = hashlib.sha256(
        orjson.dumps([type, format_time(time), data], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()[:32]
    event = Event(type, SOURCE, id, time, None, data)
    return Envelope(organisation, RAPPORT, event, content, now)
