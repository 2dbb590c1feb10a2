"""A rebuild of the alerts beside what serves, while a client of it is parked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alerts import tables
from services.alerts.watcher import Watcher
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alert_rules import Cancelled, LaterCancelled
from tests.support.alerting import RULES, AlertsWorld, cancellations, held
from tests.support.poison import Fragile, FragileRule, retry, states
from tests.support.rejudged import STEPS_LIMIT, rebuilding, rebuilt

ANNA, BEN = an.CLIENT, "cl_ben"


@pytest.fixture
def fragile() -> Fragile:
    """Return a release that can judge everybody so far."""
    return Fragile()


@pytest.fixture
def world(db: Database, tmp_path: Path, fragile: Fragile) -> Iterator[AlertsWorld]:
    """Yield a world in which a rule has a mistake, and in which somebody is told."""
    made = AlertsWorld(db, tmp_path, rules=(*RULES, FragileRule(fragile)))
    made.a_recipient("boss")
    made.arm()
    yield made
    made.close()


def retried(world: AlertsWorld) -> None:
    """Try again what waits for the generation that serves, as the command does."""
    with world.db.read() as db:
        serving = tables.number_to_judge(db, world.rules)
    recipients = world.office.accounts.recipients
    (done,) = retry(world.db, Watcher(world.rules, recipients, serving), world.clock)
    assert done.left == 0


def test_no_silence_of_a_parked_client_is_settled(world: AlertsWorld, fragile: Fragile) -> None:
    """Its deadlines are suspended in the next generation too; tried again, they are told."""
    world.tell(held(1), held(1, client=BEN))
    fragile.clients.add(ANNA)
    world.tell(an.a_session_missed("m", at=an.on(2)))
    world.tick(days=30)
    fragile.clients.clear()
    told = world.ledger()
    outcome = rebuilt(world, world.rules)
    assert (outcome.switched, outcome.differences, outcome.settled) == (True, [], 0)
    world.tick(days=1)
    assert (world.ledger(), {one["client"] for one in world.shown()}) == (told, {BEN})
    retried(world)
    assert {one["client"] for one in world.shown()} == {ANNA, BEN}
    assert len(world.ledger()) > len(told)
    assert {status for *_, status in world.ledger()} == {"pending"}


def test_who_cannot_be_judged_still_stops_no_rebuild(world: AlertsWorld, fragile: Fragile) -> None:
    """A client parked with a fact of many stays so; its open alerts are shown as they were."""
    world.tell(*cancellations(2), *cancellations(1, client=BEN))
    fragile.clients.add(ANNA)
    world.tell(an.a_clinic_configured(sends=["sessions", "ratings"], sender="rapport"))
    assert states(world.db) == [(ANNA, "parked")]
    shown, told = world.shown(), world.ledger()
    outcome = rebuilt(world, world.rules)
    assert (outcome.switched, outcome.differences, outcome.settled) == (True, [], 0)
    world.settle()
    assert (world.shown(), world.ledger()) == (shown, told)
    fragile.clients.clear()
    retried(world)
    assert world.shown() == shown


class Another(Cancelled):
    """A rule that the release before did not have."""

    name = "test-another"


def test_what_new_rules_guessed_of_a_parked_client_is_not_shown(
    world: AlertsWorld, fragile: Fragile
) -> None:
    """Parked while it is built, it is shown after the switch as people were told, till retried."""
    world.tell(*cancellations(1, first=2))
    before = world.shown()
    rules = (LaterCancelled(), *world.rules[1:], Another())
    with rebuilding(world, rules) as made:
        for _ in range(STEPS_LIMIT):
            if not made.step(world.clock.now()):
                break
        fragile.clients.add(ANNA)
        world.tell(held(5))
        while made.step(world.clock.now()):
            pass
        assert made.finish(world.clock.now(), "anything").settled == 0
    fragile.clients.clear()
    assert world.shown() == before
    world.rules = rules
    retried(world)
    after = {one["rule"]: one["state"] for one in world.shown()}
    assert (after["test-cancelled"], after["test-another"]) == ("retracted", "resolved")
