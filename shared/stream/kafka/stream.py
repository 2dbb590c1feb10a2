"""The Kafka engine as a whole."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from shared.errors import StreamUnavailable
from shared.stream.kafka.connection import Cluster, answering, described, missing
from shared.stream.kafka.consumer import KafkaConsumer
from shared.stream.kafka.publisher import KafkaPublisher
from shared.stream.ports import EVENTS, Partition
from shared.stream.topics import TOPICS, Topic, kafka_settings

DELIVERY_TIMEOUT_S: Final = 120.0
LEASE_S: Final = 10.0
ASK_TIMEOUT_S: Final = 2.0
OFFSETS_TIMEOUT_S: Final = 5.0
"""Own: each partition's leader is asked, and where one was lost another must be found."""

ANSWERED_WITHIN_S: Final = 15.0
"""Own: longer than the library itself waits for any answer."""

HEALTH_TIMEOUT_S: Final = 1.8
CREATED_WITHIN_S: Final = 10.0
AGAIN_EVERY_S: Final = 0.05


class KafkaStream:
    """Apache Kafka 4."""

    def __init__(
        self,
        servers: Sequence[str],
        partitions: int,
        replication: int,
        *,
        prefix: str = "",
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
        lease_s: float = LEASE_S,
    ) -> None:
        """Connect nothing yet.

        Args:
            servers: ``host:port`` of some of the brokers.
            partitions: How many partitions a topic gets when it is created.
            replication: On how many brokers each record is kept.
            prefix: Stands before the names of topics and groups, so that tests can share a
                broker; a product's topics have none.
            delivery_timeout_s: When the library gives up a record that nobody waits for.
            lease_s: After how many seconds of silence a consumer's partitions go to another.
        """
        self._cluster = Cluster(tuple(servers), prefix, delivery_timeout_s, lease_s)
        self._partitions = partitions
        self._replication = replication
        self._counted: dict[str, int] = {}
        self._asking: AdminClient | None = None

    def publisher(self) -> KafkaPublisher:
        """Open a publisher."""
        return KafkaPublisher(self._cluster)

    def consumer(
        self, group: str, topics: Sequence[str], start_at: Callable[[Partition], int]
    ) -> KafkaConsumer:
        """Open a consumer; the consumers of a group share the partitions."""
        return KafkaConsumer(self._cluster, group, topics, start_at)

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has; asked once, as it never changes.

        Raises:
            StreamUnavailable: when no broker answers or the topic does not exist.
        """
        if topic not in self._counted:
            self._counted[topic] = self._count(topic)
        return self._counted[topic]

    def _count(self, topic: str) -> int:
        found = described(self._admin(), self._cluster.prefix + topic, ASK_TIMEOUT_S)
        if found is None:
            raise StreamUnavailable(missing(topic))
        return len(found.partitions)

    def ends(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset after the last record of each partition."""
        return self._offsets(topic, OffsetSpec.latest())

    def begins(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset of the first record of each partition that retention left."""
        return self._offsets(topic, OffsetSpec.earliest())

    def _offsets(self, topic: str, which: OffsetSpec) -> Mapping[Partition, int]:
        deadline = time.monotonic() + OFFSETS_TIMEOUT_S
        while True:
            # Who leads may have changed since it was asked last; the library asks a former leader
            # as well, and takes its refusal for the answer.
            count = self._count(topic)
            try:
                return self._asked_offsets(topic, count, which)
            except StreamUnavailable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(AGAIN_EVERY_S)

    def _asked_offsets(self, topic: str, count: int, which: OffsetSpec) -> Mapping[Partition, int]:
        admin, name = self._admin(), self._cluster.prefix + topic
        wanted = {TopicPartition(name, number): which for number in range(count)}
        with answering():
            asked = admin.list_offsets(wanted, request_timeout=OFFSETS_TIMEOUT_S)
            return {
                Partition(topic, place.partition): answer.result(ANSWERED_WITHIN_S).offset
                for place, answer in asked.items()
            }

    def healthy(self) -> bool:
        """Return whether a broker answers within two seconds."""
        try:
            described(self._admin(), self._cluster.prefix + EVENTS, HEALTH_TIMEOUT_S)
        except StreamUnavailable:
            return False
        return True

    def create_topics(self) -> Sequence[str]:
        """Create what is missing; return the names created. Safe to repeat."""
        admin = self._admin()
        names = {self._cluster.prefix + topic.name: topic for topic in TOPICS}
        absent = [name for name in names if described(admin, name, ASK_TIMEOUT_S) is None]
        created = self._created(admin, {name: names[name] for name in absent}) if absent else []
        _wait_until_known(admin, list(names))
        return created

    def _created(self, admin: AdminClient, absent: Mapping[str, Topic]) -> list[str]:
        created = []
        wanted = [self._wanted(name, topic) for name, topic in absent.items()]
        with answering():
            asked = admin.create_topics(wanted, request_timeout=CREATED_WITHIN_S)
            for name, answer in asked.items():
                try:
                    answer.result(ANSWERED_WITHIN_S)
                except KafkaException as error:
                    # Somebody created it at the same time, which is as good.
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise
                else:
                    created.append(absent[name].name)
        return created

    def check_topics(self) -> Sequence[str]:
        """Return what is wrong with the topics, as sentences that say what to do."""
        admin = self._admin()
        return [problem for topic in TOPICS for problem in self._check(admin, topic)]

    def close(self) -> None:
        """End the connection for questions; publishers and consumers hold their own."""
        self._asking = None

    def _admin(self) -> AdminClient:
        """Return the connection for questions, which takes a tenth of a second to make."""
        if self._asking is None:
            self._asking = AdminClient(self._cluster.settings({}))
        return self._asking

    def _wanted(self, name: str, topic: Topic) -> NewTopic:
        return NewTopic(
            name,
            num_partitions=self._partitions,
            replication_factor=self._replication,
            config=dict(kafka_settings(topic, self._replication)),
        )

    def _check(self, admin: AdminClient, topic: Topic) -> Iterator[str]:
        name = self._cluster.prefix + topic.name
        found = described(admin, name, ASK_TIMEOUT_S)
        if found is None:
            yield missing(topic.name)
            return
        count = len(found.partitions)
        if count != self._partitions:
            yield (
                f"topic {topic.name} has {count} partitions, not {self._partitions}, and"
                f" cannot change: set RAPPORT_PARTITIONS={count}"
            )
        copies = min(len(partition.replicas) for partition in found.partitions.values())
        if copies < self._replication:
            yield (
                f"topic {topic.name} is kept on {copies} brokers, not {self._replication}: run"
                f" kafka-reassign-partitions.sh, or set RAPPORT_REPLICATION={copies}"
            )
        with answering():
            resource = ConfigResource(ConfigResource.Type.TOPIC, name)
            [asked] = admin.describe_configs([resource]).values()
            settings = asked.result(ANSWERED_WITHIN_S)
        for setting, value in kafka_settings(topic, self._replication).items():
            has = settings[setting].value
            if has != value:
                yield (
                    f"topic {topic.name} has {setting}={has}, not {value}: run kafka-configs.sh"
                    f" --alter --topic {topic.name} --add-config {setting}={value}"
                )


def _wait_until_known(admin: AdminClient, names: Sequence[str]) -> None:
    """Return once every broker knows the topics and each partition has a leader.

    A topic is created at the controller, and the brokers hear of it one after the other: the next
    question may reach one that says it does not exist.

    Raises:
        StreamUnavailable: when that takes too long.
    """
    deadline = time.monotonic() + CREATED_WITHIN_S
    while True:
        try:
            return _ask_every_broker(admin, names)
        except StreamUnavailable:
            if time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_EVERY_S)


def _ask_every_broker(admin: AdminClient, names: Sequence[str]) -> None:
    topics = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    with answering():
        brokers = admin.list_topics(names[0], timeout=ASK_TIMEOUT_S).brokers
        # A question about a broker goes to that broker, and the others in it with it.
        asked = [
            admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, str(one)), *topics])
            for one in brokers
        ]
        for answers in asked:
            for topic in topics:
                answers[topic].result(ANSWERED_WITHIN_S)
    for name in names:
        if not _led(admin, name):
            raise StreamUnavailable(f"topic {name} has no leader yet")


def _led(admin: AdminClient, name: str) -> bool:
    found = described(admin, name, ASK_TIMEOUT_S)
    return found is not None and all(one.leader >= 0 for one in found.partitions.values())
