"""Ingest: signed webhooks, single and in batches, against a bare route and bare kafka-python."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson
from kafka import KafkaAdminClient

from services.cli.process import BLOCKING_THREADS
from shared.config import child_environment
from tests.bench import load, raw
from tests.bench.bare import BROKER, TOPIC
from tests.bench.bench import KAFKA, Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation, Process
from tests.bench.load import Answered
from tests.bench.measuring import Measured, cpu_s, interleaved, measured, ratio
from tests.bench.webhooks import BATCH, CLIENTS
from tests.support.kafka_broker import free_port

PARTITIONS: Final = 12
SINGLE_TARGET: Final = Target(0.7, of="ratio")
BATCH_TARGET: Final = Target(0.6, of="ratio")
READY_A_SECOND: Final = 8_000
"""More single requests a second than two cores can answer: so many are made ready."""

BATCHES_A_SECOND: Final = 100
"""Batches made ready; they are sent again when all were sent, which ingest cannot tell."""

BULK_LASTS: Final = 4
"""How many times as long as any other load a bulk is sent."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One figure: what a load got answered, and what the server spent on it."""

    answered: Answered
    server_cpu_s: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way of sending.

    Attributes:
        title: Names it in the table.
        connections: How many send at once.
        batch: Events in a request.
        target: Against the bare route.
    """

    title: str
    connections: int
    batch: int
    target: Target | None


@dataclass(frozen=True, slots=True)
class Servers:
    """What is measured side by side."""

    ours: Installation
    rapport: Process
    bare: Process
    broker: str


def run(bench: Bench) -> Findings:
    """Measure ingest on real Kafka beside the bare route, then on the embedded engine."""
    findings, processes = Findings(), bench.sizes.processes
    findings.notes += [
        f"Ingest and the bare route run {processes} processes of {BLOCKING_THREADS} threads each;"
        " server, broker, database and load share the machine's cores.",
        "Every client was spoken of before the first load, and is looked up again each minute.",
        f"Of a batch of {BATCH} the bare route parts the events and publishes one record each.",
    ]
    ways = [Way(_title(count), count, 1, SINGLE_TARGET) for count in bench.sizes.connections]
    ways.append(
        Way(f"batch of {BATCH}, {bench.sizes.batch_connections} connections",
            bench.sizes.batch_connections, BATCH, BATCH_TARGET)
    )  # fmt: skip
    if bench.postgres is not None:
        with _servers(bench) as servers:
            _introduce(bench, servers.ours, servers.rapport)
            for way in ways:
                _compare(bench, servers, way, findings)
    _embedded(bench, ways, findings)
    return findings


def bulk(
    bench: Bench, installation: Installation, server: Process, name: str, clients: int
) -> int:
    """Send batches for some time; return how many events were taken.

    Args:
        bench: How long that is.
        installation: Whose source signs.
        server: Its ingest.
        name: Goes into the ids of the events.
        clients: How many clients they are about.
    """
    way = Way("", bench.sizes.batch_connections, BATCH, None)
    order = _order(bench, installation, way, server.port, installation.source.path)
    seconds = BULK_LASTS * order.seconds
    again = replace(order, name=name, clients=clients, warm_up_s=0.0, seconds=seconds)
    return _loaded(again, server).answered.events


def _introduce(bench: Bench, installation: Installation, server: Process) -> None:
    """Send something about every client, so that the loads speak of known ones, as a clinic does.

    At one connection the first load would otherwise measure how clients are written down.
    """
    bench.say("introducing the clients")
    bulk(bench, installation, server, "first", CLIENTS)


def _title(connections: int) -> str:
    return f"signed webhook, {connections} connection{'s' if connections > 1 else ''}"


@contextmanager
def _servers(bench: Bench) -> Iterator[Servers]:
    with ExitStack() as stack:
        bench.say("starting Kafka, ingest and the bare route")
        stream = stack.enter_context(bench.stream())
        database = stack.enter_context(bench.database())
        ours = Installation(bench.place(), stream, database, PARTITIONS)
        rapport = stack.enter_context(bench.services(ours, "ingest"))["ingest"]
        broker = stream.removeprefix(KAFKA)
        bare = stack.enter_context(_bare(broker, bench.sizes.processes))
        yield Servers(ours, rapport, bare, broker)


@contextmanager
def _bare(broker: str, processes: int) -> Iterator[Process]:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics({TOPIC: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    admin.close()
    port = free_port()
    command = ["granian", "--interface", "wsgi", "--factory", "--no-ws", "--host", "127.0.0.1",
               "--port", str(port), "--workers", str(processes),
               "--blocking-threads", str(BLOCKING_THREADS), "--log-level", "error",
               "tests.bench.bare:wsgi"]  # fmt: skip
    process = Process(command, port, child_environment({BROKER: broker}, ours_too=False))
    try:
        yield process
    finally:
        process.stop()


def _compare(bench: Bench, servers: Servers, way: Way, findings: Findings) -> None:
    source = servers.ours.source
    order = _order(bench, servers.ours, way, servers.rapport.port, source.path)
    bare = replace(
        order, port=servers.bare.port, path="/batch" if way.batch > 1 else "/single", name="bare"
    )
    alone = raw.Order(
        servers.broker, "raw", way.connections, way.batch, order.ready, order.warm_up_s,
        order.seconds,
    )  # fmt: skip
    sides: dict[str, Callable[[], Taken]] = {
        "rapport": lambda: _loaded(order, servers.rapport),
        "bare route": lambda: _loaded(bare, servers.bare),
        "kafka-python": lambda: Taken(_carried_out("raw", asdict(alone)), 0.0),
    }
    taken = interleaved(sides, bench.sizes.repeats, lambda what: bench.say(f"{way.title}: {what}"))
    rates = {name: _rates(found) for name, found in taken.items()}
    ours = rates["rapport"]
    for against, target in (("bare route", way.target), ("kafka-python", None)):
        findings.rows.append(
            Row(way.title, ours, "events/s", against, rates[against],
                ratio(ours, rates[against]), target)
        )  # fmt: skip
    findings.costs += _costs(way, taken)


def _order(bench: Bench, installation: Installation, way: Way, port: int, path: str) -> load.Order:
    sizes, source = bench.sizes, installation.source
    seconds = sizes.load_s + sizes.warm_up_s
    most = READY_A_SECOND if way.batch == 1 else BATCHES_A_SECOND
    return load.Order(
        port=port,
        path=path,
        source=source.id,
        secret=source.secret,
        name="ours",
        connections=way.connections,
        batch=way.batch,
        ready=max(way.connections, int(most * seconds)),
        warm_up_s=sizes.warm_up_s,
        seconds=sizes.load_s,
    )


def _loaded(order: load.Order, server: Process) -> Taken:
    before = cpu_s(server.process)
    answered = _carried_out("load", asdict(order))
    share = order.seconds / (order.seconds + order.warm_up_s)
    if answered.wrong:
        raise RuntimeError(f"{answered.wrong} answers were not 202")
    return Taken(answered, (cpu_s(server.process) - before) * share)


def _carried_out(program: str, order: dict[str, Any]) -> Answered:
    """Have a load carried out by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.bench.{program}"],
        input=orjson.dumps(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Answered(**orjson.loads(done.stdout))


def _rates(taken: list[Taken]) -> Measured:
    return measured([one.answered.rate for one in taken])


def _costs(way: Way, taken: dict[str, list[Taken]]) -> list[Cost]:
    def per_event(which: Callable[[Taken], float], name: str) -> float:
        return measured([which(one) / one.answered.events * 1e6 for one in taken[name]]).median

    unit = "µs CPU/event"
    return [
        Cost("ingest", per_event(lambda one: one.server_cpu_s, "rapport"), unit, way.title),
        Cost("bare route", per_event(lambda one: one.server_cpu_s, "bare route"), unit, way.title),
        Cost("load", per_event(lambda one: one.answered.cpu_s, "rapport"), unit, way.title),
    ]


def _embedded(bench: Bench, ways: list[Way], findings: Findings) -> None:
    """Measure the embedded engine on SQLite: everything on one machine, one fsync for many."""
    folder = bench.place()
    ours = Installation(folder, "embedded", f"sqlite:///{folder / 'rapport.db'}", PARTITIONS)
    with ours.running("serve", "ingest", "--workers", str(bench.sizes.processes)) as server:
        _introduce(bench, ours, server)
        for way in ways:
            order = _order(bench, ours, way, server.port, ours.source.path)
            bench.say(f"{way.title}, embedded")
            taken = [_loaded(order, server) for _ in range(bench.sizes.consumed_repeats)]
            findings.rows.append(Row(f"{way.title}, embedded engine", _rates(taken), "events/s"))
