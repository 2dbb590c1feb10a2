"""The real servers that other tests stand on."""

import psycopg
import pytest

from tests.support.kafka_admin import asking
from tests.support.kafka_broker import KafkaBroker


@pytest.mark.kafka
def test_the_broker_answers(kafka_broker: KafkaBroker) -> None:
    """A real Kafka runs, alone in its cluster."""
    with asking(kafka_broker.address) as admin:
        assert len(admin.describe_cluster()["brokers"]) == 1


@pytest.mark.postgres
def test_the_database_answers(postgres_url: str) -> None:
    """A real PostgreSQL runs, with an empty database of this test's own."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as db:
        count = db.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert count == (0,)
