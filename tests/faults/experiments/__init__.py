"""The experiments: one file each, one line each in ``EXPERIMENTS``."""

from tests.faults.experiment import Experiment
from tests.faults.experiments import (
    duplicates,
    killed_alerts,
    killed_deliverer,
    killed_ingest,
    killed_projections,
    killed_ticker,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    duplicates.EXPERIMENT,
    killed_ingest.EXPERIMENT,
    killed_projections.EXPERIMENT,
    killed_alerts.EXPERIMENT,
    killed_deliverer.EXPERIMENT,
    killed_ticker.EXPERIMENT,
)
