"""How far the consumers are behind the stream, and what an import left to be told."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from services.alerts import summaries, tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.watcher import Watcher
from services.projections import read_models
from services.projections.projector import Projector
from shared.storage import generations, positions
from shared.storage.engine import Database
from shared.storage.table_sets import Catalogue
from shared.stream.ports import Partition, Stream

PATIENCE_S: Final = 2.0
"""How long a consumer may stand still before nobody waits for it any more: it does not run."""

ASK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer, whichever generation of it serves."""

    set: str
    name: str
    topics: tuple[str, ...]

    def now(self, db: Connection) -> str:
        """Return the name under which the generation that serves keeps its positions."""
        return Catalogue(generations.active(db, self.set)).consumer(self.name)


TIMELINES: Final = Consumer(
    read_models.TIMELINES.name, read_models.TIMELINES.consumer, Projector.topics
)
ALERTS: Final = Consumer(tables.NAME, tables.CONSUMER, Watcher.topics)


def behind(stream: Stream, database: Database, *consumers: Consumer) -> int:
    """Return how many records the consumers have still to handle."""
    missing = 0
    with database.read() as db:
        for consumer in consumers:
            at = positions.all_of(db, consumer.now(db))
            for topic in consumer.topics:
                for place, end in stream.ends(topic).items():
                    missing += max(0, end - _next(at, place))
    return missing


def caught_up(stream: Stream, database: Database) -> bool:
    """Return whether every consumer has handled all that the stream holds now."""
    return behind(stream, database, TIMELINES, ALERTS) == 0


def history_waiting(stream: Stream, database: Database, organisation: str) -> tuple[int, bool]:
    """Return how many alerts wait as history, and whether every event has been judged.

    Waits for the alerts service as long as it comes nearer; if it does not run, not for long.
    """
    tables.prepare(database, EVERY_RULE)
    left, moved_at = behind(stream, database, ALERTS), time.monotonic()
    while left and time.monotonic() - moved_at < PATIENCE_S:
        time.sleep(ASK_EVERY_S)
        now_left = behind(stream, database, ALERTS)
        if now_left != left:
            left, moved_at = now_left, time.monotonic()
    with database.read() as db:
        return summaries.waiting_history(db, organisation), left == 0


def _next(at: Mapping[tuple[str, int], positions.Position], place: Partition) -> int:
    found = at.get((place.topic, place.number))
    return 0 if found is None else found.next_offset
