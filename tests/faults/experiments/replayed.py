"""Everything that the stream can fill again is lost: it fills again, and nobody is told twice."""

from collections.abc import Iterable

from tests.faults.checker import Expectation, violations
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.guards import Guard
from tests.faults.journal import Sender
from tests.support.rebuildable import emptied


def run(world: World) -> Iterable[str]:
    """Empty every table that can be filled again, start again, and count what is told."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    sender.send_all(in_batches(a_story(world.chance, clients=2), world.chance))
    site.wait_settled()
    told = len(receiver.messages)
    if up.stop() != 0:
        yield "replayed: it did not end in order"
    with site.db.write() as db:
        emptied(db)
    site.up().ready()
    site.wait_settled()
    if len(receiver.messages) > told:
        yield f"told: {len(receiver.messages) - told} notifications because of the past"
    world.note(f"{told} notifications")
    yield from violations(site, journal, Expectation(messages=receiver.messages))


EXPERIMENT = Experiment(
    "replayed",
    run,
    guards=(
        Guard(
            name="what-was-told-is-a-matter-of-record",
            file="services/alerts/judging.py",
            old="    case = _Case(\n",
            new="    alerts = {}\n    case = _Case(\n",
            loud=True,
        ),
    ),
    engines=(EMBEDDED, KAFKA),
)
