"""Alerts of clients who were merged: everybody tied together is judged as one."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.databases import DIALECTS, migrated, sqlite_url, url_of
from tests.support.merging import (
    ANN,
    BEN,
    QUIET,
    SERIOUS,
    a_life,
    a_world,
    cancelled,
    held,
    merger,
    shown,
    tell_a_life,
)
from tests.support.poison import Fragile
from tests.support.rejudged import rebuilt


@pytest.fixture
def fragile() -> Fragile:
    """Return a release that can judge everybody so far."""
    return Fragile()


@pytest.fixture(params=DIALECTS)
def world(
    request: pytest.FixtureRequest, tmp_path: Path, fragile: Fragile
) -> Iterator[AlertsWorld]:
    """Yield an armed clinic with somebody who is told of alerts."""
    with migrated(url_of(request, tmp_path)) as db:
        made = a_world(db, tmp_path, fragile)
        yield made
        made.close()


def test_what_was_told_of_the_old_reference_goes_on(world: AlertsWorld) -> None:
    """The alert stays the same one, names the client who is read now, and nobody hears of it."""
    world.tell(held(1, BEN), held(1, ANN), cancelled(2, ANN))
    before = world.the_alert()
    assert world.told() == [("opened", "pending")]
    world.tell(merger(ANN, BEN))
    after = world.the_alert()
    assert (after["id"], before["client"], after["client"]) == (before["id"], ANN, BEN)
    assert after["state"] == "open"
    assert world.told() == [("opened", "pending")]
    world.tell(held(6, BEN))
    assert world.the_alert()["state"] == "resolved"


def test_the_next_step_counts_what_both_said(world: AlertsWorld) -> None:
    """Two cancellations under one reference and one under the other are three: one escalation."""
    world.tell(cancelled(1, ANN), cancelled(2, ANN))
    world.tell(merger(ANN, BEN))
    world.tell(cancelled(6, BEN))
    assert shown(world) == [(BEN, "open", "urgent")]
    assert sorted(step for step, _ in world.told()) == ["escalated", "escalated", "opened"]


def test_two_alerts_of_the_same_become_one(world: AlertsWorld) -> None:
    """The older goes on; the other closes, and nobody is told."""
    world.tell(cancelled(1, ANN), cancelled(2, BEN))
    told = world.told()
    world.tell(merger(ANN, BEN))
    assert shown(world) == [(BEN, "open", "attention"), (BEN, "resolved", "attention")]
    assert world.told() == told


def test_a_deadline_of_the_old_reference_ends(world: AlertsWorld) -> None:
    """Who is seen under the new reference is not waited for under the old one."""
    world.tell(held(1, ANN), held(2, BEN), merger(ANN, BEN, 3))
    world.tell(held(9, BEN), held(16, BEN))
    world.tick(4)
    assert shown(world, QUIET) == []
    world.tick(10)
    assert shown(world, QUIET) == [(BEN, "open", "attention")]


def test_a_deadline_told_before_the_merger_is_taken_back_once(world: AlertsWorld) -> None:
    """What the merged phase satisfies was told by mistake: one correction, to who was told."""
    world.tell(held(1, ANN), held(8, BEN))
    world.tick(6)
    assert shown(world, QUIET) == [(ANN, "open", "attention")]
    world.deliver()
    world.tell(merger(ANN, BEN, 15))
    assert shown(world, QUIET) == [(BEN, "retracted", "attention")]
    world.tell(held(16, BEN), held(17, ANN))
    assert sorted(step for step, _ in world.told()) == ["opened", "retracted"]


def test_old_history_is_no_news(world: AlertsWorld) -> None:
    """What only both histories together show, long ago, is shown and told to nobody."""
    world.tell(cancelled(1, ANN), cancelled(2, ANN), held(3, ANN), cancelled(2.5, BEN))
    told = world.told()
    world.tell(merger(ANN, BEN, 60))
    assert world.told() == told
    assert {one["client"] for one in world.shown()} == {BEN}


def test_a_merger_taken_back_parts_them(world: AlertsWorld) -> None:
    """Each alert is the client's again for whom it was first told; nothing is told twice."""
    said = merger(ANN, BEN)
    world.tell(cancelled(1, ANN), held(2, BEN), cancelled(3, BEN))
    told = world.told()
    world.tell(said)
    world.tell(an.a_retraction(said, at=an.on(7)))
    assert shown(world) == [(ANN, "open", "attention"), (BEN, "open", "attention")]
    assert world.told() == told
    world.tell(held(8, ANN))
    assert shown(world) == [(ANN, "resolved", "attention"), (BEN, "open", "attention")]


