"""When rules are judged, and when not: arming, settings, shadow, consent."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts import sightings, tables
from services.alerts.ledger import HUSHED, PENDING
from services.alerts.rule import Verdict
from services.alerts.rules.no_next_session import NoNextSession
from services.alerts.rules.risk_item import RiskItem
from services.alerts.seen import SEEN, THEMSELVES, WORDS, said_anyway
from services.alerts.ticker import seen_event
from shared.alliance.history import Phase
from shared.alliance.reading import standing
from shared.envelope import Envelope
from shared.storage.engine import Database
from shared.stream.broadcast import copies
from shared.stream.codec import decode
from shared.stream.ports import EVENTS
from tests.support import events as an
from tests.support.alert_rules import Cancelled
from tests.support.alerting import PARTITIONS, RULES, AlertsWorld, cancellations, held
from tests.support.databases import DIALECTS, migrated, sqlite_url, url_of


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world in which nothing has happened."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        yield made
        made.close()


def configured(day: float, rule: str = "test-cancelled", **data: Any) -> Envelope:
    """Return a ``rule.configured``; for all clinics unless one is named."""
    return an.an_event(
        "rule.configured", an.on(day), {"rule": rule, **data}, client=None, sender="rapport"
    )


def test_an_unarmed_clinic_has_no_alerts(world: AlertsWorld) -> None:
    """Never sent is not never happened: without a word from or of the clinic nothing is judged."""
    world.tell(*cancellations(3), held(9))
    assert world.alerts() == []
    assert world.episodes() == []


def test_another_clinics_word_arms_nothing_here(world: AlertsWorld) -> None:
    """Arming is per clinic."""
    world.arm("sessions", clinic="oak")
    world.tell(*cancellations(3))
    assert world.alerts() == []


def test_once_armed_the_whole_life_is_judged(world: AlertsWorld) -> None:
    """Facts from before the arming count as soon as it comes."""
    world.tell(*cancellations(1))
    assert world.alerts() == []
    world.tell(an.a_clinic_configured(at=an.on(3), sends=["sessions"]))
    assert world.the_alert()["effective_at"] == "2026-01-06T10:00:00Z"


def test_enabled_arms_and_false_begins_nothing_new(world: AlertsWorld) -> None:
    """What was told before the switch stays; what begins after it does not come up."""
    world.tell(configured(0, enabled=True), *cancellations(1))
    assert len(world.alerts()) == 1
    world.tell(configured(2, enabled=False), held(3), *cancellations(1, first=4))
    assert [one["state"] for one in world.alerts()] == ["resolved"]


def test_shadow_judges_and_tells_nobody(world: AlertsWorld) -> None:
    """In shadow an episode is kept, but neither shown, published nor told."""
    world.a_recipient("boss")
    world.arm()
    world.tell(configured(0, shadow=True), *cancellations(1))
    assert len(world.episodes()) == 1
    assert world.alerts() == []
    world.deliver()
    assert world.published() == []
    assert world.told() == []


def test_an_open_episode_keeps_the_settings_it_began_with(world: AlertsWorld) -> None:
    """New settings count for what becomes true from their time on."""
    world.arm()
    world.tell(*cancellations(1))
    world.tell(configured(2, settings={"attention": 2, "urgent": 9}))
    world.tell(*cancellations(2, first=3))
    alert = world.the_alert()
    assert alert["settings"] == {"attention": 1, "urgent": 3}
    assert alert["urgency"] == "urgent"
    world.tell(held(6), *cancellations(1, first=7))
    assert len(world.alerts()) == 1
    world.tell(*cancellations(1, first=8))
    newest = world.alerts()[0]
    assert newest["settings"] == {"attention": 2, "urgent": 9}
    assert newest["state"] == "open"


def test_without_consent_to_alerts_nobody_is_told(world: AlertsWorld) -> None:
    """While it is withdrawn rules run in shadow; given again, what begins then is told."""
    world.a_recipient("boss")
    world.arm()
    world.tell(an.a_consent("withdrawn", an.on(0), "alerts"), *cancellations(1))
    assert len(world.episodes()) == 1
    assert world.alerts() == []
    assert world.told() == []
    world.tell(an.a_consent("given", an.on(5), "alerts"), held(6), *cancellations(1, first=7))
    assert [step for step, _ in world.told()] == ["opened"]


def test_without_consent_to_processing_rules_stop(world: AlertsWorld) -> None:
    """No deadline fires after the withdrawal, and what happens then is no evidence."""
    world.arm()
    world.tell(held(1), an.a_consent("withdrawn", an.on(2)), *cancellations(1, first=3))
    world.tick(60)
    assert world.alerts() == []
    assert world.episodes() == []


def test_a_late_fact_is_told_to_nobody_without_consent(world: AlertsWorld) -> None:
    """What happened before the withdrawal and comes after is shown, and told when it returns."""
    world.a_recipient("boss")
    world.arm()
    world.tell(an.a_consent("withdrawn", an.on(5), "alerts"))
    world.tell(*cancellations(1, first=4, recorded_at=an.on(6)))
    assert world.the_alert()["state"] == "open"
    assert world.told() == [("opened", HUSHED)]
    world.tell(an.a_consent("given", an.on(7), "alerts"))
    assert world.told() == [("opened", PENDING)]


def test_what_falls_due_at_the_withdrawal_is_not_judged(world: AlertsWorld) -> None:
    """A deadline whose grace ends after consent to processing was withdrawn never fires."""
    world.arm()
    world.tell(held(1), an.a_consent("withdrawn", an.on(12)))
    world.tick(30)
    world.tell(an.a_consent("given", an.on(50), "research"))
    assert world.alerts() == []


# What was seen ----------------------------------------------------------------------------------
def said_of(world: AlertsWorld) -> list[tuple[str, str]]:
    """Return clinic and type of every ``feed.seen`` in the stream, once per partition."""
    reader = world.stream.consumer("test-seen", [EVENTS], lambda _: 0)
    found: list[tuple[str, str]] = []
    while batch := reader.poll(1_000, 0.05):
        events = [decode(record).event for record in batch]
        found += [(one.data["clinic"], one.data["type"]) for one in events if one.type == SEEN]
    reader.close()
    return sorted(found)


def test_what_was_seen_arms_what_needs_it(world: AlertsWorld) -> None:
    """Without a word from the clinic, what it was seen to send is judged: the whole life."""
    world.tell(*cancellations(1))
    assert world.alerts() == []
    world.tick()
    assert world.the_alert()["effective_at"] == "2026-01-06T10:00:00Z"
    assert said_of(world) == [(an.CLINIC, "session.cancelled")] * PARTITIONS


@pytest.mark.parametrize("says", [["sessions"], None])
def test_bookings_arm_by_being_seen(tmp_path: Path, says: list[str] | None) -> None:
    """Who sends held sessions alone misses no booking, whatever the clinic says of itself.

    From the first booking on, of whomever, everybody's are looked at.
    """
    with migrated(sqlite_url(tmp_path)) as db:
        world = AlertsWorld(db, tmp_path, rules=[NoNextSession()])
        if says:
            world.arm(*says)
        world.tell(held(1))
        world.tick(1)
        world.tick(11)
        assert world.alerts() == []
        world.tell(an.a_session_scheduled("b", an.on(20), at=an.on(13), client="cl_other"))
        world.tick(1)
        assert world.the_alert("no-next-session")["effective_at"] == "2026-01-13T00:00:00Z"
        world.close()


class Counting(Cancelled):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.times = 0

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge, and count it."""
        self.times += 1
        return super().judge(phase, settings, until)


