"""Alerts about a therapist's whole caseload: facts in at the stream, one alert out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts import inbox
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.caseload import Caseload
from services.alerts.inbox import Viewer
from services.alerts.rule import Verdict
from services.alerts.rules import CASELOAD_RULES, FEED_RULES
from services.alerts.rules.caseload_interrupted import CaseloadInterrupted
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.storage.engine import Database
from shared.stream import parking
from tests.support import alert_rules
from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.events import THERAPIST, on
from tests.support.poison import retry
from tests.support.rejudged import rebuilt

CLIENTS = [f"cl_{name}" for name in ("ada", "bea", "cleo", "dora", "ella", "fay", "gwen", "hal")]
RULES = (*CASELOAD_RULES, *FEED_RULES)


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Return a world in which caseloads are judged, and leadership is told."""
    made = AlertsWorld(db, tmp_path, rules=RULES)
    made.a_recipient("lead")
    made.arm("sessions")
    yield made
    made.close()


def cancelled(client: str, day: float) -> Envelope:
    """Return a session that the clinic cancelled."""
    return an.a_session_cancelled("c", at=on(day), by="clinic", client=client)


def clients_seen(world: AlertsWorld) -> None:
    """Let everybody be seen once."""
    world.tell(*(an.a_session_held("h", on(1), client=one) for one in CLIENTS))


def test_one_alert_and_one_correction(world: AlertsWorld) -> None:
    """At the second of eight clients leadership is told once; a correction takes it back once."""
    clients_seen(world)
    world.tell(cancelled(CLIENTS[0], 3))
    assert world.alerts() == []
    last = cancelled(CLIENTS[1], 5)
    world.tell(last)
    (alert,) = world.alerts()
    assert (alert["rule"], alert["state"]) == ("caseload-interrupted", "open")
    assert (alert["client"], alert["therapist"]) == (THERAPIST, THERAPIST)
    assert alert["clinic"] == an.CLINIC
    assert len(alert["evidence"]) == 2
    assert world.told() == [("opened", "pending")]
    world.deliver()
    correction = an.an_event(
        "record.corrected",
        on(6),
        {
            "clinic": an.CLINIC,
            "target": {"id": last.event.id, "type": "session.cancelled"},
            "data": {**last.event.data, "cancelled_by": "client"},
        },
        client=CLIENTS[1],
    )
    world.tell(correction)
    assert world.the_alert("caseload-interrupted")["state"] == "retracted"
    assert sorted(step for step, _ in world.told()) == ["opened", "retracted"]


def test_the_clock_clears_it(world: AlertsWorld) -> None:
    """It is resolved when the four weeks have passed, by ticks alone."""
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    assert world.the_alert("caseload-interrupted")["state"] == "open"
    world.tick(27)
    assert world.the_alert("caseload-interrupted")["state"] == "open"
    world.tick(3)
    assert world.the_alert("caseload-interrupted")["state"] == "resolved"


@pytest.mark.parametrize("batch_limit", [1, 2, 1_000])
def test_reading_again_tells_nothing(world: AlertsWorld, batch_limit: int) -> None:
    """Reading the stream again, in batches of any size, takes not one step more.

    A caseload is judged only where every partition is as far as it ever was: before that, half
    of its clients are missing.
    """
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    world.tick(1)
    before, shown = world.ledger(), world.shown()
    assert len(shown) == 1
    world.begun_again(batch_limit=batch_limit)
    world.settle()
    world.tick(1)
    assert world.ledger() == before
    assert world.shown() == shown


def test_a_rebuild_finds_the_same(world: AlertsWorld) -> None:
    """Rebuilt by the same rules, every caseload is what it was, and nothing is told."""
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    before, shown = world.ledger(), world.shown()
    outcome = rebuilt(world, RULES)
    assert outcome.differences == []
    assert outcome.switched
    assert world.ledger() == before
    assert world.shown() == shown
    world.tell(cancelled(CLIENTS[2], 4))
    assert [step for step, _ in world.told()] == ["opened"]


def test_new_rules_are_settled_in_silence(db: Database, tmp_path: Path) -> None:
    """Rules about caseloads that come with a release tell nobody of what they find already."""
    world = AlertsWorld(db, tmp_path, rules=FEED_RULES)
    world.a_recipient("lead")
    world.arm("sessions")
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    assert world.shown() == []
    outcome = rebuilt(world, RULES, "anything")
    assert outcome.settled == 1
    assert [one["rule"] for one in world.shown()] == ["caseload-interrupted"]
    assert world.told() == []
    world.close()


def test_what_people_do_about_it(world: AlertsWorld) -> None:
    """It can be acknowledged as any other, and stands open for everybody else."""
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    alert = world.the_alert("caseload-interrupted")
    key = world.a_key("read", "act", person="lead-person")
    tag = world.get(f"/v1/alerts/{alert['id']}", key).headers["ETag"]
    done = world.post(f"/v1/alerts/{alert['id']}/acknowledge", {}, {**key, "If-Match": tag})
    assert done.status_code == 202, done.text
    world.settle()
    after = world.the_alert("caseload-interrupted")
    assert after["state"] == "open"
    assert len(after["acknowledged_by"]) == 1


def test_switched_off(world: AlertsWorld) -> None:
    """An organisation may switch it off; then nothing new is told."""
    world.tell(an.an_event("rule.configured", on(0), {"rule": "caseload-interrupted",
               "enabled": False}, client=None, sender="rapport"))  # fmt: skip
    clients_seen(world)
    world.tell(*(cancelled(one, 3) for one in CLIENTS[:2]))
    assert world.shown() == []


