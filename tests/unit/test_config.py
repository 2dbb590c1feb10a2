"""Configuration: read once, every problem told at once."""

import pytest

from shared.config import load
from shared.errors import ConfigurationError


def test_defaults_run_on_a_laptop() -> None:
    """With nothing set, everything runs embedded in one folder."""
    settings = load({})
    assert settings.stream == "embedded"
    assert settings.database.startswith("sqlite:///")
    assert settings.secret_key is None


def test_every_problem_is_told_at_once() -> None:
    """Five mistakes give five sentences, each naming its variable."""
    with pytest.raises(ConfigurationError) as refused:
        load(
            {
                "RAPPORT_STREAM": "rabbit://somewhere",
                "RAPPORT_DATABASE": "mysql://x",
                "RAPPORT_PORT": "eighty",
                "RAPPORT_SECRET_KEY": "short",
                "RAPPORT_STRAEM": "embedded",
            }
        )
    named = [problem.split(":")[0] for problem in refused.value.problems]
    assert named == [
        "RAPPORT_STREAM",
        "RAPPORT_DATABASE",
        "RAPPORT_SECRET_KEY",
        "RAPPORT_PORT",
        "RAPPORT_STRAEM",
    ]


def test_kafka_needs_a_shared_secret_key() -> None:
    """A Kafka stream without a secret key is refused: each process would make its own."""
    with pytest.raises(ConfigurationError, match="RAPPORT_SECRET_KEY"):
        load({"RAPPORT_STREAM": "kafka://localhost:9092"})
