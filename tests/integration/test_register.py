"""The boundary register over HTTP: its order, its filters, and whom it is kept from."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.envelope import Envelope
from tests.support import events as an
from tests.support.projected import World

EVE, ADA = "th_eve", "th_ada"
REGISTER = "/v1/boundary-events"


def listed(world: World, query: str = "", **options: Any) -> list[str]:
    """Return the senders' references of a page, in its order."""
    answer = world.get(f"{REGISTER}{query}", world.key(**options))
    assert answer.status_code == 200, answer.text
    return [one["boundary_event"] for one in answer.json["boundary_events"]]  # type: ignore[index]


def id_of(world: World, ref: str, **options: Any) -> str:
    """Return the opaque id of a boundary event."""
    answer = world.get(REGISTER, world.key(**options)).json
    found = [one["id"] for one in answer["boundary_events"] if one["boundary_event"] == ref]  # type: ignore[index]
    return str(found[0])


def one(world: World, ref: str, **options: Any) -> Any:
    """Return a boundary event with its whole life."""
    answer = world.get(f"{REGISTER}/{id_of(world, ref)}", world.key(**options))
    assert answer.status_code == 200, answer.text
    return answer.json


def a_tick(at: float) -> Envelope:
    """Return the present, as the ticker says it."""
    data = {"tick_at": an.on(at).isoformat()}
    return an.an_event("clock.ticked", an.on(at), data, client=None, sender="rapport")


def test_the_worst_comes_first(world: World) -> None:
    """Overdue, then open, then closed; among equals the gravest, then the oldest."""
    world.tell(
        an.a_boundary_noted("closed", at=an.on(1), severity=4),
        an.a_boundary_step("closed", "closed", at=an.on(1, 12)),
        an.a_boundary_noted("minor", at=an.on(1), severity=0),
        an.a_boundary_noted("late", at=an.on(1), severity=2),
        an.a_boundary_noted("older", at=an.on(7), severity=None),
        an.a_boundary_noted("newer", at=an.on(8), severity=2),
        an.a_boundary_noted("grave", at=an.on(9), severity=3, client="cl_ben"),
    )
    everything = ["grave", "late", "older", "newer", "minor", "closed"]
    assert listed(world) == everything
    world.tell(a_tick(9))
    assert listed(world) == ["late", "grave", "older", "newer", "minor", "closed"]
    assert listed(world, "?overdue=true") == ["late"]
    assert listed(world, "?state=open") == ["late", *everything[:1], *everything[2:5]]
    assert listed(world, "?severity=none") == ["older"]
    assert listed(world, "?state=closed&severity=4&clinic=elm") == ["closed"]
    assert listed(world, "?clinic=oak") == []


def test_pages_follow_each_other(world: World) -> None:
    """However small the pages, each boundary event comes once, in the order of one page."""
    world.tell(*(an.a_boundary_noted(f"b{n}", at=an.on(n), severity=n % 5) for n in range(7)))
    key, query, found = world.key(), "?limit=2", []
    while True:
        page: Any = world.get(f"{REGISTER}{query}", key).json
        assert page["total"] == 7
        found += [one["boundary_event"] for one in page["boundary_events"]]
        if page["next"] is None:
            break
        query = f"?limit=2&cursor={page['next']}"
    assert found == listed(world)
    assert world.get(f"{REGISTER}?limit=2&state=open&cursor=x", key).status_code == 422


def test_a_deadline_moves_with_the_clinics_calendar(world: World) -> None:
    """What a clinic says of its days afterwards counts."""
    world.tell(an.a_boundary_noted("b1", at=an.on(8), severity=3))
    assert one(world, "b1")["due_at"] == "2026-01-16T00:00:00Z"
    world.tell(an.a_clinic_closed("2026-01-14", "2026-01-15", at=an.on(8)))
    assert one(world, "b1")["due_at"] == "2026-01-20T00:00:00Z"


