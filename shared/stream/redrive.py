"""What an operator does about parked records: try them again, or leave one out for ever.

Trying again never moves a position. It takes the lock of the partition's position first, so that
it and the consumer take turns: the queue cannot grow between its last record and its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, select

from shared.clock import Clock, from_micros, to_micros
from shared.errors import TRANSIENT, ClientFault, Fault, Refused, TooManyParked
from shared.events import upcast
from shared.logs import logger
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.generations import GENERATIONS
from shared.stream import codec, parking
from shared.stream.handling import Handler, Item
from shared.stream.parking import EVICTED, PARKED, TABLE, Who
from shared.stream.ports import Partition, Record

LONGEST_REASON: Final = 500
LONGEST_ACTOR: Final = 64

log = logger("redrive")


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits of one client in one partition, behind its head.

    Attributes:
        who: Organisation and client, or ``MANY``.
        since: When its first record was parked.
        records: How many wait, the head included.
        head: Offset of the first.
        state: Of the head.
        attempts: How often the head was tried.
        error: The class of the head's last error, and where in the code it happened.
    """

    consumer: str
    who: Who
    place: Partition
    since: datetime
    records: int
    head: int
    state: str
    attempts: int
    error: str
    code_place: str


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a queue: how many records left it, how many wait still, and why."""

    queue: Queue
    handled: int
    left: int
    error: str = ""
    code_place: str = ""


def of_serving(found: Sequence[Queue], db: Connection) -> list[Queue]:
    """Return the queues of what serves: another generation is tried again when it serves."""
    asked = select(GENERATIONS.c.consumer).where(GENERATIONS.c.state != "active")
    others = set(db.execute(asked).scalars())
    return [queue for queue in found if queue.consumer not in others]


def queues(db: Connection, *, organisation: str | None = None, client: str | None = None,
           consumer: str | None = None) -> list[Queue]:  # fmt: skip
    """Return every queue, or those of an organisation, a client, a consumer."""
    wanted = {"organisation": organisation, "client": client, "consumer": consumer}
    mine = [TABLE.c[name] == value for name, value in wanted.items() if value is not None]
    columns = [TABLE.c[name] for name in
               ("consumer", "organisation", "client", "topic", "partition")]  # fmt: skip
    whole = (
        select(
            *columns,
            func.min(TABLE.c.offset).label("head"),
            func.min(TABLE.c.parked_at).label("since"),
            func.count().label("records"),
        )
        .where(TABLE.c.held, *mine)
        .group_by(*columns)
        .subquery()
    )
    same = and_(
        *(column == whole.c[column.name] for column in columns), TABLE.c.offset == whole.c.head
    )
    rows = db.execute(
        select(TABLE, whole.c.records.label("records"), whole.c.since.label("since"))
        .join(whole, same)
        .order_by(*columns)
    )
    return [_queue(row) for row in rows]


def records(db: Connection, queue: Queue) -> Sequence[Row[Any]]:
    """Return the rows of a queue, head to tail."""
    return db.execute(_rows(queue)).all()


class Redrive:
    """Takes queues of one consumer head to tail through its handler."""

    def __init__(self, database: Database, handler: Handler, clock: Clock) -> None:
        """Try nothing yet."""
        self._database = database
        self._handler = handler
        self._clock = clock

    def retry(self, queue: Queue) -> Retried:
        """Handle what waits, each record in a transaction of its own, up to one that fails.

        Safe while the consumer runs, while another does the same, and to repeat.

        Raises:
            Unavailable: when the database does not answer; what was handled stays handled.
            TooManyParked: when a record that concerns many fails for too many others.
        """
        handled = 0
        try:
            while self._release_head(queue):
                handled += 1
        except (*TRANSIENT, TooManyParked):
            raise
        except Exception as error:
            return self._failed(queue, handled, error)
        return Retried(queue, handled, 0)

    def _release_head(self, queue: Queue) -> bool:
        """Handle the first record; return whether there was one.

        Where it fails for somebody else alone, that client is parked, as the consumer does.
        """
        others: dict[Who, ClientFault] = {}
        while True:
            try:
                return self._try_head(queue, others)
            except ClientFault as fault:
                if fault.who == queue.who or fault.who in others:
                    raise
                others[fault.who] = fault

    def _try_head(self, queue: Queue, others: dict[Who, ClientFault]) -> bool:
        handler, now = self._handler, self._clock.now()
        with self._database.write() as db:
            reached = positions.lock(db, handler.name, queue.place.number)
            rows = db.execute(_rows(queue).limit(2)).all()
            if not rows:
                return False
            record = parking.record_of(rows[0])
            if others:
                failed = [parking.entry(record, who, fault) for who, fault in others.items()]
                parking.park(db, handler.name, failed, now)
                parking.check_limits(db, handler.name, 0, handler.clients_known(db), now)
            item = None if rows[0].state == EVICTED else _item(record)
            if item is not None:
                handler.redo(db, item, parking.held(db, handler.name).clients)
            if item is None or not item.arrival.elsewhere:
                handler.refresh(
                    db,
                    queue.who,
                    queue.place.number,
                    reached.get(queue.place.topic, 0),
                    last=len(rows) == 1,
                )
            _release(db, rows[0])
        return True

    def _failed(self, queue: Queue, handled: int, error: Exception) -> Retried:
        """Note on the head that it failed once more."""
        with self._database.write() as db:
            positions.lock(db, self._handler.name, queue.place.number)
            rows = db.execute(_rows(queue)).all()
            if not rows:  # Somebody else has handled it meanwhile.
                return Retried(queue, handled, 0)
            entry = parking.entry(parking.record_of(rows[0]), queue.who, error)
            db.execute(
                TABLE.update()
                .where(_same(rows[0]))
                .values(
                    state=EVICTED if rows[0].state == EVICTED else PARKED,
                    attempts=TABLE.c.attempts + 1,
                    tried_at=to_micros(self._clock.now()),
                    error=entry.error,
                    code_place=entry.code_place,
                )
            )
        return Retried(queue, handled, len(rows), entry.error, entry.code_place)


def evict(
    db: Connection, queue: Queue, offset: int, *, by: str, reason: str, now: datetime
) -> bool:
    """Decide that a waiting record is left out, now and whenever its consumer reads it again.

    It holds its client back until that is retried; the row stays, as the record of the decision.

    Returns:
        Whether it was decided now; False where it had been before, or was handled meanwhile.

    Raises:
        Refused: when it is not there, or is not the client's own.
    """
    row = db.execute(_rows(queue).where(TABLE.c.offset == offset)).one_or_none()
    if row is None:
        raise Refused([Fault("record", "none such waits; see: rapport parked show", "not_found")])
    if not _is_own(row):
        message = (
            "it concerns others too, and was handled for them; it cannot be left out for one"
            " client. A release that can handle this client is needed"
        )
        raise Refused([Fault("record", message, "not_its_own")])
    decided = db.execute(
        TABLE.update()
        .where(_same(row), TABLE.c.state != EVICTED)
        .values(
            state=EVICTED,
            evicted_at=to_micros(now),
            evicted_by=by[:LONGEST_ACTOR],
            evicted_because=reason[:LONGEST_REASON],
        )
    )
    if decided.rowcount:
        log.warning("evicted", consumer=row.consumer, topic=row.topic, partition=row.partition,
                    offset=row.offset)  # fmt: skip
    return bool(decided.rowcount)


def _is_own(row: Row[Any]) -> bool:
    return Item(record := parking.record_of(row), codec.decode(record)).who == (
        row.organisation,
        row.client,
    )


def _item(record: Record) -> Item:
    """Return what a record holds, in a version that this release knows.

    Raises:
        Unreadable: when this release does not know it.
    """
    item = Item(record, codec.decode(record))
    upcast(item.envelope.event)
    return item


def _queue(row: Row[Any]) -> Queue:
    return Queue(
        consumer=row.consumer,
        who=(row.organisation, row.client),
        place=Partition(row.topic, row.partition),
        since=from_micros(row.since),
        records=row.records,
        head=row.offset,
        state=row.state,
        attempts=row.attempts,
        error=row.error,
        code_place=row.code_place,
    )


def _rows(queue: Queue) -> Any:
    return (
        select(TABLE)
        .where(
            TABLE.c.organisation == queue.who[0],
            TABLE.c.client == queue.who[1],
            TABLE.c.consumer == queue.consumer,
            TABLE.c.topic == queue.place.topic,
            TABLE.c.partition == queue.place.number,
            TABLE.c.held,
        )
        .order_by(TABLE.c.offset)
    )


def _same(row: Row[Any]) -> Any:
    return and_(*(column == getattr(row, column.name) for column in TABLE.primary_key.columns))


def _release(db: Connection, row: Row[Any]) -> None:
    """Let a row hold nobody back any more; what somebody decided about it stays."""
    if row.state == EVICTED:
        db.execute(TABLE.update().where(_same(row)).values(held=False))
    else:
        db.execute(TABLE.delete().where(_same(row)))
