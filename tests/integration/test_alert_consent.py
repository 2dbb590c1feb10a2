"""Of a client whose consent is withdrawn nobody is told anything, by any way, until it returns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts import outbox
from services.alerts.webhook import Message, Outcome
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alert_rules import Cancelled, Mild
from tests.support.alerting import AlertsWorld, armed
from tests.support.databases import migrated, sqlite_url
from tests.support.receiver import Receiver, a_receiver

BOSS, ADA = "th_boss", "th_ada"


@dataclass
class Case:
    """A clinic with one client in it, who has an alert."""

    world: AlertsWorld
    boss: Receiver
    board: Receiver
    tried: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def tell(self, *envelopes: Envelope) -> None:
        """Handle facts as they are recorded now."""
        now = self.world.clock.now()
        self.world.tell(*(replace(one, recorded_at=now) for one in envelopes))

    def noted(self, **stated: Any) -> None:
        """Open the client's alert: a boundary event was noted."""
        self.more["noted"] = an.a_boundary_noted(at=self.world.clock.now(), **stated)
        self.tell(self.more["noted"])

    def cancelled(self, name: str = "x", **stated: Any) -> Envelope:
        """Open an alert, or let it rise: the therapist cancelled a session."""
        now = self.world.clock.now()
        one = an.a_session_cancelled(name, at=now, by="therapist", **stated)
        self.tell(one)
        return one

    def consent(self, word: str, scope: str) -> None:
        """Say what the client wants, from now on."""
        self.world.clock.advance(timedelta(hours=1))
        self.tell(an.a_consent(word, self.world.clock.now(), scope))

    def fail(self) -> None:
        """Try to send what is due, in vain."""
        self.tried, self.boss.mood = True, "failing"
        self.world.deliver()
        self.boss.mood = "fine"
        self.boss.messages.clear()

    def go_on(self) -> None:
        """Let whatever waits for the ticker, or for another attempt, be told."""
        for _ in range(2):
            self.world.tick(1)
        self.world.deliver()
        if self.tried:
            for pause in outbox.RETRY_AFTER:
                self.world.clock.advance(pause)
                self.world.deliver()

    def said(self) -> list[str]:
        """Return what was said of the client, to anybody, and forget it."""
        every = [one.body for of in (self.boss, self.board) for one in of.messages]
        mine = {one["id"] for one in self.world.shown() if one["client"] == an.CLIENT}
        self.boss.messages.clear()
        self.board.messages.clear()
        return [
            one["type"].removeprefix("rapport.alert.")
            for one in every
            if mine & {one["data"].get("alert"), *one["data"].get("alerts", ())}
        ]


Step = Callable[[Case], Any]


def _nothing(case: Case) -> None:
    del case


def _told(case: Case) -> None:
    case.noted()
    case.world.deliver()
    assert case.said() == ["opened"]


def _correct(case: Case) -> None:
    case.tell(an.a_correction(case.more["noted"], at=case.world.clock.now(), concerns=BOSS))


def _take_back(case: Case) -> None:
    case.tell(an.a_retraction(case.more["noted"], at=case.world.clock.now()))


def _rise(case: Case) -> None:
    case.more["first"] = case.cancelled("x1")
    case.world.deliver()
    assert case.said() == ["opened"]
    case.more["others"] = [case.cancelled("x2"), case.cancelled("x3")]


def _rise_at_once(case: Case) -> None:
    for name in ("x1", "x2", "x3"):
        case.cancelled(name)


def _take_all_back(case: Case) -> None:
    at = case.world.clock.now()
    case.tell(*(an.a_retraction(one, at=at) for one in (case.more["first"], *case.more["others"])))


def _end(case: Case) -> None:
    case.more["noted"] = an.a_session_held("h", case.world.clock.now())
    case.tell(case.more["noted"])


def _late(case: Case) -> None:
    day_before = case.world.clock.now() - timedelta(days=1)
    case.tell(an.a_session_cancelled("x", at=day_before, by="therapist"))


