"""Alerts of clients who were merged: everybody tied together is judged as one."""

import random
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.alerts import tables
from services.alerts.rules.boundary_serious import BoundarySerious
from services.alerts.units import units
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.errors import DatabaseUnavailable
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.positions import Position
from shared.stream.codec import decode, key_of
from shared.stream.handling import Item
from shared.stream.partitioning import partition_of
from shared.stream.ports import EVENTS, Partition, Record
from tests.support import alert_rules
from tests.support import events as an
from tests.support.alerting import DEADLINE_S, PARTITIONS, AlertsWorld, records
from tests.support.databases import DIALECTS, migrated, sqlite_url, url_of
from tests.support.poison import Fragile, FragileRule, retry
from tests.support.rejudged import rebuilt

ANN, BEN, CAT = "cl_ann", "cl_ben", "cl_cat"
NAMES = [f"cl_{number}" for number in range(20)]
CANCELLED, QUIET, SERIOUS = "test-cancelled", "test-quiet", "boundary-serious"


class Picky(FragileRule):
    """A rule with a mistake in it, that never finds anything."""

    name = "test-picky"
    defaults: Mapping[str, Any] = {"attention": 99, "urgent": 99}


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


def a_world(db: Database, folder: Path, fragile: Fragile) -> AlertsWorld:
    """Return an armed clinic with somebody who is told of alerts."""
    rules = (*alert_rules.RULES[:2], BoundarySerious(), Picky(fragile))
    made = AlertsWorld(db, folder, rules=rules)
    made.a_recipient("boss")
    made.a_recipient("keeper", role="governance")
    made.arm()
    return made


def cancelled(day: float, client: str, **stated: Any) -> Envelope:
    """Return a session that the therapist cancelled."""
    return an.a_session_cancelled(
        f"c{day}", at=an.on(day), by="therapist", client=client, **stated
    )


def held(day: float, client: str, **stated: Any) -> Envelope:
    """Return a held session."""
    return an.a_session_held(f"h{day}", an.on(day), client=client, **stated)


def merger(client: str, into: str, day: float = 5, **stated: Any) -> Envelope:
    """Return that a client was merged into another."""
    return an.a_merger(into, an.on(day), client=client, **stated)


def a_life(chance: random.Random) -> list[Envelope]:
    """Return what happens to some references, two pairs of which turn out to be one client."""
    names = [ANN, BEN, CAT, "cl_dan"]
    told = [cancelled(day, chance.choice(names)) for day in range(1, 30, 2)]
    told += [held(day, chance.choice(names)) for day in range(4, 40, 7)]
    pairs = [chance.sample(names, 2) for _ in range(3)]
    said = [merger(one, other, 10 + 7 * n, id=f"m{n}") for n, (one, other) in enumerate(pairs)]
    told += [*said, an.a_retraction(said[0], at=an.on(33), id="r0")]
    return [*told, an.a_correction(said[1], at=an.on(34), into=chance.choice(names), id="k1")]


def tell_a_life(world: AlertsWorld, chance: random.Random) -> None:
    """Let a life be told as it happens, with ticks in between."""
    for one in sorted(a_life(chance), key=lambda one: one.event.time):
        world.tell(one)
        world.tick()
    world.live(14)


def shown(world: AlertsWorld, rule: str = CANCELLED) -> list[tuple[str, str, str]]:
    """Return (client, state, urgency) of every alert of a rule."""
    return sorted(
        (one["client"], one["state"], one["urgency"])
        for one in world.shown()
        if one["rule"] == rule
    )


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


def test_who_is_held_back_holds_back_whom_they_are_tied_to(
    world: AlertsWorld, fragile: Fragile
) -> None:
    """While a record of one waits, nothing is told of the other; then both are judged at once."""
    world.tell(held(1, ANN), held(1, BEN), merger(ANN, BEN))
    fragile.clients.add(BEN)
    world.tell(an.a_session_missed("m", at=an.on(6), client=ANN))
    fragile.clients.clear()
    world.tell(cancelled(7, BEN))
    assert shown(world) == []
    assert rebuilt(world, world.rules).differences == []
    world.tick(1)
    assert shown(world) == []
    with world.db.read() as db:
        serving = tables.number_to_judge(db, world.rules)
    watcher = Watcher(world.rules, world.office.accounts.recipients, serving)
    (done,) = retry(world.db, watcher, world.clock)
    assert (done.queue.who[1], done.left) == (ANN, 0)
    assert shown(world) == [(BEN, "open", "attention")]


