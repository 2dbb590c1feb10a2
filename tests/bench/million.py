"""A million events: cost as data grow, memory on the way, questions at the end, bytes kept."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from shared.storage.engine import Database
from shared.storage.registry import Registry
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS, Stream
from tests.bench import ingest, queries, weight
from tests.bench.bench import Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation, Process, settle
from tests.bench.measuring import Measured, cpu_s, measured, ratio, resident_mb
from tests.bench.population import CLINICS, Person, Population, events_of, publish
from tests.support.accounts import SEALER
from tests.support.rebuildable import prepare

CONSUMERS: Final = ("projections", "alerts")
REMEMBERED: Final = (0.1, 0.5, 1.0)
"""Shares of all events at which the memory of the services is read."""

FLAT: Final = Target(1.2, "<", of="ratio")
"""Own: what repeats of one measurement differ by anyway."""

MEMORY: Final = Target(300, "<")

LIVE_EACH: Final = 12
"""Events of each client that come at once while the cost of the next events is taken: fewer would
be too few for the system's clock of 10 ms a tick."""

MOST_EVENTS: Final = 100
"""More than a simulated client has in half a year."""

WIDELY: Final = 20_000
"""Clients whom ingest hears of while its memory is watched: more than its caches may keep."""


@dataclass(slots=True)
class Stage:
    """The running consumers and what they have been given.

    Attributes:
        memory: Service → MB at each share of ``REMEMBERED``.
        costs: Who spends → µs of CPU per event at each share of ``Sizes.grown``, and at last
            with many clinics in the organisation.
    """

    installation: Installation
    stream: Stream
    db: Database
    population: Population
    services: Mapping[str, Process]
    told: int = 0
    memory: dict[str, list[float]] = field(default_factory=dict)
    costs: dict[str, list[Measured]] = field(default_factory=dict)


def run(bench: Bench) -> Findings:
    """Fill, measure on the way and at the end; then take ingest's memory over as many."""
    findings = Findings()
    events = bench.sizes.kept_events
    findings.notes += [
        f"The {events:,} simulated events are of one organisation and come client by client, as an"
        " import brings them; in between,"
        f" {LIVE_EACH} events of each of some clients come live, as many clients each time. Both"
        " consumers and the database share the cores. Before that the database has cleaned up"
        " after the import (VACUUM), which is paid once per row and would fall on whoever comes"
        " next.",
        "Memory is that of all processes of a service together (ingest with one worker); pages"
        " that they share count once for each.",
    ]
    with _stage(bench) as stage:
        _fill(bench, stage)
        findings.rows += _growth_rows(bench, stage)
        findings.rows += _memory_rows(bench, stage.memory)
        bench.say("asking")
        found = queries.ask(bench, stage.installation, stage.services, stage.population)
        findings.rows += found.rows
        findings.costs += _live_costs(stage)
        findings.costs += found.costs
        findings.costs += weight.of(bench, stage.db, stage.stream)
    if bench.postgres is not None:
        findings.rows += _memory_rows(bench, {"ingest": list(_ingest_memory(bench))})
    return findings


@contextmanager
def _stage(bench: Bench) -> Iterator[Stage]:
    with ExitStack() as stack:
        bench.say("starting the stream and the services")
        address = stack.enter_context(bench.stream())
        ours = Installation(bench.place(), address, stack.enter_context(bench.database()))
        db, stream = Database(ours.settings.database), open_stream(ours.settings)
        stack.callback(db.close)
        prepare(db)
        population = _population(bench, ours, db)
        publish(stream, population.configured(stream.partitions(EVENTS)))
        services = stack.enter_context(bench.services(ours, *CONSUMERS))
        yield Stage(ours, stream, db, population, services)


def _population(bench: Bench, ours: Installation, db: Database) -> Population:
    """Register as many clients as it takes, and one more who has ten years of events."""
    now, pool = datetime.now(UTC), _pool(bench)
    clients = round(bench.sizes.kept_events / events_of(now, pool)) + 1
    registry = Registry(db, SEALER, None)
    return Population(ours.organisation, ours.source.id, registry, now, clients, pool)


