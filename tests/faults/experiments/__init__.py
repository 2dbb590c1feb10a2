"""The experiments: one file each, one line each in ``EXPERIMENTS``."""

from tests.faults.experiment import Experiment
from tests.faults.experiments import (
    broker_away,
    broker_cluster,
    broker_killed,
    damaged_stream,
    disk_full,
    duplicates,
    hostile_receiver,
    killed_alerts,
    killed_deliverer,
    killed_ingest,
    killed_projections,
    killed_ticker,
    poison,
    postgres_away,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    duplicates.EXPERIMENT,
    killed_ingest.EXPERIMENT,
    killed_projections.EXPERIMENT,
    killed_alerts.EXPERIMENT,
    killed_deliverer.EXPERIMENT,
    killed_ticker.EXPERIMENT,
    broker_killed.EXPERIMENT,
    broker_away.EXPERIMENT,
    broker_away.LONG,
    broker_cluster.EXPERIMENT,
    postgres_away.KILLED,
    postgres_away.STILL,
    postgres_away.RESETS,
    disk_full.ON_EMBEDDED,
    disk_full.ON_POSTGRES,
    damaged_stream.RETENTION_KAFKA,
    damaged_stream.RETENTION_EMBEDDED,
    damaged_stream.FLIPPED_KAFKA,
    damaged_stream.FLIPPED_EMBEDDED,
    hostile_receiver.EXPERIMENT,
    poison.EXPERIMENT,
)
