"""The calls about alerts: who sees what, and what people do about it."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.events import validate
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations, held, types
from tests.support.databases import migrated, sqlite_url

PERSON = "th_lead"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with migrated(sqlite_url(tmp_path)) as db, armed(db, tmp_path) as made:
        yield made


def acting(world: AlertsWorld, alert: Any, do: str, body: Any = None, **headers: str) -> Any:
    """Act on an alert as it is, with a key of one person; handle the event."""
    path = f"/v1/alerts/{alert['id']}"
    key = world.a_key("read", "act", person=PERSON)
    tag = world.get(path, key).headers["ETag"]
    sent = key | {"If-Match": tag} | headers
    response = world.post(f"{path}/{do}", body or {}, sent)
    world.clock.advance(timedelta(minutes=1))
    world.settle()
    return response


def test_every_published_step_is_valid(world: AlertsWorld) -> None:
    """What goes onto the topic of alerts is what its schemas say."""
    noted = an.a_boundary_noted()
    world.office.a_source(world.organisation)
    for fact in (*cancellations(3), held(5), noted, an.a_retraction(noted)):
        world.tell(fact)
    world.tick(60)
    world.deliver()
    steps = world.published()
    assert len(steps) >= 4
    for step in steps:
        assert validate(step.event.type, step.event.data) == []


def test_acknowledging_is_per_person(world: AlertsWorld) -> None:
    """It is noted who has seen it; it stays open for everybody."""
    world.tell(*cancellations(1))
    response = acting(world, world.the_alert(), "acknowledge")
    assert response.status_code == 202
    assert response.json["acknowledged_by"] == [PERSON]
    alert = world.the_alert()
    assert alert["acknowledged_by"] == [PERSON]
    assert alert["state"] == "open"
    assert [entry["step"] for entry in alert["history"]] == ["opened", "acknowledged", "revised"]


def test_a_snooze_hides_until_its_day_is_over(world: AlertsWorld) -> None:
    """Snoozed through a day in the clinic's zone, then open again by itself."""
    world.tell(*cancellations(1))
    response = acting(world, world.the_alert(), "snooze", {"until": "2026-01-08"})
    assert response.status_code == 202, response.text
    assert (response.json["state"], world.the_alert()["state"]) == ("snoozed", "snoozed")
    assert world.alerts("?state=open") == []
    world.tick(2)
    assert world.the_alert()["state"] == "snoozed"
    world.tick(1)
    assert world.the_alert()["state"] == "open"


def test_an_escalation_ends_a_snooze_and_a_resolve(world: AlertsWorld) -> None:
    """What people did counts until it gets worse."""
    world.a_recipient("boss")
    for client, do, body in (
        ("cl_1", "snooze", {"until": "2026-01-20"}),
        ("cl_2", "resolve", {"reason": "handled"}),
    ):
        world.tell(*cancellations(1, client=client))
        (alert,) = [one for one in world.alerts() if one["client"] == client]
        assert acting(world, alert, do, body).status_code == 202
    assert {one["state"] for one in world.alerts()} == {"snoozed", "resolved"}
    world.tell(*cancellations(2, first=2, client="cl_1"))
    world.tell(*cancellations(2, first=2, client="cl_2"))
    assert {(one["state"], one["urgency"]) for one in world.alerts()} == {("open", "urgent")}
    assert sorted(step for step, _ in world.told()) == ["escalated"] * 2 + ["opened"] * 2


def test_a_resolve_closes_and_is_published(world: AlertsWorld) -> None:
    """A person's resolve is a step like any other; nobody is told of it."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    acting(world, world.the_alert(), "resolve", {"reason": "not_relevant"})
    world.deliver()
    assert types(world.published()) == ["alert.opened", "alert.resolved"]
    assert [step for step, _ in world.told()] == ["opened"]
    assert acting(world, world.the_alert(), "resolve", {"reason": "other"}).status_code == 409


def test_a_comment_is_a_code(world: AlertsWorld) -> None:
    """No text is taken."""
    world.tell(*cancellations(1))
    alert = world.the_alert()
    assert acting(world, alert, "comment", {"code": "supervision"}).status_code == 202
    assert world.the_alert()["history"][1]["code"] == "supervision"
    refused = acting(world, alert, "comment", {"code": "called her mother"})
    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == "/code"


def test_acting_needs_the_right_and_the_state_that_was_seen(world: AlertsWorld) -> None:
    """403 without the right, 428 without If-Match, 412 when the alert has changed."""
    world.tell(*cancellations(1))
    alert = world.the_alert()
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    assert world.post(path, {}, world.a_key("read")).status_code == 403
    assert world.post(path, {}, world.a_key("act")).status_code == 428
    stale = world.a_key("act") | {"If-Match": '"stale"'}
    assert world.post(path, {}, stale).status_code == 412
    assert world.post("/v1/alerts/none/acknowledge", {}, stale).status_code == 404
    assert world.post(path, {}, {}).status_code == 401


def test_a_snooze_must_end_in_the_future(world: AlertsWorld) -> None:
    """A day that is over is refused with its place."""
    world.tell(*cancellations(1))
    response = acting(world, world.the_alert(), "snooze", {"until": "2025-12-31"})
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == "/until"


def test_a_snooze_may_end_today_west_of_utc(world: AlertsWorld) -> None:
    """Where the clinic's day is a day behind UTC, its today is not over."""
    world.tell(*cancellations(1))
    there = (world.clock.now() - timedelta(days=1)).date().isoformat()
    assert acting(world, world.the_alert(), "snooze", {"until": there}).status_code == 202


