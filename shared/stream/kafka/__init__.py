"""The Kafka engine: the only place that knows kafka-python."""

from shared.stream.kafka.stream import KafkaStream

__all__ = ["KafkaStream"]
