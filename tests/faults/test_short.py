"""The short forms of a few experiments, and what notices when their guards are missing."""

import secrets
from collections.abc import Iterator

import pytest

from tests.faults.experiment import Experiment, Postgres, run
from tests.faults.experiments import EXPERIMENTS
from tests.faults.guards import Guard

SHORT = [one for one in EXPERIMENTS if one.short]
GUARDS = [(one, guard) for one in EXPERIMENTS for guard in one.guards]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Yield a PostgreSQL that starts when an experiment asks for it."""
    server = Postgres()
    yield server
    server.stop()


@pytest.mark.parametrize("experiment", SHORT, ids=lambda one: one.name)
def test_what_must_hold_holds(experiment: Experiment, postgres: Postgres) -> None:
    """Broken in this way, the product keeps every promise of the checker."""
    seed = secrets.randbelow(2**31)
    result = run(experiment, seed, experiment.engines[0], postgres, short=True)
    assert result.as_it_should, f"seed {seed}: {result.said}"


@pytest.mark.parametrize("experiment", SHORT, ids=lambda one: one.name)
def test_a_missing_guard_is_noticed(experiment: Experiment, postgres: Postgres) -> None:
    """Without its first guard the experiment reports a violation, or ends loudly if declared."""
    guard = experiment.guards[0]
    seeds = [secrets.randbelow(2**31) for _ in range(guard.tries)]
    for seed in seeds:
        result = run(experiment, seed, experiment.engines[0], postgres, without=guard, short=True)
        if result.as_it_should:
            return
    pytest.fail(f"without {guard.name}, seeds {seeds}: {result.said}")


@pytest.mark.parametrize(("experiment", "guard"), GUARDS, ids=lambda one: one.name)
def test_every_guard_stands_where_it_is_said_to(experiment: Experiment, guard: Guard) -> None:
    """Each text that an experiment takes out occurs exactly once, and what is left compiles."""
    guard.check()


def test_every_experiment_has_a_guard_and_a_name_of_its_own() -> None:
    """Nobody can add an experiment that would pass whatever happened."""
    assert all(one.guards for one in EXPERIMENTS)
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)