def _pool(bench: Bench) -> int:
    """Return how many clients something comes about live at each stage.

    They are others each time, so that nobody's history grows by being measured; all of them are
    there since the first stage, and each stage's have the same half years.
    """
    first = bench.sizes.grown[0] * bench.sizes.kept_events / MOST_EVENTS
    return max(1, int(first) // (len(bench.sizes.grown) + 1))


def _fill(bench: Bench, stage: Stage) -> None:
    """Publish share by share; at each, wait for the consumers and measure what is wanted."""
    people = stage.population.people
    clients, grown, pool = len(people) - 1, bench.sizes.grown, _pool(bench)
    begin = 0
    for share in sorted({*grown, *REMEMBERED}):
        end = max(1, round(share * clients))
        bench.say(f"up to {share:.0%} of {bench.sizes.kept_events:,} events")
        publish(stage.stream, stage.population.by_client(begin, end))
        settle(stage.stream, stage.db)
        begin = end
        if share in REMEMBERED:
            for name, process in stage.services.items():
                stage.memory.setdefault(name, []).append(resident_mb(process.process))
        if share in grown:
            bench.say(f"live at {share:.0%}")
            first = grown.index(share) * pool
            _measure_live(bench, stage, people[first : first + pool])
    bench.say(f"live with {bench.sizes.many_clinics} clinics")
    partitions = stage.stream.partitions(EVENTS)
    more = stage.population.configured(partitions, CLINICS, bench.sizes.many_clinics)
    publish(stage.stream, more)
    settle(stage.stream, stage.db)
    first = len(grown) * pool
    _measure_live(bench, stage, people[first : first + pool])
    publish(stage.stream, stage.population.long(people[-1], bench.sizes.long_sessions))
    settle(stage.stream, stage.db)


def _measure_live(bench: Bench, stage: Stage, people: Sequence[Person]) -> None:
    """Take the cost of what comes next about some clients."""
    taken: dict[str, list[float]] = {}
    if bench.postgres is not None:
        bench.postgres.tidy(stage.installation.settings.database)
    for _ in range(bench.sizes.repeats):
        count = LIVE_EACH * len(people)
        for name, seconds in _spent(bench, stage, count, people).items():
            taken.setdefault(name, []).append(seconds / count * 1e6)
    for name, figures in taken.items():
        stage.costs.setdefault(name, []).append(measured(figures))


def _spent(bench: Bench, stage: Stage, count: int, people: Sequence[Person]) -> dict[str, float]:
    watched = {name: process.process for name, process in stage.services.items()}
    if bench.database_server is not None:
        watched["database"] = bench.database_server
    before = {name: cpu_s(process) for name, process in watched.items()}
    publish(stage.stream, stage.population.live(count, stage.told, people))
    stage.told += count
    settle(stage.stream, stage.db)
    return {name: cpu_s(process) - before[name] for name, process in watched.items()}


def _growth_rows(bench: Bench, stage: Stage) -> Iterator[Row]:
    grown, many = bench.sizes.grown, bench.sizes.many_clinics
    for name, (first, *later) in stage.costs.items():
        *more_data, more_clinics = later
        for share, figures in zip(grown[1:], more_data, strict=True):
            title = f"{name}: cost of an event live, {share / grown[0]:.0f} × the data"
            yield Row(title, figures, "µs CPU", "1 × the data", first,
                      ratio(figures, first), FLAT)  # fmt: skip
        before = later[-2]
        yield Row(f"{name}: cost of an event live, {many} clinics", more_clinics, "µs CPU",
                  f"{CLINICS} clinics", before, ratio(more_clinics, before), FLAT)  # fmt: skip


def _memory_rows(bench: Bench, memory: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    first = REMEMBERED[0]
    for name, at in memory.items():
        for share, figure in list(zip(REMEMBERED, at, strict=True))[1:]:
            title = f"{name}: memory after {share * bench.sizes.kept_events:,.0f} events"
            now, then = measured([figure]), measured([at[0]])
            yield Row(title, now, "MB", f"after {first * bench.sizes.kept_events:,.0f}", then,
                      ratio(now, then), MEMORY)  # fmt: skip


def _live_costs(stage: Stage) -> Iterator[Cost]:
    for name, at in stage.costs.items():
        note = f"live, {len(stage.population.people):,} clients, as served"
        yield Cost(name, at[-2].median, "µs CPU/event", note)


def _ingest_memory(bench: Bench) -> Iterator[float]:
    """Yield the memory of ingest at each share, after so many events in signed batches."""
    with ExitStack() as stack:
        address = stack.enter_context(bench.stream())
        ours = Installation(bench.place(), address, stack.enter_context(bench.database()))
        process = stack.enter_context(ours.running("serve", "ingest"))
        sent = 0
        for share in REMEMBERED:
            wanted = share * bench.sizes.kept_events
            while sent < wanted:
                bench.say(f"ingest's memory: {sent:,} of {bench.sizes.kept_events:,} events")
                sent += ingest.bulk(bench, ours, process, f"bulk-{sent}", WIDELY)
            yield resident_mb(process.process)
