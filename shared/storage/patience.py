"""Nobody waits for a PostgreSQL without a limit, and few wait for one that hangs.

A server that is killed closes its connections, and everybody learns of it at once. One that stands
still (a stopped machine, a disk that hangs, a network that swallows packets) closes nothing, and
psycopg by itself would wait for its answer for ever, one thread after another.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import DatabaseUnavailable

ANSWER_WITHIN_S: Final = 30.0
"""Own: no statement of a worker takes so long; a lock may, and is then asked for again."""

SLOW_S: Final = 1.0
"""Own: a failure that took so long is one of a database that hangs."""

PAUSE_S: Final = 1.0
"""Own: so long nobody asks a database that hangs; then one does."""


class PatientConnection(psycopg.Connection[Any]):
    """A connection on which every wait has a limit.

    Attributes:
        answer_within_s: After so long without an answer it is closed; None: it waits for ever.
    """

    answer_within_s: float | None = ANSWER_WITHIN_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, as psycopg does, within the limit."""
        try:
            return super().wait(gen, interval, timeout or self.answer_within_s)
        except psycopg.OperationalError:
            if not self.closed and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # Its answer may come yet, and would be taken for that of the next statement.
                self.close()
            raise


def limit_waits(engine: Engine, answer_within_s: float) -> None:
    """Have an engine of psycopg make connections on which no wait is longer."""

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: Any, settings: Any) -> PatientConnection:
        made = PatientConnection.connect(*arguments, **settings)
        made.answer_within_s = answer_within_s
        return made


def wait_without_limit(db: Connection) -> None:
    """Let what follows on a connection take its time; the connection serves nobody afterwards."""
    found = db.connection.driver_connection
    if isinstance(found, PatientConnection):
        db.detach()
        found.answer_within_s = None


class Gate:
    """Shut while a database hangs: who comes then is told at once, but for one who finds out."""

    def __init__(self, find_out_s: float, stopwatch: Callable[[], float] = time.monotonic) -> None:
        """Stand open.

        Args:
            find_out_s: How long one who finds out may take, before another does.
            stopwatch: Seconds since some moment.
        """
        self._find_out_s = find_out_s
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._shut = False
        self._until = 0.0

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Go through, and tell by how it ends whether the database hangs.

        Raises:
            DatabaseUnavailable: at once, while it does.
        """
        began = self._admit()
        try:
            yield
        except (DBAPIError, PoolTimeout):
            if self._stopwatch() - began >= SLOW_S:
                self._turn(shut=True, until=self._stopwatch() + PAUSE_S)
            raise
        self._turn(shut=False, until=0.0)

    def _admit(self) -> float:
        now = self._stopwatch()
        if self._shut:
            with self._lock:
                if self._shut and now < self._until:
                    raise DatabaseUnavailable("the database did not answer a moment ago")
                self._until = now + self._find_out_s
        return now

    def _turn(self, *, shut: bool, until: float) -> None:
        if self._shut or shut:
            with self._lock:
                self._shut, self._until = shut, until
