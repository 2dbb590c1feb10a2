"""What a group of rows is given: sizes, a folder, servers, and somebody to tell."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tests.bench.installation import Installation, Process
from tests.bench.sizes import Sizes
from tests.support.databases import sqlite_url
from tests.support.kafka_broker import cluster_of
from tests.support.postgres import PostgresServer

EMBEDDED: Final = "embedded"
KAFKA: Final = "kafka://"


@dataclass(slots=True)
class Bench:
    """One run.

    Attributes:
        sizes: How much is measured.
        folder: For everything that is written; gone at the end.
        postgres: A running server, where every installation has a database of its own, beside a
            real Kafka. None: the embedded stream and SQLite, one process for all services and no
            counterparts, to try the harness with little.
        say: Shows what is being done, where somebody watches.
    """

    sizes: Sizes
    folder: Path
    postgres: PostgresServer | None
    say: Callable[[str], None]
    _made: int = field(default=0, repr=False)

    def place(self) -> Path:
        """Return a new folder."""
        self._made += 1
        made = self.folder / str(self._made)
        made.mkdir(parents=True)
        return made

    @contextmanager
    def stream(self) -> Iterator[str]:
        """Start an empty Kafka; yield its ``RAPPORT_STREAM``, and stop it at the end."""
        if self.postgres is None:
            yield EMBEDDED
            return
        (broker,) = cluster_of(self.place())
        try:
            yield KAFKA + broker.address
        finally:
            broker.stop()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the ``RAPPORT_DATABASE`` of an empty database, dropped at the end."""
        if self.postgres is None:
            yield sqlite_url(self.place())
            return
        self._made += 1
        with self.postgres.database(f"bench_{self.folder.name}_{self._made}") as url:
            yield url

    @property
    def database_server(self) -> psutil.Process | None:
        """The server's first process, where the database has one."""
        return None if self.postgres is None else psutil.Process(self.postgres.pid)

    @contextmanager
    def services(self, installation: Installation, *names: str) -> Iterator[dict[str, Process]]:
        """Run services, each in a process of its own where the servers are real."""
        with ExitStack() as stack:
            if self.postgres is None:
                everything = stack.enter_context(installation.running("up"))
                yield dict.fromkeys(names, everything)
                return
            yield {
                name: stack.enter_context(
                    installation.running("serve", name, *self._options(name))
                )
                for name in names
            }

    def _options(self, name: str) -> tuple[str, ...]:
        return ("--workers", str(self.sizes.processes)) if name == "ingest" else ()
