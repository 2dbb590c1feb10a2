"""A broker killed with SIGKILL under load and started again on its old data, several times."""

import time
from collections.abc import Iterable
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.guards import Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import Load

KILLS: Final = 2
UNDER_WAY: Final = 15
"""Requests acknowledged before each kill, so that there is always something to lose."""


ACKNOWLEDGED: Final = Guard(
    name="only-what-the-broker-has-is-acknowledged",
    file="shared/stream/kafka/publisher.py",
    old='"acks": "all",\n                "enable.idempotence": True,',
    new='"acks": 0,\n                "enable.idempotence": False,',
    tries=3,
)


def run(world: World) -> Iterable[str]:
    """Kill the broker while requests are under way; send again what is unknown; compare."""
    broker = world.broker()
    site = world.installation(stream=f"kafka://{broker.address}")
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    with Load(sender, world.chance) as load:
        for _ in range(KILLS):
            load.wait_acknowledged(UNDER_WAY)
            time.sleep(world.chance.uniform(0, 0.3))
            broker.kill()
            time.sleep(world.chance.uniform(0, 2))
            broker.restart()
        load.wait_acknowledged(UNDER_WAY)
    sender.send_unknowns_again()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    return violations(site, journal, Expectation(messages=receiver.messages))


EXPERIMENT = Experiment("broker-killed", run, (ACKNOWLEDGED,), (KAFKA,))
