"""Which engine the configuration asks for."""

from contextlib import closing
from pathlib import Path

import pytest

from shared.config import load
from shared.errors import ConfigurationError
from shared.stream.embedded import EmbeddedStream
from shared.stream.engines import open_stream
from shared.stream.kafka import KafkaStream
from shared.stream.ports import EVENTS

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_embedded_is_the_default(tmp_path: Path) -> None:
    """Without a word the stream is a file in the data folder, with the partitions asked for."""
    settings = load({"RAPPORT_DATA_DIR": str(tmp_path), "RAPPORT_PARTITIONS": "3"})
    with closing(open_stream(settings)) as stream:
        assert isinstance(stream, EmbeddedStream)
        stream.create_topics()
        assert stream.partitions(EVENTS) == 3
        assert (tmp_path / "stream.db").exists()


def test_embedded_says_that_it_serves_one_host(tmp_path: Path) -> None:
    """Asked for copies on several hosts, it refuses, and says what would keep them."""
    settings = load({"RAPPORT_DATA_DIR": str(tmp_path), "RAPPORT_REPLICATION": "3"})
    with pytest.raises(ConfigurationError, match=r"one host.*RAPPORT_STREAM=kafka://"):
        open_stream(settings)


def test_kafka_is_opened_without_connecting() -> None:
    """A process can start while its brokers are away."""
    settings = load({"RAPPORT_STREAM": "kafka://nowhere:1,nowhere:2", "RAPPORT_SECRET_KEY": KEY})
    with closing(open_stream(settings)) as stream:
        assert isinstance(stream, KafkaStream)
