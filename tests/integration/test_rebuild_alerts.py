"""Alerts are judged silently beside those that serve; the switch settles what they hold."""

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from services.alerts import tables
from services.alerts.ledger import SETTLED
from services.alerts.rebuild import Candidate
from services.alerts.watcher import Watcher
from shared.errors import AnotherVersion
from shared.storage import generations
from shared.storage.engine import Database
from shared.stream.runner import Runner
from tests.support import alert_rules
from tests.support import events as an
from tests.support.alerting import AlertsWorld, cancellations, held
from tests.support.receiver import Receiver
from tests.support.rejudged import STEPS_LIMIT, rebuilding, rebuilt

SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
"""For what no database does otherwise than another."""
TRY_FOR_S = 0.5
PATIENCE_S = 30


OLD = alert_rules.RULES
NEW = (alert_rules.LaterCancelled(), *OLD[1:])


@pytest.fixture
def world(db: Database, tmp_path: Path, receiver: Receiver) -> Iterator[AlertsWorld]:
    """Yield a world in which one client had one session cancelled, another two, a third none."""
    made = AlertsWorld(db, tmp_path, rules=OLD)
    made.a_recipient("lead", receiver.url)
    made.arm()
    made.tell(*cancellations(1, client="cl_one"), *cancellations(2, client="cl_two"))
    made.tell(held(1, client="cl_three"))
    made.deliver()
    yield made
    made.close()


def taken_over(world: AlertsWorld, rules: Any) -> None:
    """Replace the release that runs by one with other rules."""
    world.runner.close()
    world.rules = rules
    world.runner = world.another_runner()


def kept(world: AlertsWorld) -> list[tuple[object, ...]]:
    """Return everything in the ledger."""
    with world.db.read() as db:
        return [
            tuple(row)
            for name in ("ledger_steps", "ledger")
            for row in db.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - ours.
        ]


def serving(world: AlertsWorld) -> int:
    """Return which generation serves."""
    with world.db.read() as db:
        return generations.active(db, tables.NAME)


def test_the_same_rules_find_nothing_new(world: AlertsWorld) -> None:
    """Without a difference it switches; not a row of the ledger is other, and it goes on."""
    before, shown, episodes = kept(world), world.shown(), world.episodes()
    outcome = rebuilt(world, OLD)
    assert (outcome.switched, outcome.differences, outcome.settled) == (True, [], 0)
    assert (serving(world), kept(world)) == (2, before)
    world.settle()
    assert (kept(world), world.shown(), world.episodes()) == (before, shown, episodes)
    world.tell(*cancellations(1, client="cl_three", first=5))
    assert len(world.alerts()) == len(shown) + 1


@SQLITE
def test_building_writes_nothing_into_the_ledger(world: AlertsWorld) -> None:
    """Other rules are judged without a step, a telling or an alert that anybody sees."""
    before, shown = kept(world), world.shown()
    outcome = rebuilt(world, NEW)
    assert not outcome.switched
    assert (serving(world), kept(world), world.shown()) == (1, before, shown)
    said = {(one.client, one.what): one.change for one in outcome.differences}
    assert said["cl_one", "inbox"].endswith("open → retracted, attention")
    assert "urgency attention → urgent" in said["cl_two", "inbox"]
    assert said["cl_one", "episodes"].endswith("holds no more, attention")


def test_the_switch_settles_and_tells_nobody(world: AlertsWorld, receiver: Receiver) -> None:
    """What other rules hold otherwise is on record and on the topic, and no message goes out."""
    messages = len(receiver.messages)
    outcome = rebuilt(world, NEW, "anything")
    assert outcome.switched
    assert outcome.settled == 2
    taken_over(world, NEW)
    world.settle()
    world.deliver()
    assert len(receiver.messages) == messages
    assert sorted(one[3] for one in world.ledger() if one[1] == "webhook" and not one[2]) == [
        SETTLED,
        SETTLED,
    ]
    assert {one["client"]: one["state"] for one in world.shown()} == {
        "cl_one": "retracted",
        "cl_two": "open",
    }
    published = [one.event for one in world.published() if "settled" in one.event.data]
    assert {one.type for one in published} == {"alert.retracted", "alert.escalated"}
    assert all(one.data["settled"] for one in published)
    assert all(one.data["history"][-1]["settled"] for one in published)


