"""Edges of a rebuild: wrong clocks, too much at the last moment, figures, other releases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from services.projections.read_models import TIMELINES
from shared.errors import Busy
from shared.stream.codec import encode
from shared.stream.ports import EVENTS
from shared.stream.rebuilding import LAST_RECORDS
from tests.support import events as an
from tests.support.projected import World
from tests.support.rebuilt import (
    built,
    rebuilding,
    rebuilt,
    serving,
)

MORE = LAST_RECORDS + 1
SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
"""For what no database does otherwise than another."""


@pytest.fixture
def world(world: World) -> World:
    """Return a world with some clients."""
    world.tell(*(an.a_session_held(f"s-{one}", an.on(1), client=one) for one in ("c-1", "c-2")))
    return world


def test_what_serves_no_more_has_no_figures(world: World) -> None:
    """After the switch the metrics tell of the generation that serves, not of the one before."""
    world.project()
    assert rebuilt(world).switched
    world.clock.advance(timedelta(minutes=1))
    world.project()
    gauges = {
        "rapport_position_lag_events", "rapport_newest_recorded_timestamp_seconds",
        "rapport_parked_clients", "rapport_parked_records",
    }  # fmt: skip
    told = {
        (family.name, sample.labels["consumer"])
        for family in REGISTRY.collect() if family.name in gauges
        for sample in family.samples
    }  # fmt: skip
    assert told >= {(gauge, f"{TIMELINES.consumer}.g2") for gauge in gauges}
    assert not told & {(gauge, TIMELINES.consumer) for gauge in gauges}


@SQLITE
def test_a_sum_that_a_release_before_did_not_keep_is_no_difference(world: World) -> None:
    """What only says whether something changed may be missing in the old generation."""
    with world.db.write() as db:
        db.execute(text("DELETE FROM facts_shared_v1"))
    assert rebuilt(world).differences == []


@SQLITE
def test_a_claim_of_a_wrong_clock_is_not_waited_for(world: World) -> None:
    """Killed while its clock was hours ahead, a command keeps the next from nothing."""
    with rebuilding(world) as killed, rebuilding(world) as next_one:
        killed.step(world.clock.now() + timedelta(hours=5))
        assert next_one.claim(world.clock.now())


@SQLITE
def test_nothing_is_switched_to_that_is_behind(world: World) -> None:
    """When too much came for the last step, nothing is switched; built on, it is."""
    tick = an.an_event("clock.ticked", an.on(50), {"tick_at": "2026-03-01T00:00:00Z"}, client=None)
    with rebuilding(world) as made:
        built(world, made)
        world.publish([replace(encode(world.placed(tick), EVENTS), partition=0)] * MORE)
        with pytest.raises(Busy):
            made.finish(world.clock.now(), "anything")
        assert serving(world) == 1
        built(world, made)
        assert made.finish(world.clock.now(), "anything").switched


@SQLITE
def test_whom_one_side_alone_knows_is_listed(world: World) -> None:
    """A client beyond the last that the new generation has, and one that the old one has not."""
    with world.db.write() as db:
        named = {"client": world.client("c-2")}
        db.execute(text("UPDATE facts_v1 SET client = 'zz' WHERE client = :client"), named)
    found = {one.client for one in rebuilt(world).differences if one.what == "facts"}
    assert found == {"zz", world.client("c-2")}
