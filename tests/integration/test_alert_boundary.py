"""Boundary matters told late, in silence, from elsewhere or of another than was thought.

With the rules that ship, from the stream to the inbox.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.alerts.rules import FEED_RULES, RULES
from tests.support import events as an
from tests.support.alerting import AlertsWorld, cancellations, held
from tests.support.databases import migrated, sqlite_url


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic, somebody who is told, and every rule that ships."""
    with migrated(sqlite_url(tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=(*RULES, *FEED_RULES))
        made.arm("sessions", "boundary")
        made.a_recipient("board", role="governance")
        yield made
        made.close()


def serious(world: AlertsWorld) -> Any:
    """Return the only alert about serious boundary events."""
    (found,) = [one for one in world.shown() if one["rule"] == "boundary-serious"]
    return found


def test_one_noted_late_between_two_is_told(world: AlertsWorld) -> None:
    """A third event that falls between two that were told is a step of its own, told once."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=3))
    world.tell(an.a_boundary_noted("b3", at=an.on(1, 14), severity=3))
    world.tell(an.a_boundary_noted("b2", at=an.on(1, 12), severity=3, recorded_at=an.on(1, 15)))
    steps = [entry["step"] for entry in serious(world)["history"]]
    assert steps == ["opened", "escalated", "escalated"]
    assert len({step for step, channel, *_ in world.ledger() if channel == "webhook"}) == 3
    assert [step for step, _ in world.told()].count("escalated") == 2


def test_a_silent_feed_holds_back_deadlines_alone(world: AlertsWorld) -> None:
    """What a source says when it speaks again is told at once; only deadlines wait 48 hours."""
    source = world.office.a_source(world.organisation, silent_after_hours=24)
    world.tell(held(1, sender=source))
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=1, sender=source))
    world.live(4)
    assert [one["rule"] for one in world.shown()] == ["source-silent"]
    world.tell(an.a_boundary_noted("b2", at=an.on(5, 22), severity=4, sender=source))
    assert serious(world)["state"] == "open"
    world.live(1)
    assert "boundary-unassessed" not in [one["rule"] for one in world.shown()]
    world.live(2)
    assert "boundary-unassessed" in [one["rule"] for one in world.shown()]


def test_another_clinics_word_takes_nothing_back(world: AlertsWorld) -> None:
    """Noted where boundary events are sent and assessed elsewhere, it stays told, and goes on."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=3))
    world.tell(an.a_boundary_assessed("b1", at=an.on(2), severity=4, clinic="hq"))
    assert [entry["step"] for entry in serious(world)["history"]] == ["opened", "escalated"]
    world.tell(an.a_boundary_step("closed", "b1", at=an.on(3), clinic="hq"))
    assert serious(world)["state"] == "resolved"


def test_what_elsewhere_assesses_first_is_told(world: AlertsWorld) -> None:
    """A matter that only the assessment elsewhere makes serious is told all the same."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=1))
    world.tell(an.a_boundary_assessed("b1", at=an.on(2), severity=4, clinic="hq"))
    assert serious(world)["state"] == "open"


def test_the_calendar_of_the_clinic_that_noted_moves_a_deadline(world: AlertsWorld) -> None:
    """A closure where a boundary event was noted counts; the client is in care elsewhere."""
    world.tell(held(1, clinic="oak"), an.a_boundary_noted("b1", at=an.on(1), severity=3))
    world.live(7)
    assert "boundary-unassessed" in [one["rule"] for one in world.shown()]
    world.tell(an.a_clinic_closed("2026-01-07", "2026-01-20", at=an.on(1)))
    (told,) = [one for one in world.shown() if one["rule"] == "boundary-unassessed"]
    assert told["state"] == "retracted"


def test_a_lapse_stays_told_when_the_client_moves(world: AlertsWorld) -> None:
    """Sessions in an unarmed clinic begin nothing, and take nothing back."""
    world.tell(*cancellations(2))
    world.tell(held(5, clinic="oak"))
    (alert,) = [one for one in world.shown() if one["rule"] == "therapist-cancellations"]
    assert alert["state"] == "open"
    world.tell(*cancellations(1, first=6, clinic="oak"))
    assert [one["state"] for one in world.shown()] == ["open"]


def test_no_setting_stops_the_alerts(world: AlertsWorld) -> None:
    """Whatever a key may say of a rule, everybody's alerts are judged on."""
    for name, settings in (
        ("therapist-cancellations", {"window_sessions": "eight", "sickness_grace": 0}),
        ("alliance-decline", {"most_ratings": 0, "p_at_most": "x"}),
        ("session-gap", {"attention_ratio": 1e300, "grace_hours": 1e12}),
        ("session-not-held", {"again_within_weeks": 1e12}),
        ("delivery", {"history_after_days": 1e12}),
    ):
        said = {"rule": name, "settings": settings, "enabled": True}
        world.tell(an.an_event("rule.configured", an.on(0), said, client=None))
    world.tell(an.a_care_event("started", an.on(0), agreed_interval_days=7))
    world.tell(*cancellations(2), held(3), *(an.a_rating(40 - n, at=an.on(n)) for n in range(6)))
    world.live(20)
    assert "therapist-cancellations" in [one["rule"] for one in world.shown()]


def may_read(world: AlertsWorld, person: str) -> bool:
    """Return whether a key of this person sees the serious alert, in the list or by its id."""
    key, alert = world.a_key(person=person), serious(world)["id"]
    listed = alert in [one["id"] for one in world.alerts(key=key)]
    assert listed == (world.get(f"/v1/alerts/{alert}", key).status_code == 200)
    return listed


def test_whom_a_correction_names_reads_it_no_longer(world: AlertsWorld) -> None:
    """A correction of nothing but the name closes the alert to the person it names now."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4)
    world.tell(noted)
    assert may_read(world, "th_eve")
    world.tell(an.a_correction(noted, concerns="th_eve"))
    assert not may_read(world, "th_eve")
    assert not may_read(world, an.THERAPIST)


def test_whom_a_voiding_correction_names_reads_no_retraction(world: AlertsWorld) -> None:
    """One correction gives another name and takes the severity away: they read neither."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4)
    world.tell(noted)
    world.deliver()
    world.tell(an.a_correction(noted, concerns="th_eve", severity=1))
    assert serious(world)["state"] == "retracted"
    assert not may_read(world, "th_eve")


def test_a_corrected_reference_leads_to_whom_it_concerns(world: AlertsWorld) -> None:
    """Where an assessment named the wrong matter first, the right one's person is not told."""
    eve = world.a_recipient("eve", role="governance", person="th_eve")
    world.tell(an.a_boundary_noted("b2", at=an.on(1), severity=1, concerns="th_eve"))
    wrong = an.a_boundary_assessed("b1", at=an.on(2), severity=1)
    world.tell(wrong, an.a_correction(wrong, boundary_event="b2", severity=4))
    assert eve not in [recipient for _, _, recipient, _ in world.ledger()]
    assert not may_read(world, "th_eve")


def test_a_matter_merged_into_another_hides_both(world: AlertsWorld) -> None:
    """Whom either of two matters that are one concerns reads neither."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=1, concerns="th_eve"))
    world.tell(an.a_boundary_step("closed", "b1", at=an.on(2), outcome="merged", merged_into="b2"))
    world.tell(an.a_boundary_noted("b2", at=an.on(3), severity=4))
    assert not may_read(world, "th_eve")


def test_once_it_is_known_whom_it_concerns_the_others_read_it(world: AlertsWorld) -> None:
    """Assessed before it was noted no person's key reads it; then all but whom it concerns do."""
    world.tell(an.a_boundary_assessed("b1", at=an.on(2), severity=4))
    assert not may_read(world, "th_ada")
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=1, concerns="th_eve"))
    assert may_read(world, "th_ada")
    assert not may_read(world, "th_eve")