def test_whose_alerts_wait_for_somebody_tied_is_said(world: AlertsWorld, fragile: Fragile) -> None:
    """What is shown of one is not up to date while a record of the other waits."""
    world.tell(held(1, ANN), cancelled(3, BEN), merger(ANN, BEN))
    assert parked(world) == []
    fragile.clients.add(BEN)
    world.tell(an.a_session_missed("m", at=an.on(6), client=ANN))
    assert parked(world) == [BEN]


def parked(world: AlertsWorld) -> Any:
    """Return of whom the list says that they wait for an operator."""
    body: Any = world.get("/v1/alerts").json
    assert {one["client"] for one in body["alerts"]} == {BEN}
    return body["parked"]


def test_a_merger_counts_once_both_records_are_read(world: AlertsWorld) -> None:
    """Until then the other's watcher does not know of it, and each judges its own."""
    world.tell(cancelled(1, ANN), cancelled(2, BEN))
    first, copy = records(world.placed(merger(ANN, BEN)))
    world.publisher.publish([first], DEADLINE_S)
    world.tell(held(6, BEN))
    assert shown(world) == [(ANN, "open", "attention"), (BEN, "resolved", "attention")]
    world.publisher.publish([copy], DEADLINE_S)
    world.settle()
    assert {client for client, *_ in shown(world)} == {BEN}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_reading_again_one_partition_after_another(
    world: AlertsWorld, order: tuple[int, ...]
) -> None:
    """Nobody is judged by the facts of those alone whose partition was read again first."""
    ben = next(one for one in NAMES if partition(world, one) != partition(world, ANN))
    world.tell(cancelled(1, ANN), held(2, ben), cancelled(3, ben))
    world.tell(merger(ANN, ben))
    world.tell(cancelled(6, ben), held(7, ANN))
    world.tell(cancelled(8, ben))
    world.tick(1)
    before, now = world.ledger(), world.shown()
    world.begun_again()
    world.runner.close()
    read_again(world, order)
    assert world.ledger() == before
    assert world.shown() == now


def partition(world: AlertsWorld, client: str) -> int:
    """Return in which partition a client's facts stand."""
    return partition_of(key_of(world.organisation, client), PARTITIONS)


def read_again(world: AlertsWorld, order: tuple[int, ...]) -> None:
    """Handle the whole stream partition by partition, as watchers of one each would."""
    with closing(world.stream.consumer("by hand", [EVENTS], lambda _: 0)) as reader:
        every: list[Record] = []
        while some := reader.poll(1_000, 0.05):
            every += some
    watcher = Watcher(world.rules, world.office.accounts.recipients)
    for number in order:
        mine = [one for one in every if one.partition == number]
        place = Partition(EVENTS, number)
        at = positions.load(world.db, watcher.name, *place)
        with world.db.write() as db:
            end = Position(mine[-1].offset + 1, 0)
            positions.advance(db, watcher.name, {place: at}, {place: end})
            watcher.handle(db, [Item(one, decode(one)) for one in mine], frozenset())


def test_of_two_who_judge_those_tied_one_waits(world: AlertsWorld) -> None:
    """Each would else miss what the other is about to store."""
    world.tell(held(1, ANN), held(2, BEN), merger(ANN, BEN))
    with closing(Database(world.db.url, busy_timeout_ms=100)) as another, world.db.write() as db:
        looked_at(db, world, ANN)
        with pytest.raises(DatabaseUnavailable):
            looked_at_by(another, world, BEN)


def looked_at_by(database: Database, world: AlertsWorld, client: str) -> None:
    """Read a client's unit as who judges it does, and wait for nobody."""
    with database.write() as db:
        if database.dialect == "postgresql":
            db.execute(text("SET LOCAL lock_timeout = '100ms'"))
        looked_at(db, world, client)


def looked_at(db: Any, world: AlertsWorld, client: str) -> None:
    """Read a client's unit as who judges it does."""
    units(db, tables.shown(db), world.organisation, {(world.organisation, client): 0})
