"""Alerts while a record cannot be handled: who is judged, who is not, and what is told at last."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts.rule import Rule
from services.alerts.watcher import Watcher
from shared.clock import format_time, parse_time
from shared.envelope import Envelope
from shared.storage.engine import Database
from shared.stream.parking import MANY
from shared.stream.redrive import Retried
from tests.support import events as an
from tests.support.alerting import RULES, AlertsWorld, cancellations, held
from tests.support.databases import migrated, sqlite_url
from tests.support.poison import Fragile, FragileRule, parked_rows, retry, states

ANNA, BEN = an.CLIENT, "cl_ben"


@pytest.fixture
def fragile() -> Fragile:
    """Return a release that can judge everybody so far."""
    return Fragile()


@pytest.fixture
def world(db: Database, tmp_path: Path, fragile: Fragile) -> Iterator[AlertsWorld]:
    """Yield a world in which a rule has a mistake, and in which somebody is told."""
    made = a_world(db, tmp_path, fragile)
    yield made
    made.close()


def a_world(
    db: Database, folder: Path, fragile: Fragile, since: datetime | None = None
) -> AlertsWorld:
    """Return a world with a rule that fails for whom is named, perhaps only from a time on."""
    folder.mkdir(exist_ok=True)
    rules: Sequence[Rule] = (*RULES, FragileRule(fragile, since))
    made = AlertsWorld(db, folder, rules=rules)
    made.a_recipient("boss")
    made.arm()
    return made


def retried(world: AlertsWorld) -> list[Retried]:
    """Try again what waits, as the command does."""
    handler = Watcher(world.rules, world.office.accounts.recipients)
    return retry(world.db, handler, world.clock)


def outcome(world: AlertsWorld, client: str = ANNA) -> tuple[Any, ...]:
    """Return what must be equal to a run without the fault: episodes, alerts, what is told."""
    shown = [
        (one["rule"], one["state"], one["urgency"], one["effective_at"], one["historical"])
        for one in world.shown() if one["client"] == client
    ]  # fmt: skip
    episodes = [
        {name: said for name, said in one.items() if name not in ("organisation", "episode")}
        for one in world.episodes(client)
    ]
    return (episodes, sorted(shown), sorted(row[:2] + row[3:] for row in world.ledger()))


def a_life(client: str = ANNA) -> list[Envelope]:
    """Return cancellations and a held session, after which nothing comes for weeks."""
    return [*cancellations(2, client=client), held(5, client=client)]


def test_a_rule_that_fails_for_one_client(world: AlertsWorld, fragile: Fragile) -> None:
    """That client is parked with its record; another's alert opens as ever."""
    fragile.clients.add(ANNA)
    world.tell(*cancellations(1), *cancellations(1, client=BEN))
    assert [one["client"] for one in world.alerts()] == [BEN, BEN]
    assert states(world.db) == [(ANNA, "parked")]
    (row,) = parked_rows(world.db)
    assert (row.error, row.consumer) == ("Bug", "alerts.v1")
    body: Any = world.get("/v1/alerts").json
    assert body["parked"] == []
    world.tell(*cancellations(2, first=2))
    fragile.clients.clear()
    fragile.clients.add(BEN)
    retried(world)
    world.tell(*cancellations(1, first=9, client=BEN))
    body = world.get("/v1/alerts").json
    assert body["parked"] == [BEN]


def test_retried_it_is_as_if_it_had_never_failed(
    world: AlertsWorld, fragile: Fragile, tmp_path: Path
) -> None:
    """Episodes, alerts and what is told are those of a consumer that was behind until now."""
    fragile.clients.add(ANNA)
    for one in a_life():
        world.tell(one)
    world.tick(days=40)
    assert world.shown() == []
    assert [state for _, state in states(world.db)] == ["parked", "queued", "queued"]
    fragile.clients.clear()
    (done,) = retried(world)
    assert (done.handled, done.left, retried(world)) == (3, 0, [])
    world.tick(days=1)
    folder = tmp_path / "behind"
    folder.mkdir()
    with migrated(sqlite_url(folder)) as db:
        other = a_world(db, folder, Fragile())
        other.tell(*a_life(), settle=False)
        other.tick(days=40)
        other.tick(days=1)
        assert outcome(other) == outcome(world)
        assert outcome(world)[0]
        other.close()


