"""Projections and alerts, live and from the beginning, against plain consuming and inserting."""

import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psutil

from services.alerts import marks, tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.watcher import Watcher
from services.cli.serve import COLLECT_AFTER
from services.projections.projector import Projector
from shared.storage import positions
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.migrate import migrate
from shared.storage.registry import Registry
from shared.storage.table_sets import FIRST
from shared.stream.engines import open_stream
from shared.stream.handling import Handler
from shared.stream.ports import EVENTS
from shared.stream.runner import BATCH_LIMIT
from tests.bench.bench import KAFKA, Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation
from tests.bench.measuring import Measured, interleaved, measured, ratio
from tests.bench.population import Population, publish
from tests.bench.reading import Meter, Reader, Spent, discard, read_plainly, rebuild
from tests.support.accounts import SEALER
from tests.support.databases import sqlite_url
from tests.support.rebuildable import prepare

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

    def unjudged(self) -> None:
        """Forget the tables of the alerts that the stream can fill again."""
        theirs = positions.positions.c.consumer == tables.CONSUMER
        with self.db.write() as db:
            tables.declared(FIRST).metadata.drop_all(db)
            db.execute(positions.positions.delete().where(theirs))
        tables.prepare(self.db, EVERY_RULE)


def run(bench: Bench) -> Findings:
    """Measure both consumers on PostgreSQL and on SQLite, reading the same real Kafka."""
    findings = Findings()
    findings.notes += [
        "Consumers read simulated clients' events in the order of time, all clients mixed."
        " Rebuilt: as rapport rebuild does up to the switch. The alerts read again below their"
        " mark, where facts are stored and each client is judged once.",
        f"Live: {bench.sizes.consumed_clients} clients take turns, one event each; at most"
        f" {BATCH_LIMIT} (or {FEW}) records in a batch.",
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
    source, db, title = setting.source, setting.db, setting.title
    with db.write() as connection:
        for place, end in source.stream.ends(EVENTS).items():
            marks.set_mark(connection, tables.CONSUMER, place.number, end)
    bench.say(f"{title}: projections as they serve")
    serving = [setting.meter.spent(source.events, lambda: _read(setting, "projections"))]
    taken = interleaved(
        _sides(setting),
        bench.sizes.consumed_repeats,
        lambda what: bench.say(f"{title}: {what}"),
    )
    rebuilt, alerts = taken["rebuild"], taken["alerts"]
    judged = db.dialect == "postgresql"
    findings.rows += _beside(setting, "projections rebuilt", rebuilt, taken, judged=judged)
    for what, spent in (
        ("projections rebuilt and compared", taken["rebuild and compare"]),
        ("projections as they serve, from nothing", serving),
    ):
        findings.rows.append(Row(f"{what}, {title}", _rates(spent), "events/s"))
    findings.rows += _beside(setting, "alerts read again", alerts, taken, judged=False)
    findings.costs += _costs("projections", rebuilt, f"rebuilt, {title}")
    findings.costs += _costs("alerts", alerts, f"read again, {title}")


def _sides(setting: Setting) -> dict[str, Callable[[], Spent]]:
    source, db, meter = setting.source, setting.db, setting.meter

    def rebuilt(*, compare: bool) -> Spent:
        work = functools.partial(rebuild, source.stream, db.url, compare=compare)
        spent = meter.spent(source.events, work)
        discard(db)
        return spent

    def alerts() -> Spent:
        setting.unjudged()
        return meter.spent(source.events, lambda: _read(setting, "alerts"))

    sides: dict[str, Callable[[], Spent]] = {
        "rebuild": lambda: rebuilt(compare=False),
        "rebuild and compare": lambda: rebuilt(compare=True),
        "alerts": alerts,
    }
    broker = source.address.removeprefix(KAFKA)
    if broker != source.address:
        plain = functools.partial(read_plainly, broker, db.url, source.events)
        sides["plain"] = lambda: meter.spent(source.events, plain)
    return sides


def _beside(
    setting: Setting,
    what: str,
    spent: list[Spent],
    taken: Mapping[str, list[Spent]],
    *,
    judged: bool,
) -> Iterator[Row]:
    """Yield the rows of one consumer: by itself, and beside the plain one."""
    title, ours = f"{what}, {setting.title}", _rates(spent)
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
    """Return what an event cost on a database that has a server, as a large installation does."""

    def per_event(seconds: Callable[[Spent], float]) -> float:
        return measured([seconds(one) / one.events * 1e6 for one in taken]).median

    theirs = per_event(lambda one: one.database_cpu_s)
    if not theirs:
        return []
    return [
        Cost(name, per_event(lambda one: one.cpu_s), "µs CPU/event", note),
        Cost(f"{name}: database", theirs, "µs CPU/event", note),
    ]
