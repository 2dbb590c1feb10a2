"""Ingest killed with SIGKILL, its HTTP server too, under load on Kafka and PostgreSQL."""

import time
from collections.abc import Iterable
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.guards import Edit, Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import Load

KILLS: Final = 3
UNDER_WAY: Final = 15


def run(world: World) -> Iterable[str]:
    """Kill it while requests are under way; send again what is unknown; compare."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    site.ingest(workers=2).ready()
    sender = Sender(journal, lambda: site.processes["ingest"].address, tenant)
    with Load(sender, world.chance) as load:
        for _ in range(KILLS):
            load.wait_acknowledged(UNDER_WAY)
            time.sleep(world.chance.uniform(0, 0.2))
            site.processes["ingest"].kill_family()
            site.ingest(workers=2).ready()
        load.wait_acknowledged(UNDER_WAY)
    sender.send_unknowns_again()
    site.projections()
    site.alerts()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    return violations(site, journal, Expectation(messages=receiver.messages))


EXPERIMENT = Experiment(
    "killed-ingest-on-kafka",
    run,
    guards=(
        Guard(
            name="acknowledged-only-when-the-broker-says-so",
            file="shared/stream/kafka/delivering.py",
            old="            self._wait(publication, deadline)\n",
            new="            return\n",
            also=(
                # What nobody waits for leaves within a millisecond: too soon to be met by a kill.
                Edit("shared/stream/kafka/publisher.py", '"linger.ms": 0,', '"linger.ms": 500,'),
            ),
            tries=2,
        ),
    ),
    engines=(KAFKA,),
)
