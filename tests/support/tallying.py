"""The smallest consumer: it keeps the id of every event once, and fails for whom a test names."""

import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, select

from shared.clock import ManualClock
from shared.envelope import Envelope
from shared.storage import positions
from shared.storage.engine import Database, insert_or_nothing
from shared.stream import redrive
from shared.stream.codec import encode
from shared.stream.handling import Item
from shared.stream.parking import MANY, Who
from shared.stream.ports import EVENTS, Outgoing, Stream
from shared.stream.redrive import Queue, Redrive, Retried
from shared.stream.runner import Runner
from tests.support import events as an
from tests.support.poison import Fragile, blamed

NAME: Final = "tally.v1"
DEADLINE_S: Final = 10.0
PATIENCE_S: Final = 60.0

TABLES: Final = MetaData()
SEEN: Final = Table(
    "tally",
    TABLES,
    Column("consumer", String(64), primary_key=True),
    Column("client", String(64), primary_key=True),
    Column("event", String(128), primary_key=True),
)
JUDGED: Final = Table(
    "tally_judged",
    TABLES,
    Column("consumer", String(64), primary_key=True),
    Column("client", String(64), primary_key=True),
    Column("events", String(2_000), nullable=False),
)


def facts(client: str, *names: str) -> list[Envelope]:
    """Return facts of a client, by their ids."""
    return [an.a_session_held(name, an.on(n), client=client, id=name)
            for n, name in enumerate(names)]  # fmt: skip


class Tally:
    """Keeps what came, and says of each client what it has of it; a fact of many touches all."""

    topics: tuple[str, ...] = (EVENTS,)

    def __init__(self, fragile: Fragile, name: str = NAME, clients_known: int = 0) -> None:
        """Fail for whom is named."""
        self.name = name
        self._fragile = fragile
        self._clients_known = clients_known

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Keep the events, and judge whom they touch."""
        for item in items:
            new = self._keep(db, item)
            many = item.who[1] == MANY
            clients = self._clients(db) if many and new else [] if many else [item.who[1]]
            for client in clients:
                if (item.who[0], client) not in held:
                    self._judge(db, item.who[0], client)

    def redo(self, db: Connection, item: Item, held: Collection[Who]) -> None:
        """Keep an event that had to wait; a fact of many touches all."""
        self.handle(db, [item], held)

    def refresh(
        self, db: Connection, who: Who, partition: int, next_offset: int, *, last: bool
    ) -> None:
        """Judge one client anew."""
        if who[1] != MANY:
            self._judge(db, *who)

    def clients_known(self, db: Connection) -> int:
        """Return what the test says."""
        return self._clients_known

    def _keep(self, db: Connection, item: Item) -> bool:
        event = item.envelope.event
        self._fragile.check(None, event.id)
        row = {"consumer": self.name, "client": event.subject or MANY, "event": event.id}
        made = insert_or_nothing(db, SEEN).values(row).returning(SEEN.c.event)
        return db.execute(made).first() is not None

    def _judge(self, db: Connection, organisation: str, client: str) -> None:
        blamed(self._fragile, organisation, client)
        mine = (JUDGED.c.consumer == self.name, JUDGED.c.client == client)
        db.execute(JUDGED.delete().where(*mine))
        said = " ".join(sorted(self._events(db, client) + self._events(db, MANY)))
        db.execute(JUDGED.insert(), {"consumer": self.name, "client": client, "events": said})

    def _events(self, db: Connection, client: str) -> list[str]:
        asked = select(SEEN.c.event).where(SEEN.c.consumer == self.name, SEEN.c.client == client)
        return list(db.execute(asked).scalars())

    def _clients(self, db: Connection) -> list[str]:
        asked = select(SEEN.c.client).where(SEEN.c.consumer == self.name, SEEN.c.client != MANY)
        return sorted(db.execute(asked.distinct()).scalars())


class Pausing(Tally):
    """Stands still in the middle of trying a record again, until it is told to go on."""

    def __init__(self, fragile: Fragile) -> None:
        """Wait for nothing yet."""
        super().__init__(fragile)
        self.inside, self.go_on = threading.Event(), threading.Event()

    def redo(self, db: Connection, item: Item, held: Collection[Who]) -> None:
        """Keep the event, then wait."""
        super().redo(db, item, held)
        self.inside.set()
        assert self.go_on.wait(PATIENCE_S)


class TallyWorld:
    """A stream, a database, and the smallest consumer between them."""

    def __init__(self, stream: Stream, db: Database, clients_known: int = 0) -> None:
        """Begin reading; nothing has come yet."""
        self.stream = stream
        self.db = db
        self.clock = ManualClock(an.on(100))
        self.fragile = Fragile()
        self._clients_known = clients_known
        positions.create_tables(db)
        with db.write() as writing:
            TABLES.create_all(writing)
        self.publisher = stream.publisher()
        self.runner = self.begun()

    def begun(self, name: str = NAME, db: Database | None = None) -> Runner:
        """Return a runner that goes on where the last one stood."""
        handler = Tally(self.fragile, name, self._clients_known)
        return Runner(self.stream, db or self.db, handler, self.clock, poll_timeout_s=0.05)

    def close(self) -> None:
        """Release what is this world's own."""
        self.runner.close()
        self.publisher.close()

    def publish(self, *envelopes: Envelope | Outgoing) -> None:
        """Publish events, or records as they are."""
        records = [one if isinstance(one, Outgoing) else encode(one, EVENTS) for one in envelopes]
        self.publisher.publish(records, DEADLINE_S)

    def settle(self, runner: Runner | None = None, name: str = NAME) -> None:
        """Step until everything was read."""
        worker = runner or self.runner
        ends = self.stream.ends(EVENTS)
        while True:
            worker.step(self.clock.now())
            with self.db.read() as db:
                at = positions.all_of(db, name)
            if all(end == 0 or (place in at and at[place].next_offset >= end)
                   for place, end in ends.items()):  # fmt: skip
                return

    def read_again(self, name: str) -> None:
        """Read everything from the beginning under another name, as the next version does."""
        with closing(self.begun(name)) as runner:
            self.settle(runner, name)

    def queues(self, name: str = NAME) -> list[Queue]:
        """Return what waits."""
        with self.db.read() as db:
            return redrive.queues(db, consumer=name)

    def retry(self, db: Database | None = None) -> list[Retried]:
        """Try again whatever waits."""
        handler = Tally(self.fragile, NAME, self._clients_known)
        worker = Redrive(db or self.db, handler, self.clock)
        return [worker.retry(queue) for queue in self.queues()]

    def evict(self, offset: int, client: str = an.CLIENT) -> bool:
        """Leave a record out."""
        (queue,) = [one for one in self.queues() if one.who[1] == client]
        with self.db.write() as db:
            return redrive.evict(db, queue, offset, by="jo", reason="wrong", now=self.clock.now())

    def seen(self, client: str, name: str = NAME) -> list[str]:
        """Return the events that were kept of a client."""
        asked = select(SEEN.c.event).where(SEEN.c.consumer == name, SEEN.c.client == client)
        with self.db.read() as db:
            return sorted(db.execute(asked).scalars())

    def judged(self, name: str = NAME) -> dict[str, list[str]]:
        """Return client → the events that it was last judged with."""
        asked = select(JUDGED.c.client, JUDGED.c.events).where(JUDGED.c.consumer == name)
        with self.db.read() as db:
            return {client: said.split() for client, said in db.execute(asked)}
