"""Configuration: read once, every problem told at once."""

import pytest

from shared.config import child_environment, load
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


@pytest.mark.parametrize("name", ["example.org", "999.1.1.1", "[::1]"])
def test_the_host_is_an_address(name: str) -> None:
    """What the server could not listen on is refused with the other problems."""
    with pytest.raises(ConfigurationError, match="RAPPORT_HOST: must be an IP address"):
        load({"RAPPORT_HOST": name})
    assert load({"RAPPORT_HOST": "localhost"}).host == "127.0.0.1"


def test_an_address_of_a_database_that_cannot_be_read_is_not_repeated() -> None:
    """It is refused with the other problems, and its password stays where it is."""
    with pytest.raises(ConfigurationError, match="RAPPORT_DATABASE: must be an addr") as refused:
        load({"RAPPORT_DATABASE": "postgresql+psycopg://me:hush@here:port/name"})
    assert "hush" not in str(refused.value.problems)


def test_a_process_may_start_without_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demonstration never reaches the installation that the shell is set up for."""
    monkeypatch.setenv("RAPPORT_DATABASE", "postgresql+psycopg://real")
    assert child_environment({})["RAPPORT_DATABASE"] == "postgresql+psycopg://real"
    alone = child_environment({"RAPPORT_PORT": "1"}, ours_too=False)
    assert {name for name in alone if name.startswith("RAPPORT_")} == {"RAPPORT_PORT"}
    assert alone["PATH"]
