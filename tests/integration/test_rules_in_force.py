"""What is in force of each rule, over HTTP and at the terminal: by whose word, and for whom."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.alerts.orders import DELIVERY_DEFAULTS
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed
from tests.support.databases import migrated, sqlite_url

HERE, THERE, RULE = an.CLINIC, "oak", "test-cancelled"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world in which one clinic says what it sends."""
    with migrated(sqlite_url(tmp_path)) as db, armed(db, tmp_path) as made:
        yield made


def say(world: AlertsWorld, day: float, clinic: str | None = None, **said: Any) -> Envelope:
    """Configure the rule; return the event."""
    data = {"rule": RULE, "clinic": clinic, **said}
    event = an.an_event("rule.configured", an.on(day), data, client=None, sender="rapport")
    told = world.placed(replace(event, recorded_at=an.on(day)))
    world.tell(told)
    return told


def in_force(world: AlertsWorld, query: str = "", **key: Any) -> Any:
    """Return what is in force of the rule, as a key reads it."""
    response = world.get(f"/v1/rules/in-force?rule={RULE}{query}", world.a_key(**key))
    assert response.status_code == 200, response.text
    (rule,) = response.json["rules"]  # type: ignore[index]
    return rule


def judged(rule: Any) -> tuple[str, str, str | None]:
    """Return how it is judged, why, and by which event."""
    return rule["mode"], rule["because"], rule["event"]


def test_own_words_come_before_everybody_s_and_the_default(world: AlertsWorld) -> None:
    """Each setting says its value, its default, for whom it was set, since when, by what."""
    general = say(world, 1, settings={"attention": 2, "urgent": 5})
    own = say(world, 2, HERE, settings={"attention": 4})
    say(world, 3, HERE, settings={"attention": 4}, enabled=True)
    settings = in_force(world, f"&clinic={HERE}")["settings"]
    assert settings["attention"] == {
        "value": 4, "default": 1, "set_for": "clinic",
        "since": "2026-01-07T10:00:00Z", "event": own.id,
    }  # fmt: skip
    assert (settings["urgent"]["value"], settings["urgent"]["event"]) == (5, general.id)
    there = in_force(world, f"&clinic={THERE}")["settings"]["attention"]
    assert (there["value"], there["set_for"]) == (2, "organisation")
    assert in_force(world)["settings"]["attention"] == there
    south = world.office.an_organisation("South")
    bare = in_force(world, f"&clinic={HERE}", organisation=south)["settings"]["attention"]
    assert bare == {"value": 1, "default": 1, "set_for": None, "since": None, "event": None}


def test_it_says_why_a_rule_is_judged(world: AlertsWorld) -> None:
    """By what the clinic sends, by what was seen, by a word; and where it is not, why not."""
    at = {clinic: f"&clinic={clinic}" for clinic in (HERE, THERE, "ash")}
    assert judged(in_force(world, at[HERE]))[:2] == ("on", "sends")
    assert judged(in_force(world, at[THERE])) == ("unarmed", "nothing_sent", None)
    seen = an.an_event("feed.seen", an.on(1), {"clinic": THERE, "type": "session.held"},
                       client=None, sender="rapport")  # fmt: skip
    seen = world.placed(replace(seen, recorded_at=an.on(1)))
    world.tell(seen)
    assert judged(in_force(world, at[THERE])) == ("on", "seen", seen.id)
    shadow = say(world, 2, THERE, shadow=True)
    assert judged(in_force(world, at[THERE])) == ("shadow", "shadow", shadow.id)
    on = say(world, 3, "ash", enabled=True)
    assert judged(in_force(world, at["ash"])) == ("on", "enabled", on.id)
    off = say(world, 4, enabled=False)
    assert judged(in_force(world, at[HERE])) == ("off", "disabled", off.id)
    assert judged(in_force(world, at["ash"])) == ("on", "enabled", on.id)
    world.arm("ratings")
    say(world, 5, enabled=True)
    say(world, 6, HERE, enabled=False)
    assert judged(in_force(world, at[HERE]))[:2] == ("off", "disabled")


def test_a_correction_of_a_setting_counts(world: AlertsWorld) -> None:
    """What was taken back is not in force any more."""
    said = say(world, 1, HERE, settings={"attention": 2})
    assert in_force(world, f"&clinic={HERE}")["settings"]["attention"]["set_for"] == "clinic"
    world.tell(an.a_retraction(said, at=an.on(2)))
    assert in_force(world, f"&clinic={HERE}")["settings"]["attention"]["set_for"] is None


def test_a_key_of_clinics_sees_them_alone(world: AlertsWorld) -> None:
    """Another clinic is not there for it; where it is bound to several, it names one."""
    say(world, 1, THERE, settings={"attention": 2})
    here = world.a_key(clinics=[HERE])
    own = world.get("/v1/rules/in-force", here).json
    assert own is not None
    assert (own["clinic"], own["clinics"]) == (HERE, [HERE])
    assert own["rules"][-1]["name"] == "delivery"
    values = {name: one["value"] for name, one in own["rules"][-1]["settings"].items()}
    assert values == dict(DELIVERY_DEFAULTS)
    assert world.get(f"/v1/rules/in-force?clinic={THERE}", here).status_code == 404
    both = world.a_key(clinics=[HERE, THERE])
    assert world.get("/v1/rules/in-force", both).status_code == 422
    assert in_force(world, f"&clinic={THERE}", clinics=[HERE, THERE])["mode"] == "unarmed"
    assert world.get("/v1/rules/in-force", world.a_key("act")).status_code == 403


def test_an_unknown_rule_is_named(world: AlertsWorld) -> None:
    """Nobody takes a slip of the pen for a rule that says nothing."""
    answer = world.get("/v1/rules/in-force?rule=sesion-gap")
    assert answer.status_code == 422
    (fault,) = answer.get_json()["errors"]
    assert fault["pointer"] == "/query/rule"
    assert {RULE, "delivery"} <= set(fault["allowed"])
