"""Projections and alerts, live and from the beginning, against plain consuming and inserting."""

import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psutil

from services.alerts import ledger, tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.watcher import Watcher
from services.cli.serve import COLLECT_AFTER
from services.projections.projector import Projector
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.migrate import migrate
from shared.storage.registry import Registry
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS
from shared.stream.runner import BATCH_LIMIT, Handler
from tests.bench.bench import KAFKA, Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation
from tests.bench.measuring import Measured, interleaved, measured, ratio
from tests.bench.population import Population, publish
from tests.bench.reading import Meter, Reader, Spent, read_plainly
from tests.support.accounts import SEALER
from tests.support.databases import sqlite_url
from tests.support.rebuildable import dropped, prepare

REBUILD_RATE: Final = Target(15_000)
REBUILD_RATIO: Final = Target(0.5, of="ratio")
ALERTS_RATE: Final = Target(300)
FEW: Final = 10
"""Records in a small batch: what is found at a poll while a few hundred come in a second."""

TITLES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


class Source:
    """A stream with a population on it, which several databases are filled from."""

    def __init__(self, address: str, installation: Installation, clients: int) -> None:
        """Publish the population, as it would have come live.

        Args:
            address: ``RAPPORT_STREAM``.
            installation: Where the clients are registered.
            clients: How many.
        """
        self.address = address
        self.stream = open_stream(installation.settings)
        self._told = 0
        db = Database(installation.settings.database)
        self._population = Population(
            installation.organisation,
            installation.source.id,
            Registry(db, SEALER, None),
            datetime.now(UTC),
            clients,
        )
        db.close()
        configured = self._population.configured(self.stream.partitions(EVENTS))
        self.events = publish(self.stream, [*configured, *self._population.by_time()])

    def come(self, count: int) -> None:
        """Publish what comes next, each event about another client."""
        self.events += publish(self.stream, self._population.live(count, self._told))
        self._told += count


@dataclass(frozen=True, slots=True)
class Setting:
    """A source, and one database that consumers write to."""

    source: Source
    db: Database
    meter: Meter

    @property
    def title(self) -> str:
        """The database's name."""
        return TITLES[self.db.dialect]

    def reader(self, name: str, limit: int = BATCH_LIMIT) -> Reader:
        """Return a reader that handles as the projections, or as the alerts do."""
        handler: Handler = Projector()
        if name == "alerts":
            handler = Watcher(EVERY_RULE, Accounts(self.db, SEALER, None).recipients)
        return Reader(self.source.stream, self.db, handler, limit)

    def emptied(self) -> None:
        """Forget every table that the stream can fill again."""
        with self.db.write() as db:
            dropped(db)
        prepare(self.db)


def run(bench: Bench) -> Findings:
    """Measure both consumers on PostgreSQL and on SQLite, reading the same real Kafka."""
    findings = Findings()
    findings.notes += [
        "From the beginning: simulated clients' events in the order of time, all clients mixed."
        " The alerts read below their mark, where facts are stored and each client judged once.",
        f"Live: every event is of another client; at most {BATCH_LIMIT} (or {FEW}) in a batch.",
        "The plain counterpart inserts key, value and place of the same records,"
        f" {BATCH_LIMIT} in a transaction, by COPY or executemany.",
    ]
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        with bench.stream() as address, bench.database() as url:
            installation = Installation(bench.place(), address, url)
            bench.say("publishing a population")
            source = Source(address, installation, bench.sizes.consumed_clients)
            databases = {url: bench.database_server, sqlite_url(bench.place()): None}
            for where, server in databases.items():
                with _setting(source, where, server) as setting:
                    _from_the_beginning(bench, setting, findings)
                    _live(bench, setting, findings)
            source.stream.close()
    finally:
        gc.set_threshold(*before)
    return findings


@contextmanager
def _setting(source: Source, url: str, server: psutil.Process | None) -> Iterator[Setting]:
    db = Database(url)
    migrate(db)
    prepare(db)
    try:
        yield Setting(source, db, Meter(server))
    finally:
        db.close()


