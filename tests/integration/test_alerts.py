"""The alerts service from the stream to the inbox, on both databases."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.alerts.rules.facet_drop import FacetDrop
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alerting import AlertsWorld, cancellations, held, types
from tests.support.databases import DIALECTS, migrated, sqlite_url, url_of
from tests.support.receiver import a_receiver


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world in which nothing has happened."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        yield made
        made.close()


def test_a_fact_becomes_an_alert_with_its_reasons(world: AlertsWorld) -> None:
    """One cancelled session at an armed clinic is one open alert that explains itself."""
    world.arm()
    fact = cancellations(1)[0]
    world.tell(fact)
    alert = world.the_alert()
    assert alert["state"] == "open"
    assert alert["urgency"] == "attention"
    assert alert["client"] == an.CLIENT
    assert [item["event"] for item in alert["evidence"]] == [world.placed(fact).id]
    assert alert["explanation"]
    assert alert["next_steps"]
    assert [entry["step"] for entry in alert["history"]] == ["opened"]
    whole: Any = world.get(f"/v1/alerts/{alert['id']}").json
    beside = {"deliveries": whole["deliveries"], "not_acknowledged_by": []}
    assert whole == {**alert, "notes": [], **beside}


def test_it_escalates_resolves_and_each_step_is_published_once(world: AlertsWorld) -> None:
    """Opened, escalated, resolved: three steps on the topic of alerts, under one alert id."""
    world.arm()
    for fact in [*cancellations(3), held(5)]:
        world.tell(fact)
        world.deliver()
    steps = world.published()
    assert types(steps) == [
        "alert.opened",
        "alert.revised",
        "alert.escalated",
        "alert.resolved",
    ] or types(steps) == ["alert.opened", "alert.escalated", "alert.resolved"]
    assert len({step.event.data["id"] for step in steps}) == 1
    assert len({step.id for step in steps}) == len(steps)
    assert world.the_alert()["state"] == "resolved"


def test_replaying_the_stream_takes_no_new_step(world: AlertsWorld) -> None:
    """Read again from the start, in other batches, the same stream adds nothing to the ledger."""
    world.a_recipient("boss")
    world.arm()
    for fact in a_year(random.Random(7)):
        world.tell(fact)
    world.live(15)
    world.deliver()
    before, shown, episodes = world.ledger(), world.alerts("?limit=200"), world.episodes()
    published = len(world.published())
    assert world.told()
    for batch_limit in (1, 7, 1_000):
        world.begun_again(batch_limit=batch_limit)
        world.settle()
        assert world.ledger() == before
        assert world.episodes() == episodes
        assert world.alerts("?limit=200") == shown
    world.deliver()
    assert len(world.published()) == published


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_changes_no_episode(world: AlertsWorld, seed: int) -> None:
    """Shuffled and doubled, the same facts give the same episodes."""
    facts = a_year(random.Random(1))
    world.arm()
    world.tell(*facts)
    world.tick(400)
    expected = world.episodes()
    assert expected
    # The same facts again, as those of another client: nothing else differs.
    rng = random.Random(seed)
    shuffled = [one for one in facts for _ in range(rng.choice([1, 2]))]
    rng.shuffle(shuffled)
    other = [as_client("cl_bert", one) for one in shuffled]
    for start in range(0, len(other), 5):
        world.tell(*other[start : start + 5])
    world.tick(1)
    assert spans(world, "cl_bert") == spans(world, an.CLIENT)


def test_a_ticker_that_was_away_changes_nothing(tmp_path: Path) -> None:
    """After three days without a tick: the same alert as with a tick every six hours."""
    found = []
    for name in ("away", "there"):
        folder = tmp_path / name
        folder.mkdir()
        with migrated(sqlite_url(folder)) as db:
            world = AlertsWorld(db, folder, organisation="org_same")
            world.arm()
            world.tell(held(1, organisation="org_same"))
            world.live(11.5)
            assert [one["rule"] for one in world.shown()] == []
            world.tick(3) if name == "away" else world.live(3)
            found += [without_steps(one) for one in world.shown()]
            world.close()
    assert found[0] == found[1]
    assert found[0]["effective_at"] == "2026-01-16T10:50:00Z"
    assert found[0]["known_at"] == "2026-01-18T10:50:00Z"
    assert not found[0]["historical"]


def test_organisations_never_meet(world: AlertsWorld) -> None:
    """The same client id in two organisations: two alerts, each seen by its own alone."""
    other = world.office.an_organisation("South")
    world.arm()
    world.tell(an.a_clinic_configured(sends=["sessions"], organisation=other))
    world.tell(*cancellations(1), *cancellations(1, organisation=other))
    mine = world.alerts()
    theirs = world.alerts(key=world.a_key(organisation=other))
    assert len(mine) == len(theirs) == 1
    assert mine[0]["id"] != theirs[0]["id"]
    response = world.get(f"/v1/alerts/{theirs[0]['id']}")
    assert response.status_code == 404


def test_a_correction_retracts_with_one_notice(world: AlertsWorld) -> None:
    """A voided alert is retracted once, to whoever was told; a second judgement adds nothing."""
    with a_receiver() as receiver:
        world.a_recipient("boss", receiver.url)
        world.arm()
        fact = cancellations(1)[0]
        world.tell(fact)
        world.deliver()
        world.tell(an.a_retraction(fact))
        world.deliver()
        assert world.the_alert()["state"] == "retracted"
        world.tell(held(9))
        world.deliver()
        sent = [message.body["type"] for message in receiver.messages]
        assert sent == ["rapport.alert.opened", "rapport.alert.retracted"]


def test_what_was_not_sent_yet_needs_no_correction(world: AlertsWorld) -> None:
    """Voided before anybody tried to tell it: nobody is told anything."""
    with a_receiver() as receiver:
        world.a_recipient("boss", receiver.url)
        world.arm()
        fact = cancellations(1)[0]
        world.tell(fact)
        world.tell(an.a_retraction(fact))
        world.deliver()
        assert receiver.messages == []
        assert world.told() == [("opened", "cancelled")]


def test_what_was_never_told_vanishes(world: AlertsWorld) -> None:
    """Without a recipient nobody knew of it: a voided alert leaves the inbox without a trace."""
    world.arm()
    fact = cancellations(1)[0]
    world.tell(fact)
    world.tell(an.a_retraction(fact))
    assert world.alerts() == []
    world.deliver()
    opened, retracted = world.published()
    assert types([opened, retracted]) == ["alert.opened", "alert.retracted"]
    assert ("untold" in opened.event.data, retracted.event.data["untold"]) == (False, True)


def test_late_facts_revise_the_alert_that_was_told(world: AlertsWorld) -> None:
    """An earlier fact moves the episode; the alert keeps its id, and nobody is told again."""
    world.a_recipient("boss")
    world.arm()
    world.tell(*cancellations(1, first=5))
    told = world.the_alert()
    world.tell(*cancellations(1, first=4, recorded_at=an.on(6)))
    revised = world.the_alert()
    assert revised["id"] == told["id"]
    assert revised["effective_at"] < told["effective_at"]
    assert [step for step, _ in world.told()] == ["opened"]


def a_year(rng: random.Random) -> list[Envelope]:
    """Return sessions of a client, with a boundary event, corrections and retractions."""
    facts: list[Envelope] = []
    for week in range(30):
        day = week * 7 + rng.choice([0, 1])
        fate = rng.choice(["held", "held", "therapist", "client", "none"])
        if fate == "held":
            facts.append(held(day))
        elif fate != "none":
            facts.append(an.a_session_cancelled(f"s{day}", at=an.on(day), by=fate))
    facts += [an.a_retraction(one) for one in rng.sample(facts, 2)]
    facts.append(an.a_boundary_noted(at=an.on(50)))
    return sorted(facts, key=lambda one: one.recorded_at)


def as_client(client: str, envelope: Envelope) -> Envelope:
    """Return the same fact about another client."""
    return replace(envelope, event=replace(envelope.event, subject=client))


def spans(world: AlertsWorld, client: str) -> list[dict[str, object]]:
    """Return the episodes of a client without what names the client."""
    naming = ("client", "episode")
    return [
        {name: value for name, value in row.items() if name not in naming}
        for row in world.episodes(client)
    ]


def without_steps(alert: dict[str, object]) -> dict[str, object]:
    """Return an alert without when its steps were decided."""
    return {name: value for name, value in alert.items() if name != "history"}


def test_an_alert_by_our_own_questionnaire_says_so(tmp_path: Path) -> None:
    """Whoever is told of a fall reads by what it was found, where nobody has validated that."""
    srs = ("relationship", "goals_and_topics", "approach_or_method", "overall")
    with migrated(sqlite_url(tmp_path)) as db:
        world = AlertsWorld(db, tmp_path, rules=(FacetDrop(),))
        world.arm("ratings")
        for day, each in ((1, 9), (8, 9), (15, 9), (22, 2)):
            ours: dict[str, Any] = {"instrument": "pulse", "items": dict.fromkeys("1234", each)}
            world.tell(
                an.a_rating(None, at=an.on(day), client="cl_pulse", **ours),
                an.a_rating(None, at=an.on(day), client="cl_srs", scales=dict.fromkeys(srs, each)),
            )
        found = {one["client"]: one["explanation"] for one in world.alerts()}
        world.close()
    assert found["cl_pulse"].endswith(" (by pulse: Rapport's own, not validated).")
    assert "validated" not in found["cl_srs"]
