"""Where a step can be hit: every call that leaves the process is a point, and is counted.

The product's own objects run; these doors stand around its database, stream and sender.
At the point that a fault names, the process dies, the other side does not answer (before or after
it did what was asked), or the process is paused while the world goes on without it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, event

from shared.errors import DatabaseUnavailable, StreamUnavailable
from shared.storage.engine import Database
from shared.stream.embedded import EmbeddedStream
from shared.stream.ports import Consumer, Outgoing, Partition, Publisher, Record

Kind = Literal["crash", "away", "pause"]
Side = Literal["database", "stream"]
Point = Literal[
    "read", "begin", "statement", "commit", "committed", "poll", "polled", "courtesy",
    "publish", "published", "send", "sent", "any",
]  # fmt: skip
ANSWERERS: Final[Mapping[Side, type[Exception]]] = {
    "database": DatabaseUnavailable,
    "stream": StreamUnavailable,
}
"""What its callers get from a side that is away."""

LOCKED: Final[frozenset[Point]] = frozenset({"statement", "commit"})
"""Where others would wait for what is held, and one thread would wait for ever: no pause there."""

ANSWERS: Final[frozenset[Point]] = frozenset({"polled"})
"""Where nothing is away: whoever raises from a poll has not read on, as the port says."""


class Crash(BaseException):
    """The process died here: nothing of it runs any more, not even what handles errors."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What hits a step, when it reaches a point for the n-th time.

    Attributes:
        kind: ``crash``; ``away`` (an answer never comes); ``pause`` (the process stands still
            while others work).
        point: Where; ``any`` counts them all.
        nth: From 1; a step that reaches the point less often is not hit.
    """

    kind: Kind
    point: Point
    nth: int

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"{self.kind} at {self.point} {self.nth}"


def kinds_at(point: Point, *, pauses: bool) -> tuple[Kind, ...]:
    """Return what can happen at a point."""
    away: tuple[Kind, ...] = () if point in ANSWERS else ("away",)
    pause: tuple[Kind, ...] = ("pause",) if pauses and point not in LOCKED else ()
    return ("crash", *away, *pause)


class Strike:
    """Faults on their way through one step."""

    def __init__(
        self, faults: Sequence[Fault], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Hit nothing yet; ``meanwhile`` lets the world go on during a pause."""
        self._faults = faults
        self._meanwhile = meanwhile
        self._reached: Counter[Point] = Counter()
        self.hits = 0

    def reach(self, point: Point, away: type[Exception]) -> None:
        """Count a point; hit there where a fault says so."""
        self._reached[point] += 1
        self._reached["any"] += 1
        for fault in self._faults:
            if fault.point not in (point, "any") or fault.nth != self._reached[fault.point]:
                continue
            self.hits += 1
            if fault.kind == "crash":
                raise Crash(point)
            if fault.kind == "away":
                raise away(f"simulated at {point}")
            self._meanwhile()


class Points:
    """The points of the step that is running; none where nobody steps."""

    def __init__(self) -> None:
        """Run nothing yet; everything answers."""
        self._running: list[Strike | None] = [None]
        self.away: set[Side] = set()

    @contextmanager
    def under(self, strike: Strike | None) -> Iterator[None]:
        """Run a step, perhaps within the pause of another; under None nothing is counted."""
        self._running.append(strike)
        try:
            yield
        finally:
            self._running.pop()

    def reach(self, point: Point, away: type[Exception]) -> None:
        """Count a point of the step that is running.

        Raises:
            Unavailable: when what is asked does not answer, this once or to anybody.
        """
        strike = self._running[-1]
        if strike is None:
            return
        strike.reach(point, away)
        for side in self.away:
            if away is ANSWERERS[side]:
                raise away(f"the {side} is away")


class WatchedDatabase(Database):
    """The database: each transaction, statement and commit of it is a point."""

    def __init__(self, url: str, points: Points) -> None:
        """Watch a database."""
        super().__init__(url)
        self._points = points
        with super().write() as db:
            event.listen(db.engine, "before_cursor_execute", self._statement)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction; it can be lost before it begins, and before and after its commit."""
        self._points.reach("begin", DatabaseUnavailable)
        with super().write() as db:
            yield db
            self._points.reach("commit", DatabaseUnavailable)
        self._points.reach("committed", DatabaseUnavailable)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for reading."""
        self._points.reach("read", DatabaseUnavailable)
        with super().read() as db:
            yield db

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Open a connection for one statement, which can be lost as a transaction can."""
        self._points.reach("read", DatabaseUnavailable)
        with super().ask() as db:
            yield db

    def _statement(self, *_: Any) -> None:
        self._points.reach("statement", DatabaseUnavailable)


class WatchedStream(EmbeddedStream):
    """The embedded engine: each publication and each poll is a point."""

    points: Points

    def publisher(self) -> "WatchedPublisher":  # type: ignore[override]
        """Open a publisher."""
        return WatchedPublisher(super().publisher(), self.points)

    def consumer(  # type: ignore[override]
        self, group: str, topics: Sequence[str], start_at: Callable[[Partition], int]
    ) -> "WatchedConsumer":
        """Open a consumer."""
        return WatchedConsumer(super().consumer(group, topics, start_at), self.points)


class WatchedPublisher:
    """A publisher whose answer may be lost, with what was to be published or without."""

    def __init__(self, publisher: Publisher, points: Points) -> None:
        """Watch a publisher."""
        self._publisher = publisher
        self._points = points

    def publish(self, records: Sequence[Outgoing], deadline_s: float) -> None:
        """Publish."""
        self._points.reach("publish", StreamUnavailable)
        self._publisher.publish(records, deadline_s)
        self._points.reach("published", StreamUnavailable)

    def close(self) -> None:
        """Stop."""
        self._publisher.close()


class WatchedConsumer:
    """A consumer that can be hit before and after it reads."""

    def __init__(self, consumer: Consumer, points: Points) -> None:
        """Watch a consumer."""
        self._consumer = consumer
        self._points = points
        self.owned = consumer.owned
        self.seek = consumer.seek
        self.close = consumer.close

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Read."""
        self._points.reach("poll", StreamUnavailable)
        records = self._consumer.poll(limit, timeout_s)
        self._points.reach("polled", StreamUnavailable)
        return records

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell lag tools."""
        self._points.reach("courtesy", StreamUnavailable)
        self._consumer.courtesy_commit(ends)
