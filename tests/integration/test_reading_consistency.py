"""Figures of consistency through the front door: what a caller reads, and what stays out."""

from datetime import timedelta
from typing import Any

from shared.clock import format_time
from tests.support import events as an
from tests.support.phases import weekly
from tests.support.projected import World


def figures(timeline: Any) -> Any:
    """Return the figures of the first phase."""
    return timeline["phases"][0]["consistency"]


def test_a_caller_reads_each_figure_with_its_definition(world: World) -> None:
    """A phase has every measure, with the events that it stands on, as the timeline lists them."""
    world.tell(*weekly("cancelled:clinic", "held", "cancelled:therapist", "held"))
    timeline = world.timeline()
    one = figures(timeline)["therapist_cancellations"]
    assert (one["numerator"], one["denominator"], one["met"]) == (2, 4, "attention")
    listed = {session["event"] for session in timeline["sessions"]}
    assert listed == set(one["among"])
    assert set(one["events"]) < listed
    page = world.get(f"/v1/clients/{world.client()}/timeline.html").text
    assert "2 of the last 4 sessions were cancelled by the clinic or therapist" in page


def test_what_happened_elsewhere_counts_for_nobody_bound(world: World) -> None:
    """Of a key that is bound to a clinic, figures stand on that clinic's facts alone."""
    there = [
        an.a_session_cancelled(f"t{n}", at=an.on(n), by="clinic", clinic="oak") for n in range(3)
    ]
    world.tell(*weekly("held", "held"), *there)
    assert figures(world.timeline())["therapist_cancellations"]["met"] == "urgent"
    bound = figures(world.timeline(clinics=[an.CLINIC]))["therapist_cancellations"]
    assert (bound["numerator"], bound["denominator"], bound["met"]) == (0, 2, None)


def test_a_boundary_matter_moves_no_figure_of_whom_it_concerns(world: World) -> None:
    """Not even by moving the present: to them the client's last fact is another one."""
    world.tell(*weekly("held"), an.a_boundary_noted(at=an.on(61)))
    assert figures(world.timeline())["case_without_activity"]["value"] == 61
    assert figures(world.timeline(person=an.THERAPIST))["case_without_activity"]["value"] == 0


def test_asked_at_a_time_it_counts_up_to_the_last_fact_by_then(world: World) -> None:
    """What came later, or was recorded later, is in no figure of before."""
    given = weekly("cancelled:clinic", "cancelled:clinic", "cancelled:clinic")
    world.tell(*given)
    then = format_time(an.on(8)).replace("+", "%2B")
    then_valid = figures(world.timeline(query=f"?valid_at={then}"))["therapist_cancellations"]
    assert (then_valid["numerator"], then_valid["met"]) == (2, "attention")
    known = format_time(given[1].recorded_at + timedelta(seconds=1))
    then_known = figures(world.timeline(query=f"?known_at={known}"))["therapist_cancellations"]
    assert (then_known["numerator"], then_known["met"]) == (1, None)


def test_its_thresholds_are_those_of_the_organisation(world: World) -> None:
    """What is set of a rule holds on the timeline too: at its clinic, from when it was said."""
    world.tell(*weekly("cancelled:clinic", "held", "cancelled:therapist", "held"))
    said = {"rule": "therapist-cancellations", "settings": {"attention_sessions": 3}}
    elsewhere = {**said, "clinic": "oak", "settings": {"attention_sessions": 9}}
    for day, data in ((1, said), (2, elsewhere)):
        world.tell(an.an_event("rule.configured", an.on(day), data, client=None))
    one = figures(world.timeline())["therapist_cancellations"]
    assert (one["numerator"], one["met"], one["threshold"]["attention_sessions"]) == (2, None, 3)
    assert "threshold 3, urgent 3" in one["words"]
    then = format_time(an.on(0.5)).replace("+", "%2B")
    before = figures(world.timeline(query=f"?valid_at={then}"))["therapist_cancellations"]
    assert before["threshold"]["attention_sessions"] == 2