def _from_the_beginning(bench: Bench, setting: Setting, findings: Findings) -> None:
    source, db = setting.source, setting.db
    with db.write() as connection:
        for place, end in source.stream.ends(EVENTS).items():
            ledger.set_mark(connection, tables.CONSUMER, place.number, end)

    def again(name: str) -> Spent:
        setting.emptied()
        return setting.meter.spent(source.events, lambda: _read(setting, name))

    broker = source.address.removeprefix(KAFKA)
    sides: dict[str, Callable[[], Spent]] = {
        "projections": lambda: again("projections"),
        "alerts": lambda: again("alerts"),
    }
    if broker != source.address:
        sides["plain"] = lambda: setting.meter.spent(
            source.events, lambda: read_plainly(broker, db.url, source.events)
        )
    taken = interleaved(
        sides, bench.sizes.consumed_repeats, lambda what: bench.say(f"{setting.title}: {what}")
    )
    for name in ("projections", "alerts"):
        findings.rows += _rows_from_the_beginning(setting, name, taken)
        findings.costs += _costs(name, taken[name], f"from the beginning, {setting.title}")


def _rows_from_the_beginning(
    setting: Setting, name: str, taken: Mapping[str, list[Spent]]
) -> Iterator[Row]:
    title, ours = f"{name} from the beginning, {setting.title}", _rates(taken[name])
    judged = name == "projections" and setting.db.dialect == "postgresql"
    yield Row(title, ours, "events/s", target=REBUILD_RATE if judged else None)
    if "plain" in taken:
        plain = _rates(taken["plain"])
        how = "COPY" if setting.db.dialect == "postgresql" else "executemany"
        yield Row(title, ours, "events/s", f"consume, {how}", plain, ratio(ours, plain),
                  REBUILD_RATIO if judged else None)  # fmt: skip


def _live(bench: Bench, setting: Setting, findings: Findings) -> None:
    for limit, count in ((BATCH_LIMIT, bench.sizes.live), (FEW, bench.sizes.live // 5)):
        for name, taken in _taken_live(bench, setting, count, limit).items():
            title = f"{name} live, batches of at most {limit}, {setting.title}"
            target = ALERTS_RATE if name == "alerts" and limit == BATCH_LIMIT else None
            findings.rows.append(Row(title, _rates(taken), "events/s", target=target))
            findings.costs += _costs(name, taken, f"live, batches of {limit}, {setting.title}")


def _taken_live(bench: Bench, setting: Setting, count: int, limit: int) -> dict[str, list[Spent]]:
    """Have both consumers handle what comes, in turns."""
    names = ("projections", "alerts")
    taken: dict[str, list[Spent]] = {name: [] for name in names}
    with ExitStack() as stack:
        readers = {name: stack.enter_context(setting.reader(name, limit)) for name in names}
        # Both join their groups before anything is measured.
        setting.source.come(1)
        for reader in readers.values():
            reader.handle(1)
        for repeat in range(bench.sizes.repeats):
            bench.say(f"{setting.title}, live: {repeat + 1} of {bench.sizes.repeats}")
            setting.source.come(count)
            for name, reader in readers.items():
                work = functools.partial(reader.handle, count)
                taken[name].append(setting.meter.spent(count, work))
    return taken


def _read(setting: Setting, name: str) -> None:
    with setting.reader(name) as reader:
        reader.handle(setting.source.events)


def _rates(taken: list[Spent]) -> Measured:
    return measured([one.rate for one in taken])


def _costs(name: str, taken: list[Spent], note: str) -> list[Cost]:
    def per_event(seconds: Callable[[Spent], float]) -> float:
        return measured([seconds(one) / one.events * 1e6 for one in taken]).median

    own = Cost(name, per_event(lambda one: one.cpu_s), "µs CPU/event", note)
    theirs = per_event(lambda one: one.database_cpu_s)
    return [own, Cost(f"{name}: database", theirs, "µs CPU/event", note)] if theirs else [own]