def test_a_circle_changes_nothing(world: AlertsWorld) -> None:
    """Merged into each other, both are judged by themselves as before."""
    world.tell(cancelled(1, ANN), cancelled(2, BEN))
    before = shown(world)
    world.tell(merger(ANN, BEN), merger(BEN, ANN, 6), cancelled(7, ANN))
    assert shown(world) == before


def test_a_serious_matter_is_told_once(world: AlertsWorld) -> None:
    """Its name follows its client; that it has another now is no reason to tell of it again."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4, client=ANN)
    said = merger(ANN, BEN)
    world.tell(noted)
    told = world.told()
    assert told
    world.tell(said)
    assert shown(world, SERIOUS) == [(BEN, "open", "urgent")]
    world.tell(an.a_retraction(said, at=an.on(7)))
    assert shown(world, SERIOUS) == [(ANN, "open", "urgent")]
    assert world.told() == told


def test_what_people_did_stays_done(world: AlertsWorld) -> None:
    """Acknowledged at the other while they were merged, it is acknowledged when they part."""
    said = merger(ANN, BEN)
    world.tell(cancelled(1, ANN))
    world.tell(said)
    alert = world.the_alert()
    key = world.a_key("read", "act")
    path = f"/v1/alerts/{alert['id']}"
    tag = world.get(path, key).headers["ETag"]
    world.post(f"{path}/acknowledge", {}, key | {"If-Match": tag})
    world.settle()
    by = world.the_alert()["acknowledged_by"]
    assert len(by) == 1
    world.tell(an.a_retraction(said, at=an.on(7)))
    assert (world.the_alert()["client"], world.the_alert()["acknowledged_by"]) == (ANN, by)


def test_reading_again_takes_no_step(world: AlertsWorld) -> None:
    """In batches of any size, partition by partition, the ledger and what is shown stay."""
    tell_a_life(world, random.Random(11))
    before, now, episodes = world.ledger(), world.shown(), world.episodes()
    assert world.told()
    for batch_limit in (1, 3, 1_000):
        world.begun_again(batch_limit=batch_limit)
        world.settle()
        assert world.ledger() == before
        assert world.shown() == now
        assert world.episodes() == episodes


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_finds_the_same(world: AlertsWorld, seed: int) -> None:
    """Rebuilt by the same rules, nothing is different, and nothing is settled."""
    tell_a_life(world, random.Random(seed))
    before, now = world.ledger(), world.shown()
    outcome = rebuilt(world, world.rules)
    assert (outcome.switched, outcome.differences) == (True, [])
    assert world.ledger() == before
    assert world.shown() == now


@pytest.mark.parametrize("seed", range(4))
def test_any_order_gives_the_same_episodes(world: AlertsWorld, tmp_path: Path, seed: int) -> None:
    """However facts and mergers come in, the same holds in the end."""
    facts = a_life(random.Random(seed))
    for one in sorted(facts, key=lambda one: one.event.time):
        world.tell(one)
    world.tick(30)
    expected = [told_of(one) for one in world.episodes()]
    (tmp_path / "again").mkdir()
    with (
        migrated(sqlite_url(tmp_path / "again")) as db,
        closing(a_world(db, tmp_path / "again", Fragile())) as other,
    ):
        random.Random(seed).shuffle(facts)
        for one in facts:
            other.tell(one)
        other.clock.set(world.clock.now())
        other.tick()
        assert [told_of(one) for one in other.episodes()] == expected


def told_of(episode: dict[str, Any]) -> tuple[Any, ...]:
    """Return what an episode says, whichever organisation it is of."""
    names = ("client", "rule", "urgency", "steps", "told", "effective_at", "cleared_at")
    return tuple(episode[name] for name in names)
