"""Who is told after all, when a matter that was told turns out to concern whoever was told."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts import outbox
from services.alerts.ledger import UNDELIVERABLE
from services.alerts.rule import Audience, Urgency, Verdict
from shared.alliance.history import Phase
from shared.envelope import Envelope
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alert_rules import Matter, a_step, an_episode
from tests.support.alerting import AlertsWorld, armed, held
from tests.support.databases import migrated, sqlite_url
from tests.support.receiver import Receiver, a_receiver
from tests.support.rejudged import rebuilt

BOSS, ADA = "th_boss", "th_ada"
ROLES = ("leadership", "leadership", "governance", "supervisor")


class Graver(Matter):
    """Grows urgent with its assessment; leadership is told, at first supervisors too."""

    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("supervisor", "leadership"),
        "urgent": ("leadership",),
    }

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return one episode per boundary event."""
        episodes = []
        for matter in phase.boundary_events:
            facts = {fact.type: fact for fact in matter.facts}
            steps = [
                a_step(urgency, facts[type].occurred_at, facts[type])
                for type, urgency in URGENCIES.items()
                if type in facts
            ]
            episodes.append(an_episode(self.name, phase, steps, matter.closed_at))
        return Verdict(tuple(episodes))


URGENCIES: Mapping[str, Urgency] = {"boundary.noted": "attention", "boundary.assessed": "urgent"}


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path, (Graver(),)) as made:
        yield made


@pytest.fixture
def board() -> Iterator[Receiver]:
    """Yield a running receiver of governance."""
    with a_receiver() as running:
        yield running


def told(world: AlertsWorld) -> Envelope:
    """Tell of a boundary event, and send what is to be sent; return the event."""
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.deliver()
    return noted


def corrected(world: AlertsWorld, noted: Envelope, concerns: str = BOSS, **more: Any) -> None:
    """Say whom it concerns after all, and send what is to be sent."""
    world.tell(an.a_correction(noted, concerns=concerns, **more))
    world.deliver()


def test_governance_is_told_once(world: AlertsWorld, receiver: Receiver, board: Receiver) -> None:
    """The only leader was told, and is named afterwards: governance is told, and they nothing."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    assert (len(receiver.messages), len(board.messages)) == (1, 0)
    corrected(world, noted)
    (message,) = board.messages
    assert message.body["type"] == "rapport.alert.opened"
    assert message.body == receiver.messages[0].body
    corrected(world, noted, at=an.on(3))
    world.live(2)
    world.deliver()
    assert (len(receiver.messages), len(board.messages)) == (1, 1)


def test_the_alternate_comes_before_governance(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Whoever was named to stand in does; governance hears nothing."""
    deputy = world.a_recipient("deputy", receiver.url, role="safeguarding")
    world.a_recipient("boss", person=BOSS, alternate=deputy)
    world.a_recipient("board", board.url, role="governance")
    corrected(world, told(world))
    assert (len(receiver.messages), len(board.messages)) == (1, 0)


