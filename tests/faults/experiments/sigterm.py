"""SIGTERM under load: every request is answered or unknown, and the end comes in time."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from services.cli.process import STOP_WITHIN_S
from tests.faults.checker import Expectation, violations
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.guards import Edit, Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import Load
from tests.faults.processes import Loud, Process

TIMES: Final = 2
UNDER_WAY: Final = 10
EVERYTHING_WITHIN_S: Final = 2 * STOP_WITHIN_S
"""The HTTP server first, then the workers; each has its time."""


def run(world: World) -> Iterable[str]:
    """Stop and start ingest, the projections and the alerts again and again under load."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    starts: dict[str, Callable[[], Process]] = {
        "ingest": lambda: site.ingest(workers=2),
        "projections": site.projections,
        "alerts": site.alerts,
    }
    for start in starts.values():
        start().ready()
    sender = Sender(journal, lambda: site.processes["ingest"].address, tenant)
    with Load(sender, world.chance) as load:
        for _ in range(1 if world.short else TIMES):
            for name, start in starts.items():
                load.wait_acknowledged(UNDER_WAY)
                time.sleep(world.chance.uniform(0, 0.2))
                yield from _ended(site.processes[name])
                start().ready()
        load.wait_acknowledged(UNDER_WAY)
    sender.send_unknowns_again()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    yield from violations(site, journal, Expectation(messages=receiver.messages))


def _ended(process: Process) -> Iterator[str]:
    """Ask a process to end; say so where it does not in time, or not in order."""
    began = time.monotonic()
    process.terminate()
    try:
        code = process.wait(EVERYTHING_WITHIN_S)
    except Loud as late:
        yield f"sigterm: {late}"
        process.kill()
        return
    took_s = time.monotonic() - began
    if code != 0:
        yield f"sigterm: {process.name} ended with {code} after {took_s:.1f} s"


EXPERIMENT = Experiment(
    "sigterm",
    run,
    guards=(
        Guard(
            name="sigterm-is-heard",
            file="services/cli/process.py",
            old="    for number in (signal.SIGTERM, signal.SIGINT):\n",
            new="    for number in (signal.SIGINT,):\n",
        ),
        Guard(
            name="acknowledged-only-when-written",
            file="shared/stream/embedded/publisher.py",
            old="        if not batch.settled.wait(deadline_s):\n",
            new="        if False:\n",
            also=(
                Edit(
                    "shared/stream/embedded/publisher.py",
                    "            writer.join(CLOSE_WITHIN_S)\n",
                    "            self._queue.clear()\n",
                ),
            ),
            tries=3,
        ),
    ),
    engines=(EMBEDDED, KAFKA),
)
