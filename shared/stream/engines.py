"""Which engine the configuration asks for."""

from typing import Final

from shared.config import Settings
from shared.errors import ConfigurationError
from shared.stream.embedded import EmbeddedStream
from shared.stream.kafka import KafkaStream
from shared.stream.ports import Stream

EMBEDDED: Final = "embedded"
KAFKA_SCHEME: Final = "kafka://"


def open_stream(settings: Settings) -> Stream:
    """Open the engine of ``RAPPORT_STREAM``.

    Raises:
        ConfigurationError: when the embedded engine is asked for more than one host can give.
        StreamUnavailable: when the embedded engine's file cannot be opened. Kafka is only
            connected to when it is used.
    """
    if settings.stream != EMBEDDED:
        servers = settings.stream.removeprefix(KAFKA_SCHEME).split(",")
        return KafkaStream(servers, settings.partitions, settings.replication)
    if settings.replication > 1:
        raise ConfigurationError(
            [
                f"RAPPORT_REPLICATION={settings.replication}: the embedded stream serves one host"
                " and keeps one copy; for more set RAPPORT_STREAM=kafka://host:port,…"
            ]
        )
    return EmbeddedStream(settings.stream_file, settings.partitions)