def test_a_whole_life_is_told_step_by_step(world: World) -> None:
    """Each step has its role, time, code and event; the patterns it belongs to stand beside it."""
    noted = an.a_boundary_noted("b1", at=an.on(1), severity=4)
    world.tell(
        noted,
        an.a_boundary_assessed("b1", at=an.on(4), severity=2),
        an.a_boundary_step("acted_on", "b1", at=an.on(5)),
        an.a_boundary_step("closed", "b1", at=an.on(6)),
        an.a_boundary_step("reopened", "b1", at=an.on(7)),
        an.a_boundary_noted("b2", at=an.on(8), area="gifts"),
        an.a_boundary_noted("b3", at=an.on(9), area="money"),
    )
    life = one(world, "b1")
    assert [step["step"] for step in life["steps"]] == [
        "noted", "assessed", "acted_on", "closed", "reopened"]  # fmt: skip
    assert [step["code"] for step in life["steps"]] == [
        "time", "crossing", "supervision", "not_upheld", "new_information"]  # fmt: skip
    assert [step["role"] for step in life["steps"][:2]] == ["supervisor", "supervisor"]
    assert life["steps"][0]["event"] == world.placed(noted).id
    assert (life["state"], life["severity"]) == ("acted_on", 2)
    assert life["deadline"]["settled_late"]
    (pattern,) = life["patterns"]
    assert pattern["boundary_events"] == [id_of(world, ref) for ref in ("b1", "b2", "b3")]


def test_another_organisation_sees_nothing(world: World) -> None:
    """The organisation is the key's; an id of another one is as unknown as none at all."""
    world.tell(an.a_boundary_noted("b1"))
    found = id_of(world, "b1")
    stranger = world.office.an_organisation("South")
    assert listed(world, organisation=stranger) == []
    unknown = world.get(f"{REGISTER}/5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55")
    answer = world.get(f"{REGISTER}/{found}", world.key(organisation=stranger))
    assert (answer.status_code, answer.data) == (404, unknown.data)


def test_a_key_bound_to_a_clinic_sees_what_happened_there_alone(world: World) -> None:
    """One of which something happened elsewhere is not in its register."""
    world.tell(
        an.a_boundary_noted("here"),
        an.a_boundary_noted("both", at=an.on(9)),
        an.a_boundary_assessed("both", at=an.on(10), clinic="oak"),
    )
    assert listed(world, clinics=[an.CLINIC]) == ["here"]
    both = world.get(f"{REGISTER}/{id_of(world, 'both')}", world.key(clinics=[an.CLINIC]))
    assert both.status_code == 404
    assert sorted(listed(world, clinics=[an.CLINIC, "oak"])) == ["both", "here"]


def test_only_governance_and_safeguarding_know_a_protected_reporter(world: World) -> None:
    """In the register and on the timeline; for whom it concerns, no role opens it."""
    noted = an.a_boundary_noted("b1", reported_by="client", reporter_protected=True, concerns=EVE)
    world.tell(noted)
    for role, said in ((None, None), ("governance", "client"), ("safeguarding", "client")):
        life = one(world, "b1", role=role)
        assert (life["reported_by"], life["steps"][0]["role"]) == (said, said)
        (item,) = world.timeline(role=role)["boundary_events"]
        assert item["reported_by"] == said
        page: Any = world.get(REGISTER, world.key(role=role)).json
        assert [each["reported_by"] for each in page["boundary_events"]] == [said]
    assert listed(world, role="governance", person=EVE) == []


def test_what_was_never_noted_is_shown_to_no_person(world: World) -> None:
    """Only assessed, nobody knows whom it concerns: keys of persons do not see it."""
    world.tell(an.a_boundary_assessed("b9"))
    assert listed(world) == ["b9"]
    assert listed(world, person=ADA) == []


# Nothing gives it away --------------------------------------------------------------------------
def a_life(chance: random.Random, ref: str, people: Sequence[str | None]) -> list[Envelope]:
    """Return a made-up life of a boundary event that concerns the first of ``people``, or more."""
    at = chance.randrange(1, 30)
    area = chance.choice(("time", "gifts", "money", "place"))
    made = [an.a_boundary_noted(ref, at=an.on(at), severity=chance.choice((None, 0, 2, 3, 4)),
                                area=area, concerns=people[0],
                                about="therapist" if people[0] else "client",
                                reporter_protected=chance.random() < 0.5)]  # fmt: skip
    if chance.random() < 0.3:
        made.append(an.a_correction(made[0], concerns=chance.choice(people)))
    if chance.random() < 0.6:
        made.append(an.a_boundary_assessed(ref, at=an.on(at + 3), severity=chance.randrange(5)))
    if chance.random() < 0.4:
        made.append(an.a_boundary_step("closed", ref, at=an.on(at + 5)))
        made.append(an.a_boundary_step("reopened", ref, at=an.on(at + 6)))
    if chance.random() < 0.3:
        made.append(an.a_retraction(made[-1], at=an.on(at + 8)))
    return made


