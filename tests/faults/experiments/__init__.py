"""The experiments: one file each, one line each in ``EXPERIMENTS``."""

from tests.faults.experiment import Experiment
from tests.faults.experiments import duplicates

EXPERIMENTS: tuple[Experiment, ...] = (
    duplicates.EXPERIMENT,
)  # fmt: skip