def test_reading_again_after_a_retry_tells_nothing_more(
    world: AlertsWorld, fragile: Fragile
) -> None:
    """The mark did not move back, nor time: from zero, in any batches, not one new step."""
    fragile.clients.add(ANNA)
    world.tell(*a_life())
    world.tick(days=40)
    fragile.clients.clear()
    retried(world)
    before, shown = world.ledger(), world.shown()
    world.tick()
    for limit in (1, 1_000):
        world.begun_again(batch_limit=limit)
        world.settle()
        assert (world.ledger(), world.shown()) == (before, shown)


def test_a_retry_while_the_stream_is_read_again(world: AlertsWorld, fragile: Fragile) -> None:
    """Below the mark nothing is judged: half a life would take back what was told."""
    world.tell(*cancellations(2))
    told = world.ledger()
    fragile.clients.add(ANNA)
    world.tell(held(5))
    fragile.clients.clear()
    world.begun_again(batch_limit=1)
    world.runner.step(world.clock.now())
    (done,) = retried(world)
    assert (done.handled, world.ledger()) == (1, told)
    world.settle()
    world.tick()
    assert {one["state"] for one in world.shown()} == {"resolved"}
    assert not [step for step, *_ in world.ledger() if step.startswith("retracted")]


def test_a_rule_that_fails_for_one_client_at_a_tick(
    db: Database, tmp_path: Path, fragile: Fragile
) -> None:
    """Who cannot be judged at a deadline is parked with the tick; everybody else is judged."""
    world = a_world(db, tmp_path / "tick", fragile, since=an.on(20))
    world.tell(held(1), held(1, client=BEN))
    fragile.clients.add(ANNA)
    world.tick(days=30)
    assert [(one["client"], one["rule"]) for one in world.shown()] == [(BEN, "test-quiet")]
    (row,) = parked_rows(world.db)
    assert (row.client, row.error) == (ANNA, "Bug")
    world.tell(held(31, client=BEN), held(31))
    assert [state for _, state in states(world.db)] == ["parked", "queued"]
    fragile.clients.clear()
    (done,) = retried(world)
    assert (done.handled, done.left) == (2, 0)
    assert {one["client"] for one in world.shown()} == {ANNA, BEN}
    world.close()


def test_a_fact_of_many_that_no_rule_can_read(world: AlertsWorld) -> None:
    """It is parked in every partition as what concerns many; no client is held back for it."""
    wrong = [
        an.an_event("rule.configured", an.on(1), {"settings": {"x": 1}}, client=None),
        an.a_clinic_configured(timezone="Nowhere/Else", sender="rapport"),
    ]
    world.tell(*wrong, *cancellations(1))
    assert {row.client for row in parked_rows(world.db)} == {MANY}
    assert {row.attempts for row in parked_rows(world.db)} == {0, 1}
    assert [one["client"] for one in world.shown()] == [ANNA, ANNA]


def test_deadlines_of_a_parked_client_are_suspended(world: AlertsWorld, fragile: Fragile) -> None:
    """While it is held back nothing falls due for it; retried, it is judged up to the present."""
    world.tell(held(1), held(1, client=BEN))
    fragile.clients.add(ANNA)
    world.tell(an.a_session_missed("m", at=an.on(2)))
    world.tick(days=30)
    assert {one["client"] for one in world.shown()} == {BEN}
    assert states(world.db) == [(ANNA, "parked")]
    fragile.clients.clear()
    retried(world)
    assert {one["client"] for one in world.shown()} == {ANNA, BEN}
    (quiet,) = [one for one in world.shown() if one["client"] == ANNA]
    assert (quiet["rule"], quiet["historical"]) == ("test-quiet", False)


def test_a_present_that_cannot_be(world: AlertsWorld) -> None:
    """A record that speaks of the year 9999 moves no clock, so no deadline is over for anybody."""
    world.tell(held(1), held(1, client=BEN))
    far = parse_time("9999-12-31T00:00:00Z")
    absurd = [
        an.a_session_held("x", an.on(2), recorded_at=far),
        an.an_event("clock.ticked", an.on(2), {"tick_at": format_time(far)}, client=None),
    ]
    now = world.clock.now()
    world.tell(*absurd)
    world.clock.set(now)
    world.tell(held(3, client=BEN))
    assert world.shown() == []
    assert {row.error for row in parked_rows(world.db)} == {"Unreadable"}
