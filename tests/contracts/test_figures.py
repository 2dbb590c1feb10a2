"""What a consumer tells of how far it is: of the partitions that it owns, and of no others."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from prometheus_client import REGISTRY

from shared.clock import ManualClock
from shared.stream.embedded import EmbeddedStream
from tests.support import events as an
from tests.support.databases import migrated, sqlite_url
from tests.support.tallying import NAME, TallyWorld, facts

GAUGES = {"rapport_position_lag_events", "rapport_newest_recorded_timestamp_seconds"}


def test_of_what_another_took_over_nothing_is_told(tmp_path: Path) -> None:
    """Figures of a partition that is another's now would stand still for ever."""
    clock = ManualClock(an.on(100))
    with (
        closing(EmbeddedStream(tmp_path / "stream.db", 4, clock)) as stream,
        migrated(sqlite_url(tmp_path)) as db,
    ):
        stream.create_topics()
        with closing(TallyWorld(stream, db)) as world, closing(world.begun()) as other:
            world.publish(*facts(an.CLIENT, "a1"))
            world.settle()
            assert _told() == GAUGES
            clock.advance(timedelta(hours=1))
            other.step(clock.now())
            world.runner.step(clock.now())
            assert _told() == set()


def _told() -> set[str]:
    return {
        family.name
        for family in REGISTRY.collect()
        if family.name in GAUGES
        and any(sample.labels["consumer"] == NAME for sample in family.samples)
    }
