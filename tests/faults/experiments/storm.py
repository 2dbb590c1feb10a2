"""A rebalance storm: consumers join, leave and die while events flow."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from shared.stream.kafka.stream import LEASE_S
from tests.faults.checker import Expectation, violations
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.guards import Guard
from tests.faults.installation import Installation
from tests.faults.journal import Sender
from tests.faults.parts.load import Load
from tests.faults.processes import Process

STORM_S: Final = 20.0
PAUSE_S: Final = (0.5, 3.0)
CALM_WITHIN_S: Final = 45.0
"""Without its guard it stands still for ever, and nobody need wait for that for long."""

MOST: Final = 1
"""Processes of a kind that come and go, at once: two cores carry no more."""

MISSED_AFTER_S: Final = LEASE_S + 2

STAY: Final = ("ingest", "projections-first", "alerts-first")

Start = Callable[[str], Process]


def run(world: World) -> Iterable[str]:
    """Start, stop, kill and pause projections and alerts under load, then let it calm."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    ingest = site.ingest().ready()
    starts: Mapping[str, Start] = {"projections": site.projections, "alerts": site.alerts}
    for kind, start in starts.items():
        # One of each stays: it loses partitions and gains them again, all the time.
        start(f"{kind}-first").ready()
    sender = Sender(journal, lambda: ingest.address, tenant)
    killed = joined = 0
    with Load(sender, world.chance):
        until = time.monotonic() + STORM_S
        while time.monotonic() < until:
            time.sleep(world.chance.uniform(*PAUSE_S))
            kind = world.chance.choice(sorted(starts))
            alive = _alive(site, kind)
            if len(alive) < MOST and (not alive or world.chance.random() < 0.5):
                joined += 1
                starts[kind](f"{kind}-{joined}")
            elif world.chance.random() < 0.5:
                world.chance.choice(alive).kill()
                killed += kind == "alerts"
            else:
                world.chance.choice(alive).terminate()
        for kind in starts:
            _paused(site, kind, starts[kind])
    for process in site.processes.values():
        if process.alive and process.name not in STAY:
            process.terminate()
            process.wait()
    sender.send_unknowns_again()
    site.wait_settled(None if world.whole else CALM_WITHIN_S)
    world.note(f"{joined} joined, {journal.counts()}, {len(receiver.messages)} notifications")
    return violations(site, journal, Expectation(messages=receiver.messages, redeliveries=killed))


def _paused(site: Installation, kind: str, start: Start) -> None:
    """Stop the one that stays for longer than the group waits for it, with another beside it."""
    start(f"{kind}-beside").ready()
    staying = site.processes[f"{kind}-first"]
    staying.pause()
    time.sleep(MISSED_AFTER_S)
    staying.resume()


def _alive(site: Installation, kind: str) -> Sequence[Process]:
    return [
        one
        for name, one in site.processes.items()
        if name.startswith(kind) and name not in STAY and one.alive
    ]


EXPERIMENT = Experiment(
    "rebalance-storm",
    run,
    guards=(
        Guard(
            name="position-loaded-anew-with-each-partition-gained",
            file="shared/stream/runner.py",
            old="        found = positions.load(self._database, self._handler.name, "
            "place.topic, place.number)\n        self._positions[place] = found\n",
            new="        found = self._positions.get(place) or positions.load("
            "self._database, self._handler.name, place.topic, place.number)\n"
            "        self._positions[place] = found\n",
            loud=True,
            tries=3,
        ),
    ),
    engines=(KAFKA,),
)