def _over(case: Case) -> None:
    case.cancelled("x")
    case.world.clock.advance(timedelta(hours=12))
    _end(case)


def _digest(case: Case) -> None:
    case.world.deliver_by(daily_cap=0)
    case.more["noted"] = case.cancelled("x")
    case.cancelled("y", client="cl_other", therapist="th_other")


def _summary(case: Case) -> None:
    case.world.clock.advance(timedelta(days=30))
    case.tell(an.a_session_cancelled("x", at=an.on(1), by="therapist"))


def _quiet(case: Case) -> None:
    case.world.deliver_by(quiet_days=3)
    case.cancelled("x")


def _grouped(case: Case) -> None:
    case.more["noted"] = case.cancelled("y", client="cl_other")
    case.cancelled("x")


def _composed(waits: Step, days: int) -> Step:
    def composed(case: Case) -> None:
        waits(case)
        for _ in range(days):
            case.world.tick(1)

    return composed


def _tried(waits: Step, days: int = 0) -> Step:
    def tried(case: Case) -> None:
        waits(case)
        for _ in range(days):
            case.world.tick(1)
        case.fail()

    return tried


def _named(case: Case) -> None:
    _told(case)
    _correct(case)


def _wrong(case: Case) -> None:
    _told(case)
    _take_back(case)


def _unreached(case: Case) -> None:
    """Whom it concerns was told; of the other leader it is not known yet."""
    case.tried = True
    case.world.a_recipient("other", "https://nowhere.invalid/", person=ADA)
    _told(case)
    _correct(case)


def _removed(case: Case) -> None:
    every = case.world.office.accounts.recipients(case.world.organisation)
    (ada,) = [one.id for one in every if one.person == ADA]
    case.world.office.recipients.remove(case.world.organisation, ada)


WAYS: Mapping[str, tuple[Step, Step, list[str]]] = {
    "a first notice": (Case.cancelled, _nothing, ["opened"]),
    "one that was tried": (_tried(Case.cancelled), _nothing, ["opened"]),
    "one that is decided now": (_nothing, _late, ["opened"]),
    "one that is over when it returns": (Case.cancelled, _end, []),
    "one that was tried, and is wrong": (_tried(Case.noted), _take_back, ["retracted"]),
    "a digest that was tried, and is wrong": (_tried(_digest, 2), _take_back, ["retracted"]),
    "two steps": (_rise_at_once, _nothing, ["escalated", "escalated"]),
    "a step that is wrong as well": (_rise, _take_all_back, ["retracted"]),
    "an urgency": (_rise, _nothing, ["escalated", "escalated"]),
    "what holds again": (_over, _take_back, ["opened"]),
    "a digest to come": (_digest, _nothing, ["opened"]),
    "a digest": (_composed(_digest, 2), _nothing, ["opened"]),
    "a digest that was tried": (_tried(_digest, 2), _nothing, ["opened"]),
    "a summary to come": (_summary, _nothing, ["summary"]),
    "a summary": (_composed(_summary, 2), _nothing, ["opened"]),
    "history that is decided now": (_nothing, _summary, ["summary"]),
    "a report to come": (_quiet, _nothing, ["summary"]),
    "a report": (_composed(_quiet, 4), _nothing, ["opened"]),
    "who stands in": (_told, _correct, ["opened"]),
    "who stands in already": (_named, _nothing, ["opened"]),
    "a notice given up": (_unreached, _nothing, ["opened"]),
    "a recipient who is gone": (_unreached, _removed, ["opened"]),
    "a correction": (_told, _take_back, ["retracted"]),
    "a correction under way": (_wrong, _nothing, ["retracted"]),
    "another of the group": (_grouped, _take_back, ["opened"]),
}
"""What is to be told when consent is withdrawn; what comes then; what is told when it returns."""