def test_what_is_new_is_told_once_and_replay_tells_nothing(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """After the switch a new fact is news by the new rules; read again, nothing is."""
    rebuilt(world, NEW, "anything")
    taken_over(world, NEW)
    messages = len(receiver.messages)
    read_again(world)
    world.tell(*cancellations(1, client="cl_one", first=9))
    world.deliver()
    assert len(receiver.messages) == messages + 1
    read_again(world)
    world.deliver()
    assert len(receiver.messages) == messages + 1


def read_again(world: AlertsWorld) -> None:
    """Lose what the stream can fill again, and see that it comes to the same without a step."""
    before, shown = kept(world), world.shown()
    world.runner.close()
    with world.db.write() as db:
        for name in tables.declared(serving(world)).names.values():
            db.execute(text(f"DELETE FROM {name}"))  # noqa: S608 - ours.
        db.execute(text("UPDATE positions SET next_offset = 0"))
    world.runner = world.another_runner(batch_limit=2)
    world.settle()
    assert (kept(world), world.shown()) == (before, shown)


@SQLITE
def test_an_old_release_does_not_judge_what_new_rules_hold(world: AlertsWorld) -> None:
    """A process with the old rules stands still after the switch; the new one goes on."""
    rebuilt(world, NEW, "anything")
    before = kept(world)
    with pytest.raises(AnotherVersion, match="rapport rebuild alerts"):
        world.tell(*cancellations(2, client="cl_three", first=5))
    assert kept(world) == before
    taken_over(world, NEW)
    world.settle()
    assert {one["client"] for one in world.shown() if one["urgency"] == "urgent"} == {
        "cl_two",
        "cl_three",
    }


@SQLITE
def test_a_new_release_waits_until_it_is_rebuilt(world: AlertsWorld) -> None:
    """Rules of another version tell nobody anything before they were judged silently."""
    taken_over(world, NEW)
    before = kept(world)
    with pytest.raises(AnotherVersion):
        world.settle()
    assert kept(world) == before


def test_live_facts_are_told_by_the_old_and_not_again_by_the_new(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What comes while it is built is told once, by the rules that serve; the switch adds none."""
    number = 0
    with rebuilding(world, NEW) as made:
        while made.step(world.clock.now()):
            number += 1
            world.tell(*cancellations(1, client=f"cl_live{number % 3}", first=number + 20))
            world.tick(0.1)
        world.tell(*cancellations(1, client="cl_last", first=90))
        world.deliver()
        messages = len(receiver.messages)
        assert made.finish(world.clock.now(), "anything").switched
    assert number > 5
    taken_over(world, NEW)
    world.tick()
    world.deliver()
    assert len(receiver.messages) == messages
    assert rebuilt(world, NEW).differences == []


def test_going_back_settles_too(world: AlertsWorld, receiver: Receiver) -> None:
    """A rollback judges silently what came since, and tells nobody what it holds otherwise."""
    rebuilt(world, OLD)
    world.tell(*cancellations(3, client="cl_since", first=30))
    world.deliver()
    messages, shown = len(receiver.messages), world.shown()
    with rebuilding(world, OLD, of="previous", compare=False) as made:
        while made.step(world.clock.now()):
            pass
        assert made.finish(world.clock.now(), "anything").settled == 0
    world.settle()
    world.deliver()
    assert (serving(world), len(receiver.messages)) == (1, messages)
    assert world.shown() == shown


@SQLITE
def test_a_rule_that_is_gone_is_taken_back_silently(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Alerts of a rule that the new release does not have any more are settled as retracted."""
    messages = len(receiver.messages)
    without = OLD[1:]
    assert rebuilt(world, without, "anything").settled == 2
    taken_over(world, without)
    world.settle()
    world.deliver()
    assert {one["state"] for one in world.shown()} == {"retracted"}
    assert len(receiver.messages) == messages


def test_a_stale_consumer_tells_nobody_anything(world: AlertsWorld) -> None:
    """One that believes the old generation serves saves nothing once another does."""
    watcher = Watcher(OLD, world.office.accounts.recipients)
    world.runner.close()
    with closing(Runner(world.stream, world.db, watcher, world.clock)) as stale:
        stale.step(world.clock.now())
        rebuilt(world, NEW, "anything")
        before = kept(world)
        world.tell(*cancellations(3, client="cl_three", first=5), settle=False)
        for _ in range(5):
            stale.step(world.clock.now())
        assert kept(world) == before


def test_nobody_saves_anything_while_it_is_switched(world: AlertsWorld) -> None:
    """The consumer that serves waits from the last record on until the switch is made."""
    world.tell(*cancellations(3, client="cl_three", first=5), settle=False)
    waited: list[bool] = []

    class Watched(Candidate):
        """Lets the old consumer try while it settles."""

        def settle(self, db: Connection) -> int:
            """See that it comes no further."""
            thread.start()
            thread.join(TRY_FOR_S)
            waited.append(thread.is_alive())
            return super().settle(db)

    def step() -> None:
        with suppress(AnotherVersion):
            world.settle()

    thread = threading.Thread(target=step)
    with rebuilding(world, NEW, candidate=Watched) as made:
        for _ in range(STEPS_LIMIT):
            if not made.step(world.clock.now()):
                break
        assert made.finish(world.clock.now(), "anything").switched
    thread.join(PATIENCE_S)
    assert waited == [True]
    assert not any("cl_three" in row for row in kept(world))


@SQLITE
def test_a_settled_alert_is_as_good_as_told(world: AlertsWorld, receiver: Receiver) -> None:
    """A late fact that moves the begin of what was settled revises it, and tells nobody."""
    rebuilt(world, NEW, "anything")
    taken_over(world, NEW)
    world.tell(*cancellations(1, client="cl_four", first=5))
    rebuilt(world, OLD, "anything")
    taken_over(world, OLD)
    world.settle()
    (before,) = [one for one in world.shown() if one["client"] == "cl_four"]
    messages = len(receiver.messages)
    world.tell(*cancellations(1, client="cl_four", first=4))
    world.deliver()
    (after,) = [one for one in world.shown() if one["client"] == "cl_four"]
    assert before["settled"]
    assert "settled" not in after
    assert (before["id"], after["effective_at"]) == (after["id"], "2026-01-09T10:00:00Z")
    assert len(receiver.messages) == messages


@SQLITE
def test_what_was_only_silently_shown_leaves_no_trace(world: AlertsWorld) -> None:
    """An alert that the new rules would have opened, and then not any more, is never shown."""
    rebuilt(world, NEW, "anything")
    taken_over(world, NEW)
    mistake = cancellations(1, client="cl_four", first=5)[0]
    world.tell(mistake)
    with rebuilding(world, OLD) as made:
        for _ in range(STEPS_LIMIT):
            if not made.step(world.clock.now()):
                break
        world.tell(an.a_retraction(mistake, client="cl_four"))
        outcome = made.finish(world.clock.now(), "anything")
    assert outcome.switched
    assert "cl_four" not in {one.client for one in outcome.differences}
    assert "cl_four" not in {one["client"] for one in world.shown()}
