"""What a group of rows is given: sizes, a folder, real servers, and somebody to tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.sizes import Sizes
from tests.support.kafka_broker import cluster_of
from tests.support.postgres import PostgresServer


@dataclass(slots=True)
class Bench:
    """One run.

    Attributes:
        sizes: How much is measured.
        folder: For everything that is written; gone at the end.
        postgres: A running server; every installation has a database of its own there.
        say: Shows what is being done, where somebody watches.
    """

    sizes: Sizes
    folder: Path
    postgres: PostgresServer
    say: Callable[[str], None]
    _made: int = field(default=0, repr=False)

    def place(self) -> Path:
        """Return a new folder."""
        self._made += 1
        made = self.folder / str(self._made)
        made.mkdir(parents=True)
        return made

    @contextmanager
    def kafka(self) -> Iterator[str]:
        """Start an empty broker; yield its address, and stop it at the end."""
        (broker,) = cluster_of(self.place())
        try:
            yield broker.address
        finally:
            broker.stop()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of an empty PostgreSQL database, dropped at the end."""
        self._made += 1
        with self.postgres.database(f"bench_{self.folder.name}_{self._made}") as url:
            yield url
