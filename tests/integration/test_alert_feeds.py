"""Feeds that fall silent, and the ticker that says so, one of all at a time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.alerts.gauges import Gauges
from services.alerts.lease import Lease
from tests.support import events as an
from tests.support.alerting import AlertsWorld, held, types
from tests.support.databases import DIALECTS, migrated, url_of

EHR = "src_ehr"


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world in which nothing has happened."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        yield made
        made.close()


def a_live_feed(world: AlertsWorld, **options: Any) -> str:
    """Register a source that has sent a session and then nothing."""
    source = world.office.a_source(world.organisation, **options)
    world.arm()
    world.tell(held(1, sender=source))
    return source


def test_a_silent_feed_is_said_once(world: AlertsWorld) -> None:
    """After its limit one alert says so, with the source where others have the client."""
    world.a_recipient("ops", role="operations")
    source = a_live_feed(world, silent_after_hours=96)
    world.live(3.75)
    assert world.alerts() == []
    world.live(2)
    alert = world.the_alert("source-silent")
    assert alert["client"] == source
    assert alert["family"] == "feed"
    assert alert["effective_at"] == "2026-01-10T10:51:00Z"
    world.live(3)
    assert [step for step, _ in world.told()] == ["opened"]
    world.deliver()
    assert types(world.published()) == ["alert.opened"]


def test_a_deadline_that_passes_in_silence_waits(world: AlertsWorld) -> None:
    """Nothing arrives, so that nothing can be missing; judged at resumed + grace."""
    source = a_live_feed(world)
    world.live(20)
    assert [one["rule"] for one in world.alerts()] == ["source-silent"]
    Gauges(world.db).refresh()
    assert REGISTRY.get_sample_value("rapport_rules_suspended") == 1
    world.tell(held(22, client="cl_bert", sender=source))
    world.live(1.5)
    assert world.the_alert("source-silent")["state"] == "resolved"
    assert len(world.alerts()) == 1
    world.live(1.5)
    assert world.the_alert("test-quiet")["effective_at"] == "2026-01-16T10:50:00Z"
    Gauges(world.db).refresh()
    assert REGISTRY.get_sample_value("rapport_rules_suspended") == 0


def test_what_the_feed_sends_late_is_no_lapse(world: AlertsWorld) -> None:
    """The missing session comes within the grace after the silence: no alert ever."""
    source = a_live_feed(world)
    world.live(20)
    world.tell(held(9, sender=source, recorded_at=world.clock.now()))
    world.tell(held(17, sender=source, recorded_at=world.clock.now()))
    world.live(3)
    assert [one["rule"] for one in world.alerts()] == ["source-silent"]


def test_another_sources_silence_suspends_nothing(world: AlertsWorld) -> None:
    """Only phases whose latest needed fact came from the silent source wait."""
    a_live_feed(world)
    lively = world.office.a_source(world.organisation, "other", silent_after_hours=2_000)
    world.tell(held(2, client="cl_bert", sender=lively))
    world.live(16)
    assert {one["client"] for one in world.alerts() if one["rule"] == "test-quiet"} == {"cl_bert"}


def test_backfill_is_no_sign_of_life(world: AlertsWorld) -> None:
    """History sent afterwards keeps no feed alive."""
    source = a_live_feed(world)
    world.live(3)
    world.tell(held(1.5, sender=source, recorded_at=world.clock.now(), backfill=True))
    world.live(3)
    assert world.the_alert("source-silent")["state"] == "open"


def test_a_consumer_that_lags_makes_no_source_silent(world: AlertsWorld) -> None:
    """Silence is judged by the stream's own time: what was not read yet may hold a record."""
    a_live_feed(world)
    for _ in range(40):
        world.clock.advance(an.on(0.25) - an.on(0))
        world.ticker.step(world.clock.now())
    world.tell(held(11, sender=EHR), settle=False)
    world.settle()
    assert [one for one in world.shown() if one["rule"] == "source-silent"] == []


def test_two_tickers_make_one_tick(world: AlertsWorld) -> None:
    """The lease has one holder; and were there two, their ticks would be one event."""
    other = world.another_ticker()
    now = world.clock.now()
    assert world.ticker.step(now)
    assert not other.step(now)
    world.ticker.close()
    world.clock.advance(an.on(1) - an.on(0))
    assert other.step(world.clock.now())
    assert not other.step(world.clock.now())
    other.close()
    world.ticker = world.another_ticker()


def test_who_waited_for_the_database_takes_no_lease(world: AlertsWorld) -> None:
    """A lease taken after one had looked at the clock, and before one could ask, holds."""
    mine, theirs = Lease(world.db, "ticker"), Lease(world.db, "ticker")
    before = world.clock.now()
    assert mine.hold(before + timedelta(seconds=30))
    assert not theirs.hold(before)


def test_a_lease_taken_by_a_wrong_clock_leaves_nobody_waiting(world: AlertsWorld) -> None:
    """A lease that ends further off than any lasts is free, and its holder asks again."""
    mine, theirs = Lease(world.db, "ticker"), Lease(world.db, "ticker")
    right = world.clock.now()
    assert mine.hold(right + timedelta(hours=8))
    assert theirs.hold(right)
    assert not mine.hold(right)


def test_after_an_outage_there_is_one_tick(world: AlertsWorld) -> None:
    """Three days without a ticker are one tick, the present."""
    world.tick()
    before = world.stream.ends("rapport.events")
    world.tick(3)
    after = world.stream.ends("rapport.events")
    assert {place: after[place] - before[place] for place in before} == dict.fromkeys(before, 1)
