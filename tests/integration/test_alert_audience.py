"""Who is told of what holds: never whom it concerns, and nobody of what is history."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.alerts.gauges import Gauges
from services.alerts.ledger import WEBHOOK
from services.alerts.summaries import waiting_history
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations, held, sample
from tests.support.receiver import Receiver

BOSS = "th_boss"


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path) as made:
        yield made


def statuses(world: AlertsWorld) -> list[str]:
    """Return what became of everything told to recipients."""
    return [status for _, status in world.told()]


# Who is told -------------------------------------------------------------------------------------
def test_the_person_concerned_is_never_told(world: AlertsWorld) -> None:
    """A therapist who is also a leader does not learn of the matter about them."""
    world.a_recipient("concerned", person=an.THERAPIST)
    other = world.a_recipient("other", person=BOSS)
    world.tell(an.a_boundary_noted())
    assert told_ids(world) == [other]


def test_the_alternate_then_governance_stands_in(world: AlertsWorld) -> None:
    """Where leaving out the person concerned leaves nobody, another is told instead."""
    governance = world.a_recipient("board", role="governance")
    world.a_recipient("concerned", person=an.THERAPIST)
    world.tell(an.a_boundary_noted("b1"))
    assert told_ids(world) == [governance]
    alternate = world.a_recipient("deputy", role="safeguarding", person=BOSS)
    world.a_recipient("concerned2", person=an.THERAPIST, alternate=alternate)
    world.tell(an.a_boundary_noted("b2", client="cl_bert"))
    assert told_ids(world) == sorted([governance, alternate])


def test_a_correction_of_the_name_opens_the_matter_to_nobody(world: AlertsWorld) -> None:
    """Whoever any version of a boundary event named is not told of it."""
    world.a_recipient("concerned", person=an.THERAPIST)
    noted = an.a_boundary_noted()
    world.tell(noted, an.a_correction(noted, concerns=BOSS))
    assert told_ids(world) == []


def test_nobody_left_is_undeliverable_and_counted(world: AlertsWorld) -> None:
    """It is kept and counted, so that the doctor can fail; nobody is told after all."""
    world.a_recipient("concerned", person=an.THERAPIST)
    world.tell(an.a_boundary_noted())
    Gauges(world.db).refresh()
    assert sample("rapport_alerts_undeliverable") == 1
    assert sample("rapport_alerts_without_recipient") == 0
    assert told_ids(world) == []


def test_no_metric_tells_of_a_matter(world: AlertsWorld) -> None:
    """Who may read them needs no key, and may be whom the matter concerns."""
    world.tell(an.a_boundary_noted(severity=4))
    assert len(world.alerts()) == 1
    Gauges(world.db).refresh()
    for name, by, of in (
        ("rapport_open_alerts", "urgency", "urgent"),
        ("rapport_open_alerts", "urgency", "attention"),
        ("rapport_alert_steps_total", "step", "opened"),
    ):
        assert REGISTRY.get_sample_value(name, {"family": "boundary", by: of}) is None


def test_no_recipient_at_all_is_counted(world: AlertsWorld) -> None:
    """An alert for which nobody is registered is counted apart."""
    world.tell(*cancellations(1))
    Gauges(world.db).refresh()
    assert sample("rapport_alerts_without_recipient") == 1
    assert sample("rapport_open_alerts", family="consistency", urgency="attention") == 1


def test_a_clinics_recipient_is_told_of_that_clinic_alone(world: AlertsWorld) -> None:
    """Bound to another clinic, a recipient hears nothing."""
    world.a_recipient("elsewhere", clinics=["oak"])
    here = world.a_recipient("here", clinics=[an.CLINIC])
    world.tell(*cancellations(1))
    assert told_ids(world) == [here]


# History -----------------------------------------------------------------------------------------
def test_history_is_not_news(world: AlertsWorld, receiver: Receiver) -> None:
    """What became true 15 days before it was recorded is shown, waits, and is told to nobody."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1, recorded_at=an.on(17)))
    world.deliver()
    assert receiver.messages == []
    assert world.the_alert()["historical"]
    assert waiting(world) == 1
    world.tell(*cancellations(1, first=3, client="cl_bert", recorded_at=an.on(16)))
    assert len(told_ids(world)) == 1


def test_a_missed_deadline_becomes_no_history_by_waiting(world: AlertsWorld) -> None:
    """Never against a tick: a ticker that was away for a month makes no history."""
    boss = world.a_recipient("boss")
    world.tell(held(1))
    world.tick(60)
    assert told_ids(world) == [boss]
    assert not world.the_alert("test-quiet")["historical"]


def test_boundary_matters_are_news_unless_backfilled(world: AlertsWorld) -> None:
    """Recorded a year late a boundary event is told; in a backfill it is history."""
    boss = world.a_recipient("boss")
    world.tell(an.a_boundary_noted("b1", recorded_at=an.on(300)))
    assert told_ids(world) == [boss]
    world.tell(an.a_boundary_noted("b2", client="cl_bert", recorded_at=an.on(301), backfill=True))
    assert told_ids(world) == [boss]
    assert waiting(world) == 1


def test_history_that_ends_waits_no_longer(world: AlertsWorld) -> None:
    """No summary will speak of what does not hold any more."""
    world.tell(*cancellations(1, recorded_at=an.on(17)))
    assert waiting(world) == 1
    world.tell(held(18))
    assert waiting(world) == 0


def waiting(world: AlertsWorld) -> int:
    """Return how many alerts wait in the ledger as history."""
    with world.db.read() as db:
        return waiting_history(db, world.organisation)


def told_ids(world: AlertsWorld) -> list[str]:
    """Return the recipients who are told something."""
    return sorted(
        recipient
        for _, channel, recipient, _ in world.ledger()
        if channel == WEBHOOK and recipient
    )
