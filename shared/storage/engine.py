"""One database, two doors: ``write`` and ``read``.

SQLite wants its writers to say so at once (``BEGIN IMMEDIATE``: a transaction that upgrades later
ignores busy_timeout) and its readers on an engine of their own, or every GET becomes a writer.
PostgreSQL needs neither, and gets the same two doors.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from sqlite3 import SQLITE_BUSY, SQLITE_ERROR
from sqlite3 import OperationalError as SqliteError
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import DatabaseUnavailable
from shared.storage.patience import ANSWER_WITHIN_S, Gate, limit_waits

BUSY_TIMEOUT_MS = 10_000
WAL_RETRY_S = 0.01
CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 5
POOL_SIZE = 10
MAX_OVERFLOW = 54
"""Ten connections kept, up to 64 in all: one per request thread of a granian worker."""


class Database:
    """A SQLite file or a PostgreSQL database."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        """Open nothing yet; connections are made when a door is used.

        Args:
            url: ``sqlite:///path`` or ``postgresql+psycopg://…``.
            busy_timeout_ms: How long a writer waits for SQLite's one write lock.
            answer_within_s: How long PostgreSQL may take to answer a statement; without an answer
                it counts as away, and for a moment only one caller finds out whether it still is.
        """
        self.url = url
        self.dialect = make_url(url).get_backend_name()
        self._gate: Callable[[], AbstractContextManager[None]] = nullcontext
        if self.dialect == "sqlite":
            path = Path(make_url(url).database or "")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _sqlite(url, busy_timeout_ms, query_only=False)
            self._reader = _sqlite(url, busy_timeout_ms, query_only=True)
        else:
            self._writer = self._reader = create_engine(
                url,
                pool_pre_ping=True,
                pool_size=POOL_SIZE,
                max_overflow=MAX_OVERFLOW,
                pool_timeout=POOL_TIMEOUT_S,
                connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
            )
            limit_waits(self._writer, answer_within_s)
            self._gate = Gate(answer_within_s + CONNECT_TIMEOUT_S).passed

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that commits at the end, or rolls back on any error.

        Raises:
            DatabaseUnavailable: when the database does not answer. A commit that failed so may
                nevertheless have happened.
        """
        with _translated(), self._gate(), self._writer.begin() as db:
            if self.dialect == "sqlite":
                db.exec_driver_sql("BEGIN IMMEDIATE")
            yield db

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for reading, which sees one state throughout.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        with _translated(), self._gate(), self._reader.connect() as db:
            if self.dialect == "sqlite":
                db.exec_driver_sql("BEGIN")
            else:
                db = db.execution_options(isolation_level="REPEATABLE READ")
            yield db

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Open a connection for one statement that reads, which sees one state by itself.

        A transaction around it would be three more questions to PostgreSQL, and would cost more
        than the statement.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        with _translated(), self._gate(), self._reader.connect() as db:
            if self.dialect != "sqlite":
                db = db.execution_options(isolation_level="AUTOCOMMIT")
            yield db

    def healthy(self) -> bool:
        """Return whether the database answers; never raises."""
        try:
            with self.read() as db:
                db.exec_driver_sql("SELECT 1")
        except DatabaseUnavailable:
            return False
        return True

    def close(self) -> None:
        """Close every pooled connection."""
        self._writer.dispose()
        self._reader.dispose()


class Borrowing(Database):
    """A database whose doors can be made to lead into a transaction that is open already."""

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        super().__init__(url)
        self._borrowed: Connection | None = None

    @contextmanager
    def within(self, db: Connection) -> Iterator[None]:
        """Do everything inside a transaction, which whoever opened it commits or rolls back."""
        self._borrowed = db
        try:
            yield
        finally:
            self._borrowed = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction, or a part of the borrowed one that can be rolled back alone."""
        if self._borrowed is None:
            with super().write() as db:
                yield db
        else:
            with self._borrowed.begin_nested():
                yield self._borrowed

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for reading, or read in the borrowed one."""
        if self._borrowed is None:
            with super().read() as db:
                yield db
        else:
            yield self._borrowed

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Open a connection for one statement, or ask in the borrowed transaction."""
        if self._borrowed is None:
            with super().ask() as db:
                yield db
        else:
            yield self._borrowed


def insert_or_nothing(db: Connection, table: Table) -> Insert:
    """Return an INSERT that leaves an existing row (any unique constraint) alone."""
    return inserting_or_nothing(db.dialect.name, table)


@cache
def inserting_or_nothing(dialect: str, table: Table) -> Insert:
    """Return the same, made once for each dialect: making it costs more than running it."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def few(rows: Sequence[dict[str, Any]]) -> Any:
    """Return the parameters of a statement for some rows: for a single row it costs half."""
    return rows[0] if len(rows) == 1 else rows


def insert(db: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, if there are any."""
    if rows:
        db.execute(_inserting(table), few(rows))


@cache
def _inserting(table: Table) -> Insert:
    return table.insert()


def upsert(db: Connection, table: Table, key: list[str], values: dict[str, Any]) -> None:
    """Insert a row, or replace the other columns of the row that has the same ``key``."""
    db.execute(_upserting(db.dialect.name, table, tuple(key), tuple(values)), values)


def upsert_all(db: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace those that have the same primary key."""
    if rows:
        key = tuple(column.name for column in table.primary_key.columns)
        db.execute(_upserting(db.dialect.name, table, key, tuple(rows[0])), few(rows))


def upserting(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that can be told what to do about a row that is there already."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _upserting(dialect: str, table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Insert:
    statement = upserting(dialect, table)
    others = {name: statement.excluded[name] for name in names if name not in key}
    made: Insert = (
        statement.on_conflict_do_update(index_elements=key, set_=others)
        if others
        else statement.on_conflict_do_nothing(index_elements=key)
    )
    return made


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if _is_our_mistake(error):
            raise
        raise DatabaseUnavailable("the database does not answer") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable("the database closed the connection") from error
        raise


def _is_our_mistake(error: SQLAlchemyError) -> bool:
    """Return whether SQLite refused the statement itself, such as one on a missing table.

    It has no exception of its own for that; waiting and trying again would hide it for ever.
    """
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == SQLITE_ERROR


def _sqlite(url: str, busy_timeout_ms: int, *, query_only: bool) -> Engine:
    """Return an engine whose transactions are begun by the doors, in so many words.

    A listener to SQLAlchemy's own beginning would do it too, but an engine that has any listener
    asks for more of them at every statement (measured: 4 of its 18 µs).
    """
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"timeout": busy_timeout_ms / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        connection.isolation_level = None
        _into_wal(connection, busy_timeout_ms)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
        connection.execute("PRAGMA foreign_keys=ON")
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _into_wal(connection: Any, busy_timeout_ms: int) -> None:
    """Switch the file to write-ahead logging.

    SQLite does not wait where two connections switch a fresh file at once: it says *locked* to
    one of them immediately, whatever the busy timeout. So the waiting is done here.
    """
    until = time.monotonic() + busy_timeout_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except SqliteError as error:
            primary = error.sqlite_errorcode & 0xFF  # An extended code says in its low byte what.
            if primary != SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return