@pytest.fixture
def case(tmp_path: Path, receiver: Receiver) -> Iterator[Case]:
    """Yield a clinic whose leader is a person whom an alert may concern; the board stands in."""
    rules = (Cancelled(), Mild())
    with (
        migrated(sqlite_url(tmp_path)) as db,
        armed(db, tmp_path, rules) as world,
        a_receiver() as board,
    ):
        world.a_recipient("boss", receiver.url, person=BOSS)
        world.a_recipient("board", board.url, role="governance")
        world.tell(an.a_session_scheduled("s0", an.on(90), at=an.on(0), recorded_at=an.on(0)))
        world.clock.set(an.on(1))
        yield Case(world, receiver, board)


@pytest.mark.parametrize(
    ("way", "scope"),
    [
        *((way, "alerts") for way in WAYS),
        ("a digest", "processing"),
        ("a correction", "processing"),
    ],
)
def test_nobody_is_told_until_consent_returns(case: Case, way: str, scope: str) -> None:
    """Neither what waits nor what comes; of what holds by then somebody is told once."""
    before, then, after = WAYS[way]
    before(case)
    case.boss.messages.clear()
    case.consent("withdrawn", scope)
    then(case)
    case.go_on()
    assert case.said() == []
    case.consent("given", scope)
    case.go_on()
    assert case.said() == after


def test_what_holds_again_after_consent_returned_is_told_once(case: Case) -> None:
    """It was over when consent returned, and proves to hold: nobody is told of it twice."""
    case.cancelled()
    case.consent("withdrawn", "alerts")
    _end(case)
    case.consent("given", "alerts")
    case.go_on()
    assert case.said() == []
    _take_back(case)
    case.go_on()
    assert case.said() == ["opened"]


@dataclass
class Meanwhile:
    """Sends nothing: while the first notice is on its way consent is withdrawn, and more comes."""

    case: Case
    then: Step
    outcome: Outcome = "delivered"
    tried: int = 0

    def send(self, url: str, secret: bytes, message: Message, now: datetime) -> Outcome:
        """Return what became of it."""
        del url, secret, message, now
        self.tried += 1
        if self.tried == 1:
            self.case.consent("withdrawn", "alerts")
            self.then(self.case)
        return self.outcome

    def step(self) -> None:
        """Send what is due."""
        self.case.world.another_deliverer(self).step(self.case.world.clock.now())


@pytest.mark.parametrize(("outcome", "later"), [("delivered", []), ("failed", ["opened"])])
def test_what_was_on_its_way_may_have_arrived(
    case: Case, outcome: Outcome, later: list[str]
) -> None:
    """It is told again only where it did not; where that was the last try, nobody stands in."""
    _unreached(case)
    for pause in outbox.RETRY_AFTER[:-1]:
        case.world.clock.advance(pause)
        case.world.deliver()
    case.world.clock.advance(outbox.RETRY_AFTER[-1])
    Meanwhile(case, _removed, outcome).step()
    case.go_on()
    assert case.said() == []
    case.consent("given", "alerts")
    case.go_on()
    assert case.said() == later


def test_what_proves_wrong_on_its_way_is_corrected_later(case: Case) -> None:
    """It arrived after consent was withdrawn: that it was wrong is told when it is given again."""
    case.noted()
    Meanwhile(case, _take_back).step()
    case.go_on()
    assert case.said() == []
    case.consent("given", "alerts")
    case.go_on()
    assert case.said() == ["retracted"]


def test_what_was_not_sent_after_all_is_not_corrected(case: Case) -> None:
    """It was hushed between its claim and its turn, and proves wrong: nobody hears of it."""
    case.cancelled("y", client="cl_other", therapist="th_other")
    case.world.clock.advance(timedelta(minutes=1))
    case.noted()
    sender = Meanwhile(case, _nothing)
    sender.step()
    _take_back(case)
    case.consent("given", "alerts")
    case.go_on()
    assert (sender.tried, case.said()) == (1, [])
