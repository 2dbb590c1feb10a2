"""The Kafka engine as a whole."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import TopicAlreadyExistsError

from shared.errors import StreamUnavailable
from shared.stream.kafka.connection import Cluster, answering
from shared.stream.kafka.consumer import KafkaConsumer
from shared.stream.kafka.publisher import KafkaPublisher
from shared.stream.ports import Partition
from shared.stream.topics import TOPICS, Topic, kafka_settings

DELIVERY_TIMEOUT_S: Final = 120.0
LEASE_S: Final = 10.0
HEALTH_TIMEOUT_MS: Final = 900
"""Connecting and asking may each take so long; together they stay within two seconds."""


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
        # The library logs keys and values when asked for detail, and several lines a second
        # while no broker answers. What matters reaches us as an error, and we say it once.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        self._cluster = Cluster(tuple(servers), prefix, delivery_timeout_s, lease_s)
        self._partitions = partitions
        self._replication = replication
        self._counted: dict[str, int] = {}

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
            with self._admin() as admin:
                found = _described(admin, self._cluster.prefix + topic)
            if found is None:
                raise StreamUnavailable(_missing(topic))
            self._counted[topic] = len(found["partitions"])
        return self._counted[topic]

    def ends(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset after the last record of each partition."""
        return self._offsets(topic, OffsetSpec.LATEST)

    def begins(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset of the first record of each partition that retention left."""
        return self._offsets(topic, OffsetSpec.EARLIEST)

    def _offsets(self, topic: str, which: Any) -> Mapping[Partition, int]:
        name = self._cluster.prefix + topic
        wanted = {TopicPartition(name, n): which for n in range(self.partitions(topic))}
        with self._admin() as admin:
            found = admin.list_partition_offsets(wanted)
        return {Partition(topic, place.partition): at.offset for place, at in found.items()}

    def healthy(self) -> bool:
        """Return whether a broker answers within two seconds."""
        limits = {
            "bootstrap_timeout_ms": HEALTH_TIMEOUT_MS,
            "request_timeout_ms": HEALTH_TIMEOUT_MS,
        }
        try:
            with self._admin(**limits):
                return True
        except StreamUnavailable:
            return False

    def create_topics(self) -> Sequence[str]:
        """Create what is missing; return the names created. Safe to repeat."""
        prefix = self._cluster.prefix
        with self._admin() as admin:
            there = set(admin.list_topics())
            missing = [topic for topic in TOPICS if prefix + topic.name not in there]
            wanted = {prefix + topic.name: self._wanted(topic) for topic in missing}
            if wanted:
                try:
                    admin.create_topics(wanted)
                except TopicAlreadyExistsError:
                    # Somebody created them at the same time, which is as good.
                    missing = []
                admin.wait_for_topics(list(wanted))
        return [topic.name for topic in missing]

    def check_topics(self) -> Sequence[str]:
        """Return what is wrong with the topics, as sentences that say what to do."""
        with self._admin() as admin:
            return [problem for topic in TOPICS for problem in self._check(admin, topic)]

    def close(self) -> None:
        """Do nothing: publishers and consumers hold their own connections."""

    @contextmanager
    def _admin(self, **settings: Any) -> Iterator[Any]:
        admin = self._cluster.connect(KafkaAdminClient, **settings)
        try:
            with answering():
                yield admin
        finally:
            admin.close()

    def _wanted(self, topic: Topic) -> Mapping[str, object]:
        return {
            "num_partitions": self._partitions,
            "replication_factor": self._replication,
            "configs": kafka_settings(topic, self._replication),
        }

    def _check(self, admin: Any, topic: Topic) -> Iterator[str]:
        name = self._cluster.prefix + topic.name
        found = _described(admin, name)
        if found is None:
            yield _missing(topic.name)
            return
        count = len(found["partitions"])
        if count != self._partitions:
            yield (
                f"topic {topic.name} has {count} partitions, not {self._partitions}, and"
                f" cannot change: set RAPPORT_PARTITIONS={count}"
            )
        copies = min(len(partition["replica_nodes"]) for partition in found["partitions"])
        if copies < self._replication:
            yield (
                f"topic {topic.name} is kept on {copies} brokers, not {self._replication}: run"
                f" kafka-reassign-partitions.sh, or set RAPPORT_REPLICATION={copies}"
            )
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        settings = admin.describe_configs([resource], config_filter="all")["topic"][name]
        for setting, value in kafka_settings(topic, self._replication).items():
            has = settings[setting]["value"]
            if has != value:
                yield (
                    f"topic {topic.name} has {setting}={has}, not {value}: run kafka-configs.sh"
                    f" --alter --topic {topic.name} --add-config {setting}={value}"
                )


def _described(admin: Any, name: str) -> Any:
    """Return the topic's description, or None where it does not exist."""
    (found,) = admin.describe_topics([name])
    return None if found["error_code"] else found


def _missing(topic: str) -> str:
    return f"topic {topic} does not exist; run: rapport doctor --fix"