def test_a_name_that_comes_after_the_retraction_closes_it_too(world: AlertsWorld) -> None:
    """An alert that was taken back long ago is still nothing for whom it turns out to concern."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4)
    world.tell(noted)
    world.deliver()
    world.tell(an.a_correction(noted, severity=1, at=an.on(2)))
    world.tell(an.a_correction(noted, severity=1, concerns="th_eve", at=an.on(3)))
    assert serious(world)["state"] == "retracted"
    assert not may_read(world, "th_eve")
    before = world.ledger()
    world.begun_again()
    world.settle()
    assert world.ledger() == before
    assert not may_read(world, "th_eve")


def test_a_comment_on_an_alert_that_is_over_is_kept(world: AlertsWorld) -> None:
    """What people say of an alert that was taken back stands in its history."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4)
    world.tell(noted)
    world.deliver()
    world.tell(an.a_retraction(noted))
    key, path = world.a_key("read", "act", person="th_ada"), f"/v1/alerts/{serious(world)['id']}"
    seen = {**key, "If-Match": world.get(path, key).headers["ETag"]}
    assert world.post(f"{path}/comment", {"code": "waiting"}, seen).status_code == 202
    world.settle()
    assert "commented" in [entry["step"] for entry in serious(world)["history"]]
    assert serious(world)["state"] == "retracted"
