"""Three brokers: the leader killed, then two of three, then all back."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from shared.stream.ports import EVENTS
from tests.faults.checker import Expectation, violations
from tests.faults.experiment import KAFKA, Experiment, World
from tests.faults.guards import Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import Load
from tests.support.kafka_admin import asking
from tests.support.kafka_broker import KafkaBroker, cluster_of

BROKERS: Final = 3
DEADLINE_MS: Final = 3_000
SETTLED_S: Final = 1.0
"""What was under way when the second broker died may still be acknowledged for so long."""

REFUSING_S: Final = 8.0
UNDER_WAY: Final = 20


def run(world: World) -> Iterator[str]:
    """Go on with two brokers, refuse with one, lose nothing, go on after their return."""
    brokers = cluster_of(world.folder / "cluster", BROKERS)
    for broker in brokers:
        world.keep(_killed_at_last(broker))
    addresses = ",".join(broker.address for broker in brokers)
    site = world.installation(stream=f"kafka://{addresses}", REPLICATION=str(BROKERS),
                              PUBLISH_DEADLINE_MS=str(DEADLINE_MS))  # fmt: skip
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    with Load(sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        leader = _leader(brokers)
        leader.kill()
        took = load.wait_acknowledged(UNDER_WAY)
        world.note(f"went on {took:.1f} s after the leader was killed")
        second = world.chance.choice([one for one in brokers if one is not leader])
        second.kill()
        time.sleep(SETTLED_S)
        alone = time.monotonic()
        time.sleep(REFUSING_S)
        yield from _not_refused(load, alone)
        leader.start()
        second.start()
        leader.wait()
        load.wait_acknowledged(UNDER_WAY)
    sender.send_unknowns_again()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    yield from violations(site, journal, Expectation(messages=receiver.messages))


def _not_refused(load: Load, since: float) -> Iterator[str]:
    """Say which answers were given by one broker of three, or not with 503."""
    sent = load.begun_since(since)
    ended = Counter(
        one.sending.why if one.sending.state == "unknown" else one.sending.state for one in sent
    )
    if not sent:
        yield "no request was answered while two of three brokers were away"
    for how, times in sorted(ended.items()):
        if how != "status 503":
            yield f"{times} request(s) ended as {how} while two of three brokers were away"


def _leader(brokers: Sequence[KafkaBroker]) -> KafkaBroker:
    """Return the broker that leads the most partitions."""
    with asking([broker.address for broker in brokers]) as admin:
        (topic,) = admin.describe_topics([EVENTS])
    leads = Counter(partition["leader_id"] for partition in topic["partitions"])
    node = leads.most_common(1)[0][0]
    return next(broker for broker in brokers if broker.node == node)


@contextmanager
def _killed_at_last(broker: KafkaBroker) -> Iterator[None]:
    try:
        yield
    finally:
        # They cannot all leave in order: for the last there is nobody left to agree to it.
        broker.kill()


EXPERIMENT = Experiment(
    "broker-cluster",
    run,
    (
        Guard(
            name="acknowledged-by-all-in-sync",
            file="shared/stream/kafka/publisher.py",
            old='"acks": "all",\n                "enable.idempotence": True,',
            new='"acks": 1,\n                "enable.idempotence": False,',
            tries=2,
        ),
    ),
    (KAFKA,),
)