def test_where_somebody_else_was_told_nobody_stands_in(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Another leader knows of it already; once they are named as well, the third is told."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("other", receiver.url, person=ADA)
    noted = told(world)
    world.a_recipient("third", board.url)
    corrected(world, noted)
    assert board.messages == []
    corrected(world, noted, ADA, at=an.on(3))
    assert len(board.messages) == 1
    assert len(receiver.messages) == 2


def test_who_stood_in_may_be_named_as_well(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Then the next one is told; where there is none, it is undeliverable and counted."""
    deputy = world.a_recipient("deputy", receiver.url, role="safeguarding", person=ADA)
    world.a_recipient("boss", person=BOSS, alternate=deputy)
    world.a_recipient("board", board.url, role="governance", person="th_chair")
    noted = told(world)
    corrected(world, noted)
    corrected(world, noted, ADA, at=an.on(3))
    assert (len(receiver.messages), len(board.messages)) == (1, 1)
    assert undeliverable(world) == 0
    corrected(world, noted, "th_chair", at=an.on(4))
    assert (len(receiver.messages), len(board.messages)) == (1, 1)
    assert undeliverable(world) == 1


def test_who_was_removed_before_they_were_named_knows_of_nothing_for_us(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Their recipient is gone, so nobody who reads was told: governance is."""
    boss = world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.office.recipients.remove(world.organisation, boss)
    corrected(world, noted)
    assert (len(receiver.messages), len(board.messages)) == (1, 1)


def test_who_knows_of_less_does_not_stand_for_who_knows_all(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """A supervisor was told that it began; that it is urgent only who is named knows."""
    world.a_recipient("supervisor", receiver.url, role="supervisor")
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.tell(an.a_boundary_assessed(severity=4))
    world.deliver()
    corrected(world, noted, at=an.on(8))
    assert [message.body["type"] for message in board.messages] == ["rapport.alert.escalated"]


def test_a_removal_alone_makes_nobody_stand_in(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Whoever was told and is no recipient any more may know of it: it concerns nobody else."""
    boss = world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.office.recipients.remove(world.organisation, boss)
    world.tell(an.a_correction(noted, area="gifts"))
    (alert,) = world.alerts()
    key, path = world.a_key("read", "act", person=BOSS), f"/v1/alerts/{alert['id']}"
    seen = key | {"If-Match": world.get(path, key).headers["ETag"]}
    assert world.post(f"{path}/comment", {"code": "waiting"}, seen).status_code == 202
    world.settle()
    world.deliver()
    assert board.messages == []


def test_only_the_last_step_is_told(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Who stands in learns how it stands, and not the way there."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.tell(an.a_boundary_assessed(severity=4))
    world.deliver()
    kinds = [message.body["type"] for message in receiver.messages]
    assert kinds == ["rapport.alert.opened", "rapport.alert.escalated"]
    corrected(world, noted, at=an.on(8))
    assert [message.body["type"] for message in board.messages] == kinds[-1:]


def test_what_was_taken_back_is_told_to_nobody_else(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """An alert that a correction voids is no matter for whoever stands in, then or later."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.tell(an.a_retraction(noted))
    world.deliver()
    world.tell(an.a_correction(noted, concerns=BOSS, at=an.on(5)))
    world.deliver()
    assert board.messages == []


def test_a_matter_that_is_over_is_told_all_the_same(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Whoever closed it was the one whom it concerns: somebody else must know."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    (alert,) = world.alerts()
    key, path = world.a_key("read", "act", person=BOSS), f"/v1/alerts/{alert['id']}"
    seen = key | {"If-Match": world.get(path, key).headers["ETag"]}
    assert world.post(f"{path}/resolve", {"reason": "handled"}, seen).status_code == 202
    world.settle()
    assert world.shown()[0]["state"] == "resolved"
    corrected(world, noted)
    assert len(board.messages) == 1


def test_without_consent_to_alerts_nobody_is_told(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """While it is withdrawn nothing is told, to those who stand in neither."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    world.tell(an.a_consent("withdrawn", an.on(9), scope="alerts"))
    corrected(world, noted, at=an.on(10))
    assert board.messages == []


class Wider(Graver):
    """The next version: it holds a matter together with every other of the phase."""

    version = 2

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return the same episodes, which stand on everything that was noted."""
        noted = [fact for matter in phase.boundary_events for fact in matter.facts]
        found = super().judge(phase, settings, until).episodes
        return Verdict(tuple(
            replace(one, steps=tuple(replace(step, evidence=tuple(noted)) for step in one.steps))
            for one in found))  # fmt: skip


def test_other_rules_may_find_whom_it_concerns(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """They are settled in silence; but of what the one concerned was told, governance is too."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    told(world)
    world.tell(an.a_boundary_noted("b2", at=an.on(9), concerns=BOSS))
    world.deliver()
    assert (len(receiver.messages), len(board.messages)) == (1, 1)
    assert rebuilt(world, (Wider(),), "anything").settled
    world.deliver()
    assert [one.body for one in board.messages[1:]] == [receiver.messages[0].body]
    assert len(receiver.messages) == 1


def test_reading_again_tells_nobody(
    world: AlertsWorld, receiver: Receiver, board: Receiver
) -> None:
    """Every table that the stream can fill again is lost: the ledger says who stood in."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("board", board.url, role="governance")
    corrected(world, told(world))
    world.tell(held(9))
    before = world.ledger()
    world.begun_again(batch_limit=1)
    world.settle()
    world.deliver()
    assert world.ledger() == before
    assert (len(receiver.messages), len(board.messages)) == (1, 1)


@pytest.mark.parametrize("seed", range(12))
def test_somebody_knows_or_it_counts_as_told_to_nobody(tmp_path: Path, seed: int) -> None:
    """However the names change while notices go out: no one named is sent it, and some one knows.

    In the end somebody who reads, and whom it does not concern, was told of the latest step that
    anybody is told of; or it is undeliverable, and counted.
    """
    chance, people = random.Random(seed), [f"th_{n}" for n in range(5)]
    with ExitStack() as stack:
        db = stack.enter_context(migrated(sqlite_url(tmp_path)))
        world = AlertsWorld(db, tmp_path, rules=(Graver(),))
        stack.callback(world.close)
        world.arm()
        receivers = {one: stack.enter_context(a_receiver()) for one in people}
        deputy = None
        for person, role in zip(people, ("safeguarding", *ROLES), strict=True):
            alternate = deputy if chance.random() < 0.3 else None
            one = world.a_recipient(person, receivers[person].url, role, person=person,
                                    alternate=alternate)  # fmt: skip
            deputy = deputy or one
        noted = an.a_boundary_noted(concerns=chance.choice([*people, an.THERAPIST]))
        assessed = [an.a_boundary_assessed(at=an.on(9), severity=4)]
        named = [noted.event.data["concerns"]]
        world.tell(noted)
        for day in range(10, 16):
            if chance.random() < 0.6:
                deliver(world, receivers, named)
            if chance.random() < 0.7:
                named.append(chance.choice(people))
                world.tell(an.a_correction(noted, concerns=named[-1], at=an.on(day)))
            elif assessed:
                world.tell(replace(assessed.pop(), recorded_at=an.on(day)))
        deliver(world, receivers, named)
        (alert,) = world.shown()
        kinds = [one for one in alert["history"] if one["step"] in ("opened", "escalated")]
        told = {
            person
            for person in set(people) - set(named)
            if kinds[-1]["id"] in [one.id for one in receivers[person].messages]
        }
        assert bool(told) != bool(undeliverable(world)), (named, told)
        before = world.ledger()
        world.begun_again(batch_limit=1)
        world.settle()
        assert world.ledger() == before


def deliver(world: AlertsWorld, receivers: Mapping[str, Receiver], named: list[str]) -> None:
    """Send what is to be sent; whom the matter concerns by now is sent nothing."""
    before = {one: len(receivers[one].messages) for one in named if one in receivers}
    world.deliver()
    assert before == {one: len(receivers[one].messages) for one in before}


def undeliverable(world: AlertsWorld) -> int:
    """Return how many alerts could be told to nobody."""
    with world.db.read() as db:
        return outbox.untold(db, world.organisation)[UNDELIVERABLE]