@pytest.mark.parametrize(("says", "again"), [(["sessions"], 0), (["ratings"], 1)])
def test_what_a_clinic_says_it_sends_arms_nothing_by_being_seen(
    db: Database, tmp_path: Path, says: list[str], again: int
) -> None:
    """Thousands of clients are not judged again for what changes nobody's orders."""
    rule = Counting()
    world = AlertsWorld(db, tmp_path, rules=[rule])
    world.arm(*says)
    world.tell(*cancellations(1))
    before = rule.times
    world.tick()
    assert (rule.times - before, len(world.alerts())) == (again, 1)
    world.close()


def test_a_rating_arms_rules_of_ratings(db: Database, tmp_path: Path) -> None:
    """A clinic that never said that it sends ratings is judged by them once it has sent one."""
    world = AlertsWorld(db, tmp_path, rules=(*RULES, RiskItem()))
    world.tell(an.a_rating(None, at=an.on(1), instrument="phq-9", items={"9": 3}))
    assert world.alerts() == []
    world.tick()
    assert world.the_alert("risk-item")["urgency"] == "urgent"
    world.close()


def test_it_is_said_once(world: AlertsWorld) -> None:
    """However much is sent, and read again, a sight is said once; only what is new is added."""
    world.tell(*cancellations(1))
    world.tick()
    world.tell(*cancellations(2, first=3), held(6, client="cl_bert"))
    world.tick(1)
    world.begun_again()
    world.settle()
    world.tick(1)
    said = [(an.CLINIC, "session.cancelled"), (an.CLINIC, "session.held")]
    assert said_of(world) == sorted(said * PARTITIONS)


def test_a_sight_that_was_said_in_part_is_completed(world: AlertsWorld) -> None:
    """A ticker that died while it spoke leaves no partition without the word."""
    world.tell(*cancellations(1))
    with world.db.read() as db:
        (one,) = sightings.unsaid(db, tables.shown(db))
    part = copies(seen_event(one, world.clock.now()), PARTITIONS)[:1]
    world.publisher.publish(part, 10)
    world.settle()
    world.tick()
    assert len(world.alerts()) == 1
    assert len(said_of(world)) == PARTITIONS + 1


def test_who_once_sent_nothing_is_armed_by_being_seen() -> None:
    """Only what a clinic has said all along it says anyway; bookings speak for themselves."""
    said = [an.a_clinic_configured(at=an.on(day), sends=sends) for day, sends in
            ((0, ["sessions"]), (5, ["sessions", "ratings"]))]  # fmt: skip
    facts = standing([*said, an.a_clinic_configured(at=an.on(6))]).facts
    asked = [(clinic, type) for clinic in (an.CLINIC, "oak") for type in WORDS]
    assert {one for one in asked if said_anyway(facts, *one)} == {
        (an.CLINIC, type)
        for type, word in WORDS.items()
        if word == "sessions" and type not in THEMSELVES
    }


def test_what_was_seen_arms_nothing_that_is_switched_off(world: AlertsWorld) -> None:
    """``enabled: false`` wins over what was seen, for the whole life."""
    world.tell(configured(0, enabled=False), *cancellations(1))
    world.tick()
    assert world.alerts() == []


def test_what_was_seen_elsewhere_arms_nothing_here(world: AlertsWorld) -> None:
    """What another clinic was seen to send says nothing of this one."""
    world.tell(*cancellations(1, client="cl_bert", clinic="oak"))
    world.tick()
    world.tell(*cancellations(1))
    assert {one["clinic"] for one in world.alerts()} == {"oak"}


def test_read_again_it_comes_to_the_same(world: AlertsWorld) -> None:
    """The stream read again arms the same, tells nobody anew, and says nothing twice."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    world.tick()
    before = (world.ledger(), world.shown())
    world.begun_again()
    world.settle()
    world.tick(1)
    assert (world.ledger(), world.shown()) == before
