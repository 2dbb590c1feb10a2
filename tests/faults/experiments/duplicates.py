"""Everything five times, from eight threads, by two ways in, for two organisations at once.

In an order of chance, most of it long after it happened, corrected and retracted in between.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.content import in_batches, shuffled
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.experiments.disorder import an_amended_story
from tests.faults.guards import Guard
from tests.faults.journal import Sender, Way

TIMES: Final = 5
THREADS: Final = 8
WAYS: Final[tuple[Way, ...]] = ("webhook", "api")


def run(world: World) -> Iterable[str]:
    """Send each of two organisations' events five times, all at once, and look once it settled."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenants = [site.tenant(name, f"{receiver.url}/{name}") for name in ("north", "south")]
    site.up().ready()
    with ThreadPoolExecutor(len(tenants)) as pool:
        for tenant, way in zip(tenants, WAYS, strict=True):
            story = an_amended_story(world.chance, clients=1 if world.short else 3)
            batches = in_batches(shuffled(story, world.chance, TIMES), world.chance)
            sender = Sender(journal, lambda: site.processes["up"].address, tenant, way=way)
            pool.submit(sender.send_all, batches, THREADS // len(tenants))
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    return violations(site, journal, Expectation(messages=receiver.messages))


EXPERIMENT = Experiment(
    name="duplicates",
    run=run,
    guards=(
        Guard(
            name="same-event-recognised",
            file="shared/storage/facts.py",
            old="        event.id,\n        envelope.id,",
            new='        f"{event.id} {to_micros(envelope.recorded_at)}",\n        envelope.id,',
        ),
    ),
    engines=(EMBEDDED, KAFKA),
    short=True,
)
