"""Projections and alerts, live and from the beginning, against plain consuming and inserting."""

import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from shared.stream.ports import EVENTS, Outgoing, Stream
from shared.stream.runner import BATCH_LIMIT, Handler
from tests.bench.bench import Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation
from tests.bench.measuring import Measured, interleaved, measured, ratio
from tests.bench.population import Population, publish
from tests.bench.reading import Meter, Reader, Spent, read_plainly
from tests.support.accounts import SEALER
from tests.support.rebuildable import dropped, prepare

REBUILD_RATE: Final = Target(15_000)
REBUILD_RATIO: Final = Target(0.5, of="ratio")
ALERTS_RATE: Final = Target(300)
FEW: Final = 10
"""Records in a small batch: what is found at a poll while a few hundred come in a second."""

TITLES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


@dataclass(slots=True)
class Setting:
    """One stream with a population on it, and one database that consumers write to."""

    broker: str
    stream: Stream
    db: Database
    meter: Meter
    population: Population
    events: int
    told: int = 0

    @property
    def title(self) -> str:
        """The database's name."""
        return TITLES[self.db.dialect]

    def projector(self) -> Handler:
        """Return what the projections handle with."""
        return Projector()

    def watcher(self) -> Handler:
        """Return what the alerts handle with."""
        return Watcher(EVERY_RULE, Accounts(self.db, SEALER, None).recipients)

    def come(self, count: int) -> None:
        """Publish what comes next, each about another client."""
        publish_all(self.stream, list(self.population.live(count, self.told)))
        self.told += count

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
        with bench.kafka() as broker, bench.database() as url:
            sqlite = f"sqlite:///{bench.place() / 'rapport.db'}"
            installation = Installation(bench.place(), f"kafka://{broker}", url)
            population, events = _published(bench, installation)
            server = psutil.Process(bench.postgres.pid)
            for address, watched in ((url, server), (sqlite, None)):
                with _setting(installation, broker, address, population, events) as setting:
                    setting.meter = Meter(watched)
                    _from_the_beginning(bench, setting, findings)
                    _live(bench, setting, findings)
                    events += setting.told
    finally:
        gc.set_threshold(*before)
    return findings


def publish_all(stream: Stream, records: list[Outgoing]) -> int:
    """Publish records through a publisher of their own; return how many."""
    publisher = stream.publisher()
    try:
        return publish(publisher, records)
    finally:
        publisher.close()


def _published(bench: Bench, installation: Installation) -> tuple[Population, int]:
    bench.say("publishing a population")
    stream, db = open_stream(installation.settings), Database(installation.settings.database)
    registry = Registry(db, SEALER, None)
    population = Population(
        installation.organisation,
        installation.source.id,
        registry,
        datetime.now(UTC),
        bench.sizes.consumed_clients,
    )
    configured = list(population.configured(stream.partitions(EVENTS)))
    count = publish_all(stream, configured + population.by_time())
    stream.close()
    db.close()
    return population, count


@contextmanager
def _setting(
    installation: Installation, broker: str, url: str, population: Population, events: int
) -> Iterator[Setting]:
    stream, db = open_stream(installation.settings), Database(url)
    migrate(db)
    prepare(db)
    try:
        yield Setting(broker, stream, db, Meter(None), population, events)
    finally:
        db.close()
        stream.close()


def _from_the_beginning(bench: Bench, setting: Setting, findings: Findings) -> None:
    with setting.db.write() as db:
        for place, end in setting.stream.ends(EVENTS).items():
            ledger.set_mark(db, tables.CONSUMER, place.number, end)

    def again(handler: Callable[[], Handler]) -> Spent:
        setting.emptied()
        return setting.meter.spent(setting.events, lambda: _read(setting, handler()))

    def plainly() -> Spent:
        return setting.meter.spent(
            setting.events, lambda: read_plainly(setting.broker, setting.db.url, setting.events)
        )

    sides: Mapping[str, Callable[[], Spent]] = {
        "projections": lambda: again(setting.projector),
        "alerts": lambda: again(setting.watcher),
        "plain": plainly,
    }
    taken = interleaved(
        sides, bench.sizes.consumed_repeats, lambda what: bench.say(f"{setting.title}: {what}")
    )
    rates = {name: _rates(found) for name, found in taken.items()}
    against = f"consume, {'COPY' if setting.db.dialect == 'postgresql' else 'executemany'}"
    for name, targets in (("projections", (REBUILD_RATIO, REBUILD_RATE)), ("alerts", ())):
        title = f"{name} from the beginning, {setting.title}"
        wanted = targets if setting.db.dialect == "postgresql" else ()
        findings.rows.append(
            Row(title, rates[name], "events/s", against, rates["plain"],
                ratio(rates[name], rates["plain"]), next(iter(wanted), None))
        )  # fmt: skip
        findings.rows += [
            Row(title, rates[name], "events/s", target=target) for target in wanted[1:]
        ]
        findings.costs += _costs(name, taken[name], f"from the beginning, {setting.title}")


def _live(bench: Bench, setting: Setting, findings: Findings) -> None:
    for limit in (BATCH_LIMIT, FEW):
        count = bench.sizes.live if limit == BATCH_LIMIT else bench.sizes.live // 5
        taken = _taken_live(bench, setting, count, limit)
        for name, found in taken.items():
            title = f"{name} live, batches of at most {limit}, {setting.title}"
            target = ALERTS_RATE if name == "alerts" and limit == BATCH_LIMIT else None
            findings.rows.append(Row(title, _rates(found), "events/s", target=target))
            findings.costs += _costs(name, found, f"live, batches of {limit}, {setting.title}")


def _taken_live(bench: Bench, setting: Setting, count: int, limit: int) -> dict[str, list[Spent]]:
    """Have both consumers handle what comes, in turns."""
    taken: dict[str, list[Spent]] = {"projections": [], "alerts": []}
    stream, db = setting.stream, setting.db
    with (
        Reader(stream, db, setting.projector(), limit) as projections,
        Reader(stream, db, setting.watcher(), limit) as alerts,
    ):
        readers = {"projections": projections, "alerts": alerts}
        # Both join their groups before anything is measured.
        setting.come(1)
        for reader in readers.values():
            reader.handle(1)
        for repeat in range(bench.sizes.repeats):
            bench.say(f"{setting.title}, live: {repeat + 1} of {bench.sizes.repeats}")
            setting.come(count)
            for name, reader in readers.items():
                work = functools.partial(reader.handle, count)
                taken[name].append(setting.meter.spent(count, work))
    return taken


def _read(setting: Setting, handler: Handler) -> None:
    with Reader(setting.stream, setting.db, handler) as reader:
        reader.handle(setting.events)


def _rates(taken: list[Spent]) -> Measured:
    return measured([one.rate for one in taken])


def _costs(name: str, taken: list[Spent], note: str) -> list[Cost]:
    def per_event(seconds: Callable[[Spent], float]) -> float:
        return measured([seconds(one) / one.events * 1e6 for one in taken]).median

    own = Cost(name, per_event(lambda one: one.cpu_s), "µs CPU/event", note)
    theirs = per_event(lambda one: one.database_cpu_s)
    return [own, Cost(f"{name}: database", theirs, "µs CPU/event", note)] if theirs else [own]
