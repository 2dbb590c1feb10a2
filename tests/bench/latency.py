"""From accepted to visible in the timeline, and to the alert, with the installed processes."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from sqlalchemy import select

from services.alerts import tables
from services.projections import read_models
from shared.storage.engine import Database
from shared.storage.registry import Registry
from shared.storage.table_sets import FIRST
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS, Stream
from tests.bench import paced
from tests.bench.bench import Bench
from tests.bench.findings import Findings, Row, Target
from tests.bench.installation import Installation, settle
from tests.bench.measuring import measured, percentile
from tests.bench.paced import ALERT, FACT, Accepted, Sent
from tests.bench.population import Person, Population, publish
from tests.support.accounts import SEALER
from tests.support.rebuildable import prepare

RULE: Final = "risk-item"
"""The rule that a single rating can fire."""

AT: Final = 200
"""The rate, in events a second, that the targets are about."""

TARGETS: Final = {FACT: Target(250, "<"), ALERT: Target(1_000, "<")}
WHAT: Final = {FACT: "accepted → in the timeline", ALERT: "accepted → alert raised"}
FACTS_A_SECOND: Final = 10
ALERTS_A_SECOND: Final = 4
CONNECTIONS: Final = 32
LOOK_EVERY_S: Final = 0.002
PATIENCE_S: Final = 60.0
"""What is not visible so long after the last event counts as this late."""


Said = Accepted | Sent | None
"""What the sender says; None at its end."""


@dataclass(slots=True)
class Line:
    """The running services, what they read and write, and clients with a history."""

    installation: Installation
    port: int
    stream: Stream
    db: Database
    people: list[Person]
    risky: list[Person]


def run(bench: Bench) -> Findings:
    """Measure at every rate, one after the other, each on a line that has come to rest."""
    findings = Findings()
    findings.notes += [
        f"Latency: {FACTS_A_SECOND} ratings a second are watched until their fact is committed for"
        f" the timeline, and {ALERTS_A_SECOND} ratings with a risk item until their alert is,"
        " counted from the 202. Every service, broker, database and sender share the cores.",
        f"Latency: what was not visible {PATIENCE_S:.0f} s after the last event counts as that.",
    ]
    with _line(bench) as line:
        for rate in bench.sizes.rates:
            settle(line.stream, line.db)
            bench.say(f"{rate} events/s")
            findings.rows += list(_rows(bench, line, rate, findings))
    return findings


@contextmanager
def _line(bench: Bench) -> Iterator[Line]:
    with ExitStack() as stack:
        bench.say("starting the stream and the services")
        address = stack.enter_context(bench.stream())
        ours = Installation(bench.place(), address, stack.enter_context(bench.database()))
        db, stream = Database(ours.settings.database), open_stream(ours.settings)
        stack.callback(db.close)
        prepare(db)
        population = Population(
            ours.organisation,
            ours.source.id,
            Registry(db, SEALER, None),
            datetime.now(UTC),
            bench.sizes.latency_clients,
        )
        publish(stream, population.configured(stream.partitions(EVENTS)))
        publish(stream, population.by_client())
        services = stack.enter_context(bench.services(ours, "projections", "alerts", "ingest"))
        line = Line(ours, services["ingest"].port, stream, db, population.people, [])
        settle(stream, db)
        everybody = [one.id for one in population.people]
        at_risk = set(_at_risk(db, ours.organisation, everybody))
        line.risky = [one for one in population.people if one.id not in at_risk]
        yield line


def _rows(bench: Bench, line: Line, rate: int, findings: Findings) -> Iterator[Row]:
    waits, sent = _watched(bench, line, rate)
    if sent.wrong:
        raise RuntimeError(f"{sent.wrong} answers were not 202")
    reached = sent.events / sent.seconds
    if reached < 0.97 * rate:
        findings.notes.append(
            f"Latency: at {rate} events/s only {reached:.0f} were accepted a second."
        )
    for kind, took in waits.items():
        for share in (0.5, 0.99):
            title = f"{WHAT[kind]}, {rate} events/s, p{share * 100:.0f} of {len(took)}"
            figure = measured([percentile(took, share) * 1e3])
            target = TARGETS[kind] if rate == AT and share > 0.5 else None
            yield Row(title, figure, "ms", target=target)


def _watched(bench: Bench, line: Line, rate: int) -> tuple[dict[str, list[float]], Sent]:
    """Send at a rate; return how long each watched event took, by what was watched."""
    waits: dict[str, list[float]] = {FACT: [], ALERT: []}
    lines: queue.Queue[Said] = queue.Queue()
    sender = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.bench.paced"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert sender.stdin is not None
    with sender.stdin as order:
        order.write(orjson.dumps(asdict(_order(bench, line, rate))))
    listener = threading.Thread(target=_listen, args=(sender, lines))
    listener.start()
    sent = _look(line.db, line.installation.organisation, lines, waits)
    listener.join()
    if sender.wait() or sent is None:
        raise RuntimeError("the sender failed; its error is above")
    return waits, sent


def _order(bench: Bench, line: Line, rate: int) -> paced.Order:
    seconds = bench.sizes.latency_s
    wanted = int(ALERTS_A_SECOND * seconds) + 1
    risky, line.risky = line.risky[:wanted], line.risky[wanted:]
    return paced.Order(
        port=line.port,
        source=line.installation.source.id,
        secret=line.installation.source.secret,
        name=f"at-{rate}",
        rate=rate,
        seconds=seconds,
        connections=CONNECTIONS,
        clients=[one.reference for one in line.people],
        places={one.reference: (one.clinic, one.therapist_reference) for one in line.people},
        facts_every=max(1, rate // FACTS_A_SECOND),
        alerts_every=max(2, rate // ALERTS_A_SECOND),
        risky=[one.reference for one in risky],
    )


def _listen(sender: "subprocess.Popen[bytes]", lines: "queue.Queue[Said]") -> None:
    assert sender.stdout is not None
    with sender.stdout as said:
        for text in said:
            line = orjson.loads(text)
            lines.put(Accepted(**line) if "kind" in line else Sent(**line))
    lines.put(None)


def _look(
    db: Database, organisation: str, lines: "queue.Queue[Said]", waits: dict[str, list[float]]
) -> Sent | None:
    """Look again and again for what was accepted, until all is visible or patience ends."""
    missing: dict[str, Accepted] = {}
    sent: Sent | None = None
    deadline: float | None = None
    while deadline is None or (missing and time.monotonic() < deadline):
        while not lines.empty():
            match lines.get():
                case Accepted() as accepted:
                    missing[accepted.event] = accepted
                case Sent() as sent:
                    pass
                case None:
                    deadline = time.monotonic() + PATIENCE_S
        now = time.monotonic()
        for event in [*_facts(db, organisation, missing), *_alerts(db, organisation, missing)]:
            one = missing.pop(event)
            waits[one.kind].append(max(0.0, now - one.at))
        # Looking takes at most a fifth of a core from those who are looked at.
        time.sleep(max(LOOK_EVERY_S, 4 * (time.monotonic() - now)))
    for one in missing.values():
        waits[one.kind].append(PATIENCE_S)
    return sent


def _facts(db: Database, organisation: str, missing: dict[str, Accepted]) -> list[str]:
    wanted = [one for one in missing.values() if one.kind == FACT]
    if not wanted:
        return []
    facts = read_models.of(FIRST).facts.rows.c
    asked = select(facts.event).where(
        facts.organisation == organisation,
        facts.client.in_([one.client for one in wanted]),
        facts.event.in_([one.event for one in wanted]),
    )
    with db.read() as connection:
        return list(connection.scalars(asked))


def _alerts(db: Database, organisation: str, missing: dict[str, Accepted]) -> list[str]:
    wanted = {one.client: one.event for one in missing.values() if one.kind == ALERT}
    return [wanted[client] for client in _at_risk(db, organisation, wanted)] if wanted else []


def _at_risk(db: Database, organisation: str, clients: Collection[str]) -> list[str]:
    episodes = tables.of(FIRST).episodes.c
    asked = select(episodes.client).where(
        episodes.organisation == organisation,
        episodes.client.in_(list(clients)),
        episodes.rule == RULE,
    )
    with db.read() as connection:
        return list(connection.scalars(asked.distinct()))
