"""A broker away for ten seconds, and for longer than the library's delivery time-out."""

import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from services.alerts.deliveries import WEBHOOK_LIMIT
from tests.faults.checker import Expectation, violations
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.guards import PACKAGES, Edit, Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import THREADS, Load
from tests.faults.processes import wait_until

AWAY_S: Final = 10.0
DIE_AFTER_S: Final = 6.0
BACK_WITHIN_S: Final = 15.0
"""On a busy machine; a contract test of the engine has five seconds."""

UNDER_WAY: Final = 20

DELIVERY_TIMEOUT_S: Final = 6
LONG_AWAY_S: Final = 14.0
SHORTER: Final = Edit(
    "shared/stream/kafka/stream.py",
    "DELIVERY_TIMEOUT_S: Final = 120.0",
    f"DELIVERY_TIMEOUT_S: Final = {DELIVERY_TIMEOUT_S}",
)
"""Short, so that the experiment does not last minutes."""


def run(world: World) -> Iterable[str]:
    """Take the broker away, and kill the service meanwhile; soon all goes on, nothing is lost."""
    return _away(world, AWAY_S, die_after_s=DIE_AFTER_S, PUBLISH_DEADLINE_MS="3000")


def run_long(world: World) -> Iterable[str]:
    """Stay away until the library itself has given up what was under way."""
    world.tree = shortened(world, SHORTER)
    # Longer than the library waits, so that its own giving up is met, not only our deadline.
    return _away(world, LONG_AWAY_S, PUBLISH_DEADLINE_MS="8000")


def shortened(world: World, *edits: Edit) -> Path:
    """Return a copy of the tree under test with other limits than the product's.

    Args:
        world: Whose tree.
        edits: What is changed.
    """
    copy = world.folder / "shortened"
    for package in PACKAGES:
        shutil.copytree(world.tree / package, copy / package)
    for edit in edits:
        file = copy / edit.file
        file.write_text(edit.of(file.read_text()))
    return copy


def listens(port: int) -> bool:
    """Return whether anybody takes connections on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _away(
    world: World, away_s: float, *, die_after_s: float | None = None, **variables: str
) -> Iterator[str]:
    broker = world.broker()
    site = world.installation(stream=f"kafka://{broker.address}", **variables)
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    site.up().ready()
    sender = Sender(journal, lambda: site.processes["up"].address, tenant)
    with Load(sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        broker.kill()
        if die_after_s is not None:
            time.sleep(die_after_s)
            site.processes["up"].kill()
            wait_until(lambda: not listens(site.processes["up"].port), "its port is free", 10)
            site.up()
        time.sleep(away_s - (die_after_s or 0))
        broker.restart()
        site.processes["up"].ready()
        took = load.wait_acknowledged(THREADS, 60)
    world.note(f"acknowledged again {took:.1f} s after the broker's return")
    if took > BACK_WITHIN_S:
        yield f"slow: {took:.1f} s until requests were acknowledged again"
    sender.send_unknowns_again()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    yield from violations(
        site, journal, Expectation(messages=receiver.messages, redeliveries=WEBHOOK_LIMIT)
    )


LATE: Final = Guard(
    name="what-is-late-is-unknown",
    file="shared/stream/kafka/publisher.py",
    old="            self._condemn(delivering, error)\n            raise\n",
    new="            return\n",
)

EXPERIMENT = Experiment("broker-away", run, (LATE,), (KAFKA,))

LONG = Experiment(
    "broker-away-long",
    run_long,
    (LATE,),
    (KAFKA,),
)
