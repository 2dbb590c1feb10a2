"""The watcher of the alerts killed at every call."""

from collections.abc import Iterable

from tests.faults.experiment import Experiment, World
from tests.faults.experiments.common import POSITION_APART
from tests.faults.killing import killed_at_every_call


def run(world: World) -> Iterable[str]:
    """Kill the watcher at every call that it makes: nothing is judged twice or told twice."""
    return killed_at_every_call(world, "alerts")


EXPERIMENT = Experiment("killed-alerts", run, guards=(POSITION_APART,))
