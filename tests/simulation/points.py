"""Where a step can be hit: every call that leaves the process is a point, and is counted.

The product's own objects run; these doors stand around its database, stream and sender.
At the point that a fault names, the process dies, the other side does not answer (before or after
it did what was asked), or the process is paused while the world goes on without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, event

from shared.errors import DatabaseUnavailable, StreamUnavailable
from shared.storage.engine import Database
from shared.stream.embedded import EmbeddedStream
from shared.stream.ports import Consumer, Outgoing, Partition, Publisher, Record

Kind = Literal["crash", "away", "pause"]


class Crash(BaseException):
    """The process died here: nothing of it runs any more, not even what handles errors."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What hits a step, at the n-th point that it reaches.

    Attributes:
        nth: From 1; a step that reaches fewer points is not hit.
        kind: ``crash``; ``away`` (an answer never came); ``pause`` (the process stands still
            while others work; where it holds a lock, at the next point where it holds none).
    """

    nth: int
    kind: Kind

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"{self.kind}@{self.nth}"


class Strike:
    """A fault on its way through one step."""

    def __init__(self, fault: Fault | None, meanwhile: Callable[[str], None]) -> None:
        """Hit nothing yet; ``meanwhile`` lets the world go on during a pause."""
        self._fault = fault
        self._meanwhile = meanwhile
        self._reached = 0
        self.names: list[str] = []
        self.at: str | None = None

    def reach(self, name: str, away: type[Exception] | None, *, locked: bool = False) -> None:
        """Count a point; hit there where the fault says so."""
        self._reached += 1
        fault = self._fault
        if fault is None or self._reached < fault.nth:
            return
        if (fault.kind == "pause" and locked) or (fault.kind == "away" and away is None):
            return
        self._fault, self.at = None, name
        if fault.kind == "crash":
            raise Crash(name)
        if fault.kind == "away" and away is not None:
            raise away(f"simulated at {name}")
        self._meanwhile(name)


class Points:
    """The points of the step that is running; none where nobody steps."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._running: list[Strike | None] = [None]

    @contextmanager
    def under(self, strike: Strike | None) -> Iterator[None]:
        """Run a step, perhaps within the pause of another; under None nothing is counted."""
        self._running.append(strike)
        try:
            yield
        finally:
            self._running.pop()

    def reach(self, name: str, away: type[Exception] | None, *, locked: bool = False) -> None:
        """Count a point of the step that is running."""
        strike = self._running[-1]
        if strike is not None:
            strike.reach(name, away, locked=locked)


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
            self._points.reach("commit", DatabaseUnavailable, locked=True)
        self._points.reach("committed", DatabaseUnavailable)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for reading."""
        self._points.reach("read", DatabaseUnavailable)
        with super().read() as db:
            yield db

    def _statement(self, *_: Any) -> None:
        self._points.reach("statement", DatabaseUnavailable, locked=True)


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
        # Whoever raises has not read on: that is the engines' part of the port.
        self._points.reach("polled", None)
        return records

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell lag tools."""
        self._points.reach("courtesy", StreamUnavailable)
        self._consumer.courtesy_commit(ends)