def test_a_caseload_that_becomes_empty(world: AlertsWorld) -> None:
    """When every fact about a therapist is taken back, so is the alert; nothing stops."""
    seen = [an.a_session_held("h", on(1), client=one) for one in CLIENTS]
    gone = [cancelled(one, 3) for one in CLIENTS[:2]]
    world.tell(*seen, *gone)
    assert world.the_alert("caseload-interrupted")["state"] == "open"
    for fact in (*gone, *seen):
        target = {"id": fact.event.id, "type": fact.event.type}
        data = {"clinic": an.CLINIC, "target": target, "reason": "entered_in_error"}
        world.tell(an.an_event("record.retracted", on(6), data, client=fact.client))
    assert world.the_alert("caseload-interrupted")["state"] == "retracted"
    with world.db.read() as reading:
        assert parking.counts(reading, "alerts.v1") == (0, 0)


class Fragile(CaseloadInterrupted):
    """A rule with a mistake, until it is mended."""

    broken = False

    def judge_caseload(
        self, caseload: Caseload, settings: Mapping[str, Any], until: datetime
    ) -> Verdict:
        """Fail, or judge."""
        if self.broken:
            raise RuntimeError("a mistake")
        return super().judge_caseload(caseload, settings, until)


def test_a_caseload_that_cannot_be_judged(db: Database, tmp_path: Path) -> None:
    """It alone waits; its clients are judged as ever, and tried again it is told once."""
    fragile = Fragile()
    world = AlertsWorld(db, tmp_path, rules=(*RULES[1:], fragile, *alert_rules.RULES))
    world.a_recipient("lead")
    world.arm("sessions", "boundary")
    clients_seen(world)
    fragile.broken = True
    world.tell(cancelled(CLIENTS[0], 3), cancelled(CLIENTS[1], 3))
    with world.db.read() as reading:
        assert parking.counts(reading, "alerts.v1")[0] == 1
    assert world.alerts() == []
    again = an.a_session_cancelled("d", at=on(4), by="therapist", client=CLIENTS[0])
    world.tell(again)
    assert {one["rule"] for one in world.alerts()} == {"test-cancelled"}
    fragile.broken = False
    (done,) = retry(world.db, Watcher(world.rules, world.office.accounts.recipients), world.clock)
    assert done.left == 0
    assert world.the_alert("caseload-interrupted")["state"] == "open"
    world.tick(0.1)
    assert len([one for one in world.alerts() if one["rule"] == "caseload-interrupted"]) == 1
    world.close()


def test_supervision(world: AlertsWorld) -> None:
    """It falls due by ticks alone, supervision resolves it, and only where it is armed."""
    clients_seen(world)
    world.tick(40)
    assert world.alerts() == []
    sends = ["sessions", "supervision"]
    world.tell(an.a_clinic_configured(an.CLINIC, at=on(40), sends=sends, sender="rapport"))
    world.tick(0.1)
    assert world.the_alert("supervision-overdue")["state"] == "open"
    data = {"clinic": an.CLINIC, "therapist": THERAPIST, "topics": ["risk"]}
    world.tell(an.an_event("supervision.held", on(42), data, client=None))
    assert world.the_alert("supervision-overdue")["state"] == "resolved"


def test_a_silent_source_suspends_what_is_overdue(world: AlertsWorld) -> None:
    """While nothing can come from its source, supervision falls due for nobody."""
    sends = ["sessions", "supervision"]
    world.tell(an.a_clinic_configured(an.CLINIC, at=on(1), sends=sends, sender="rapport"))
    clients_seen(world)
    said = {"source": an.SENDER, "clinics": [an.CLINIC]}
    world.tell(an.an_event("feed.silent", on(10), said, client=None, sender="rapport"))
    world.tick(40)
    assert [one["rule"] for one in world.alerts()] == ["source-silent"]
    world.tell(an.an_event("feed.resumed", on(51), said, client=None, sender="rapport"))
    assert "supervision-overdue" not in {one["rule"] for one in world.alerts()}
    world.tick(4)
    assert world.the_alert("supervision-overdue")["state"] == "open"


def test_a_pattern_is_told_to_governance_alone(world: AlertsWorld) -> None:
    """Governance is told; leadership is not, and whom it is about never reads it."""
    sends = ["sessions", "boundary"]
    world.tell(an.a_clinic_configured(an.CLINIC, at=on(1), sends=sends, sender="rapport"))
    governor = world.a_recipient("governor", role="governance")
    for client in CLIENTS[:2]:
        data = {"clinic": an.CLINIC, "therapist": THERAPIST, "boundary_event": "be",
                "area": "gifts", "about": "therapist", "concerns": THERAPIST,
                "reported_by": "client", "severity": 2}  # fmt: skip
        world.tell(an.an_event("boundary.noted", on(2), data, client=client))
    alert = world.the_alert("boundary-pattern-therapist")
    assert alert["concerns_hidden"]
    told = {one for _, channel, one, _ in world.ledger() if channel == "webhook"}
    assert told == {governor}
    viewer = Viewer(world.organisation, person=THERAPIST)
    with world.db.read() as reading:
        assert inbox.page(reading, viewer, {}, limit=9).alerts == []
        assert inbox.one(reading, viewer, alert["id"]) is None


def test_two_organisations(world: AlertsWorld) -> None:
    """A therapist's id that two organisations share makes no caseload of both."""
    clients_seen(world)
    world.tell(cancelled(CLIENTS[0], 3))
    other = replace(cancelled(CLIENTS[1], 4), organisation="org_other")
    world.tell(other)
    assert world.shown() == []


def test_it_is_among_the_rules() -> None:
    """Whatever lists rules lists these."""
    assert {rule.name for rule in CASELOAD_RULES} <= {rule.name for rule in EVERY_RULE}