def test_done_twice_it_is_one_action(world: AlertsWorld) -> None:
    """A repeat after a time-out has no second effect."""
    world.tell(*cancellations(1))
    path = f"/v1/alerts/{world.the_alert()['id']}"
    key = world.a_key("read", "act", person=PERSON)
    sent = key | {"If-Match": world.get(path, key).headers["ETag"]}
    for _ in range(2):
        assert world.post(f"{path}/comment", {"code": "waiting"}, sent).status_code == 202
    world.settle()
    steps = [entry["step"] for entry in world.the_alert()["history"]]
    assert steps.count("commented") == 1


def test_the_person_concerned_reads_nothing_of_it(world: AlertsWorld) -> None:
    """Not in the list, not by its id, not by acting: for them it does not exist."""
    world.tell(an.a_boundary_noted())
    (alert,) = world.alerts()
    assert alert["concerns_hidden"]
    theirs = world.a_key("read", "act", person=an.THERAPIST)
    assert world.alerts(key=theirs) == []
    path = f"/v1/alerts/{alert['id']}"
    assert world.get(path, theirs).status_code == 404
    denied = world.post(f"{path}/acknowledge", {}, theirs | {"If-Match": "*"})
    assert denied.status_code == 404
    assert len(world.alerts(key=world.a_key(person=PERSON))) == 1


def test_an_unplaced_matter_is_hidden_from_every_person(world: AlertsWorld) -> None:
    """An assessment whose note never came may concern anybody."""
    world.tell(an.a_boundary_assessed(severity=4))
    assert world.alerts(key=world.a_key(person=PERSON)) == []
    assert len(world.alerts()) == 1


def test_a_key_of_one_clinic_sees_that_clinic(world: AlertsWorld) -> None:
    """Another clinic's alerts are not there."""
    world.arm("sessions", clinic="oak")
    world.tell(*cancellations(1), *cancellations(1, client="cl_2", clinic="oak"))
    key = world.a_key(clinics=["oak"])
    (mine,) = world.alerts(key=key)
    assert mine["clinic"] == "oak"
    (other,) = world.alerts(f"?clinic={an.CLINIC}")
    assert world.get(f"/v1/alerts/{other['id']}", key).status_code == 404


def test_pages_hold_every_alert_once(world: AlertsWorld) -> None:
    """Cursors walk the inbox from the latest to the oldest."""
    for day in range(7):
        world.tell(*cancellations(1, first=day, client=f"cl_{day}"))
    walked: list[str] = []
    query = "?limit=3"
    while query:
        page: Any = world.get(f"/v1/alerts{query}").json
        walked += [one["client"] for one in page["alerts"]]
        query = f"?limit=3&cursor={page['next']}" if page["next"] else ""
    assert walked == [f"cl_{day}" for day in range(6, -1, -1)]
    for made_up in (b"x", b'[true,"x"]', b'[1,"a\\u0000b"]', b"[1]"):
        cursor = base64.urlsafe_b64encode(made_up).decode().rstrip("=")
        assert world.get(f"/v1/alerts?cursor={cursor}").status_code == 422


def test_an_unchanged_alert_is_not_sent_again(world: AlertsWorld) -> None:
    """If-None-Match with the ETag is 304."""
    world.tell(*cancellations(1))
    path = f"/v1/alerts/{world.the_alert()['id']}"
    key = world.a_key()
    tag = world.get(path, key).headers["ETag"]
    assert world.get(path, key | {"If-None-Match": tag}).status_code == 304


def test_rules_explain_themselves(world: AlertsWorld) -> None:
    """Every rule is listed with its settings and whom it tells."""
    rules: Any = world.get("/v1/rules").json
    assert [rule["name"] for rule in rules] == [rule.name for rule in world.rules]
    assert rules[0]["settings"] == {"attention": 1, "urgent": 3}
    assert rules[0]["about"]


def test_a_feeds_alert_can_be_acted_on(world: AlertsWorld) -> None:
    """It is nobody's client; what is done about it is noted all the same."""
    source = world.office.a_source(world.organisation)
    world.tell(held(1, sender=source))
    world.live(6)
    assert acting(world, world.the_alert("source-silent"), "acknowledge").status_code == 202
    assert world.the_alert("source-silent")["acknowledged_by"] == [PERSON]