def answers(world: World, seen: Sequence[str]) -> list[tuple[int, bytes, str | None]]:
    """Return everything that a key of Eve's is answered, byte for byte."""
    key = world.key(person=EVE)
    about = world.client()
    paths = [
        *(f"{REGISTER}{query}" for query in ("", "?limit=1", "?overdue=true", "?state=open")),
        *(f"{REGISTER}/{id}" for id in seen),
        *(f"/v1/clients/{about}/timeline{form}" for form in ("", ".svg", ".html")),
    ]
    found = [world.get(path, key) for path in paths]
    return [(each.status_code, each.data, each.headers.get("ETag")) for each in found]


@pytest.mark.parametrize("seed", range(6))
def test_nothing_tells_her_of_what_concerns_her(world: World, tmp_path: Path, seed: int) -> None:
    """Every answer to whom a matter concerns is what it were without that matter."""
    chance = random.Random(seed)
    hers = [
        *a_life(chance, "h1", [EVE, ADA]),
        *a_life(chance, "h2", [EVE, None]),
        an.a_boundary_noted("h3", at=an.on(2), concerns=ADA),
        an.a_boundary_step("closed", "h3", at=an.on(3), outcome="merged", merged_into="h1"),
    ]
    others = [
        an.a_session_held("s1", an.on(0)),
        *(one for ref in ("v1", "v2", "v3") for one in a_life(chance, ref, [ADA])),
        a_tick(20),
    ]
    told = [*hers, *others]
    chance.shuffle(told)
    world.tell(*told)
    everything: Any = world.get(REGISTER).json
    ids = sorted(one["id"] for one in everything["boundary_events"])
    assert {"h1", "h2", "h3"} & {*listed(world)}
    assert {*listed(world, person=EVE)} == {*listed(world)} - {"h1", "h2", "h3"}
    with_them = answers(world, ids)
    again = world.begun_again(tmp_path / "again")
    again.tell(*(one for one in told if one not in hers))
    assert answers(again, ids) == with_them
    again.close()


def test_a_client_of_whom_only_that_was_said_is_unknown(world: World) -> None:
    """Where all that was ever said of a client is kept from somebody, so is the client."""
    world.tell(an.a_boundary_noted("b1", client="cl_ben", concerns=EVE))
    path = f"/v1/clients/{world.client('cl_ben')}/timeline"
    assert world.get(path, world.key(person=EVE)).status_code == 404
    assert world.get(path, world.key(person=ADA)).status_code == 200


def a_setting(days: int, *, at: float, clinic: str | None = None, **more: Any) -> Envelope:
    """Return how many working days the assessment of severity 2 may take."""
    data = {"rule": "boundary-unassessed", "settings": {"severity_2_working_days": days}, **more}
    stated = data if clinic is None else {**data, "clinic": clinic}
    return an.an_event("rule.configured", an.on(at), stated, client=None, sender="rapport")


def working_days(world: World, ref: str) -> int:
    """Return how many working days a deadline of the register counts."""
    whole = one(world, ref)
    (row,) = [each for each in world.get(REGISTER).json["boundary_events"]  # type: ignore[index]
              if each["boundary_event"] == ref]  # fmt: skip
    assert row["due_at"] == whole["deadline"]["due_at"]
    found: int = whole["deadline"]["working_days"]
    return found


def test_deadlines_are_the_organisations_own(world: World) -> None:
    """Set for everybody, or for a clinic, the days count, from before or after it was noted."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=2))
    assert working_days(world, "b1") == 5
    world.tell(a_setting(2, at=-10))
    assert working_days(world, "b1") == 2
    world.tell(a_setting(4, at=-9, clinic=an.CLINIC))
    assert working_days(world, "b1") == 4
    world.tell(a_setting(9, at=-8, clinic="oak"))
    assert working_days(world, "b1") == 4


def test_a_deadline_keeps_the_settings_under_which_it_fell_due(world: World) -> None:
    """What is set later changes nothing about what was due before, as with the alert of it."""
    world.tell(an.a_boundary_noted("b1", at=an.on(1), severity=2))
    world.tell(a_setting(1, at=60))
    world.tell(an.a_boundary_noted("b2", at=an.on(70), severity=2))
    assert (working_days(world, "b1"), working_days(world, "b2")) == (5, 1)
