"""Everything that consumes, ticks and delivers, killed on Kafka and PostgreSQL at chosen calls."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.experiments.common import POSITION_APART
from tests.faults.forks import forks
from tests.faults.journal import Sender
from tests.faults.killing import empty_feed

KILLS: Final = 4
LAST_EDGE: Final = 30
"""A start with something to handle has about so many commits and messages."""

LATER: Final = timedelta(minutes=2)
"""After so long nobody respects a claim of the dead any more; the group of Kafka is waited for."""


def run(world: World) -> Iterable[str]:
    """Kill the workers right after some commits and messages in turn; then let them finish."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    ingest = site.ingest().ready()
    sender = Sender(journal, lambda: ingest.address, tenant)
    batches = in_batches(a_story(world.chance, clients=2), world.chance)
    places = [("moved", world.chance.randint(1, 2)) for _ in range(KILLS // 2)]
    places += [("edge", world.chance.randint(1, LAST_EDGE)) for _ in range(KILLS // 2)]
    world.chance.shuffle(places)
    part = -(-len(batches) // KILLS)
    now = datetime.now(UTC)
    with forks(site) as children:
        for number, (what, at) in enumerate([*places, ("edge", 0)]):
            sender.send_all(batches[number * part : (number + 1) * part])
            ended = children.order(
                what="all",
                environment=dict(site.variables),
                start=(now + number * LATER).isoformat(),
                feed=str(empty_feed(site, now + number * LATER)),
                fed=str(site.folder / "fed"),
                **{what: at},
            )
            world.note(f"{what} {at}: {'killed' if ended.killed else 'finished'}")
    site.wait_settled()
    expected = Expectation(messages=receiver.messages, redeliveries=KILLS)
    yield from violations(site, journal, expected)


EXPERIMENT = Experiment(
    "killed-on-kafka",
    run,
    guards=(POSITION_APART,),
    engines=(KAFKA,),
)
