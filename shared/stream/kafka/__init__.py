"""The Kafka engine: the only place that knows librdkafka, through confluent-kafka."""

from shared.stream.kafka.stream import KafkaStream

__all__ = ["KafkaStream"]
