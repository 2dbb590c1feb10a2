"""The projections killed at every call."""

from collections.abc import Iterable

from tests.faults.experiment import Experiment, World
from tests.faults.experiments.common import POSITION_APART
from tests.faults.killing import killed_at_every_call


def run(world: World) -> Iterable[str]:
    """Kill the projector at every call that it makes."""
    return killed_at_every_call(world, "projections")


EXPERIMENT = Experiment("killed-projections", run, guards=(POSITION_APART,), short=True)
