"""Timelines are rebuilt beside those that serve, compared, switched to, and back."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from services.projections import read_models
from services.projections.projector import Projector
from services.projections.read_models import TIMELINES
from services.projections.rebuild import Candidate
from shared.errors import AnotherVersion, Overtaken, Superseded
from shared.storage import generations, positions
from shared.stream.codec import encode
from shared.stream.ports import EVENTS
from tests.support import events as an
from tests.support.projected import World, an_alert_step
from tests.support.rebuilt import (
    built,
    corrupted,
    generation,
    rebuilding,
    rebuilt,
    rows,
    serving,
)

CLIENTS = [f"c-{number}" for number in range(5)]
SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
"""For what no database does otherwise than another."""


@pytest.fixture
def world(world: World) -> World:
    """Return a world with some clients, amendments, boundary matters, alerts and a clinic."""
    told = [an.a_clinic_configured(), an.a_therapist_away("2026-02-02", "2026-02-09")]
    for number, client in enumerate(CLIENTS):
        held = an.a_session_held(f"s-{client}", an.on(7 + number), client=client)
        told += [
            an.a_care_event("started", an.on(0), client=client, agreed_interval_days=7),
            held,
            an.a_rating(38 - number, at=an.on(7 + number, 11), client=client),
            an.a_boundary_noted(at=an.on(16), concerns="th_eve", client=client),
            an.a_correction(held, minutes=None, client_arrival="late"),
        ]
    world.tell(*told)
    world.alert(
        *(
            an_alert_step(f"a-{number}", client=world.client(client))
            for number, client in enumerate(CLIENTS)
        )
    )
    return world


def test_a_rebuild_comes_to_the_same_and_serves(world: World) -> None:
    """Without a difference the new generation serves, holds the same rows, and goes on live."""
    before = [world.timeline(client) for client in CLIENTS]
    caseload = world.caseload()
    outcome = rebuilt(world)
    assert (outcome.switched, outcome.differences) == (True, [])
    assert serving(world) == 2
    assert rows(world, 1) == rows(world, 2)
    assert [world.timeline(client) for client in CLIENTS] == before
    assert world.caseload() == caseload
    world.tell(an.a_session_held("s-new", an.on(30), client=CLIENTS[0]))
    assert [one["session"] for one in world.timeline(CLIENTS[0])["sessions"]][-1] == "s-new"
    assert rows(world, 1) != rows(world, 2)


def test_live_events_flow_and_readers_see_complete_answers(world: World) -> None:
    """Events between any two steps are in both generations, and every answer is whole."""
    told = iter(range(100))
    before = world.caseload()

    def live() -> None:
        number = next(told)
        client = CLIENTS[number % len(CLIENTS)]
        world.tell(an.a_session_held(f"live-{number}", an.on(40 + number), client=client))
        assert sorted(world.caseload()) == sorted(before)
        sessions = world.timeline(client)["sessions"]
        assert sessions[-1]["session"] == f"live-{number}"

    with rebuilding(world) as made:
        built(world, made, live)
        world.tell(an.a_session_held("last", an.on(200), client=CLIENTS[0]))
        outcome = made.finish(world.clock.now(), "the same")
    assert (outcome.switched, outcome.differences) == (True, [])
    assert next(told) > 10
    assert rows(world, 1) == rows(world, 2)
    live()
    assert serving(world) == 2


@SQLITE
def test_it_goes_on_where_it_was_interrupted(world: World) -> None:
    """Left after any step and opened again, it comes to the same, having read nothing twice."""
    done: list[tuple[str, int]] = []
    while not done or done[-1][0] != "following":
        with rebuilding(world) as made:
            made.step(world.clock.now())
            done.append((made.progress().doing, sum(read(world).values())))
        assert made_number(world) == 2
        assert len(done) < 50
    assert {stage for stage, _ in done} == {"reading", "folding", "following"}
    assert done == sorted(done, key=lambda one: one[1])
    assert rebuilt(world).switched
    assert rows(world, 1) == rows(world, 2)


def read(world: World, consumer: str = "projections.v1.g2") -> dict[tuple[str, int], int]:
    """Return how far the generation that is built has read, or another."""
    with world.db.read() as db:
        found = positions.all_of(db, consumer)
    return {place: at.next_offset for place, at in found.items()}


def made_number(world: World) -> int | None:
    """Return the number of the generation that is being built."""
    found = generation(world, "building")
    return None if found is None else found.number


def test_what_differs_is_listed_and_switched_only_on_demand(world: World) -> None:
    """A row corrupted by hand is found, nothing is switched, and the new generation repairs it."""
    right = world.caseload()
    truth = rows(world, 1)
    corrupted(world)
    outcome = rebuilt(world)
    assert not outcome.switched
    assert serving(world) == 1
    assert {one.client for one in outcome.differences} == {world.client(one) for one in CLIENTS}
    assert {one.what for one in outcome.differences} == {"caseload"}
    assert "standing falling → " in outcome.differences[0].change
    assert rebuilt(world, "anything").switched
    assert rows(world, 2) == truth
    assert world.caseload() == right


@SQLITE
def test_a_dry_run_switches_nothing(world: World) -> None:
    """What is the same is not switched to either, and stays for the next command."""
    assert not rebuilt(world, "nothing").switched
    assert (serving(world), made_number(world)) == (1, 2)
    assert rebuilt(world).switched


def test_facts_that_differ_are_found(world: World) -> None:
    """A fact with other bytes, one that is missing and one too many are each listed."""
    facts = read_models.of(1).facts.rows
    whose = world.client(CLIENTS[3])
    mine = facts.c.client == whose
    with world.db.write() as db:
        first, second = db.execute(facts.select().where(mine)).mappings().all()[:2]
        is_first, is_second = facts.c.event == first["event"], facts.c.event == second["event"]
        db.execute(facts.update().where(is_first).values(value=b"{}"))
        db.execute(facts.delete().where(is_second))
        db.execute(facts.insert().values({**second, "id": "of nobody"}))
    found = [one for one in rebuilt(world).differences if one.what == "facts"]
    assert {one.client for one in found} == {whose}
    assert sorted(one.change.rpartition(": ")[2] for one in found) == [
        "only in the new",
        "only in the old",
        f"value 2 bytes → {len(first['value'])} bytes",
    ]


def test_rollback_catches_up_before_it_serves_again(world: World) -> None:
    """The generation that was kept serves again with what came while it did not."""
    rebuilt(world)
    world.tell(an.a_session_held("since", an.on(50), client=CLIENTS[2]))
    with rebuilding(world, of="previous", compare=False) as made:
        built(world, made)
        assert made.finish(world.clock.now(), "anything").switched
    assert serving(world) == 1
    assert rows(world, 1) == rows(world, 2)
    world.tell(an.a_session_held("later", an.on(51), client=CLIENTS[2]))
    sessions = [one["session"] for one in world.timeline(CLIENTS[2])["sessions"]]
    assert sessions[-2:] == ["since", "later"]


@SQLITE
def test_a_further_rebuild_drops_the_one_that_was_kept(world: World) -> None:
    """At most two generations have tables besides the one that is built; numbers only rise."""
    rebuilt(world)
    assert rebuilt(world).switched
    assert serving(world) == 3
    assert generation(world, "previous") is not None
    with world.db.read() as db:
        there = set(inspect(db).get_table_names())
        assert positions.all_of(db, "projections.v1") == {}
    assert not there & set(read_models.declared(1).names.values())
    assert set(read_models.declared(2).names.values()) <= there


@SQLITE
def test_only_one_command_builds(world: World) -> None:
    """A second is refused while the first gives signs of life, and goes on when it gives none."""
    with rebuilding(world) as first, rebuilding(world) as second:
        first.step(world.clock.now())
        assert not second.claim(world.clock.now())
        with pytest.raises(Overtaken, match="another command"):
            second.step(world.clock.now())
        world.clock.advance(generations.LEASE)
        assert second.claim(world.clock.now())
        with pytest.raises(Overtaken, match="another command"):
            first.step(world.clock.now())


@SQLITE
def test_what_somebody_else_moved_on_is_not_moved_again(world: World) -> None:
    """Of two that fold from one cursor, the second saves nothing."""
    with rebuilding(world):
        at = generation(world, "building")
    assert at is not None
    with world.db.write() as db:
        generations.advance(db, at, "folding", "here")
    with pytest.raises(Superseded, match="moved on"), world.db.write() as db:
        generations.advance(db, at, "folding", "there")
    building = generation(world, "building")
    assert building is not None
    with pytest.raises(Superseded, match="moved on"), world.db.write() as db:
        generations.advance(db, replace(building, stage="reading"), "following", "")


@SQLITE
def test_it_is_never_ahead(world: World) -> None:
    """What the generation that serves has not handled yet is not in the next one either."""
    waiting = encode(world.placed(an.a_session_held("s-late", an.on(99))), EVENTS)
    world.publisher.publish([waiting], 10.0)
    with rebuilding(world) as made:
        built(world, made)
        assert read(world) == read(world, "projections.v1")
        assert made.finish(world.clock.now(), "the same").differences == []
    world.project()
    assert rows(world, 1) != rows(world, 2)
    assert world.timeline()["sessions"][-1]["session"] == "s-late"


@SQLITE
def test_what_was_discarded_is_built_no_further(world: World) -> None:
    """A command whose generation was dropped ends, and leaves no table of it behind."""
    with rebuilding(world) as made:
        made.step(world.clock.now())
        building = generation(world, "building")
        assert building is not None
        with world.db.write() as db:
            generations.drop(db, building)
        world.clock.advance(generations.LEASE)
        with pytest.raises(Overtaken, match="dropped"):
            made.step(world.clock.now())
    with world.db.read() as db:
        assert not {name for name in inspect(db).get_table_names() if name.endswith("_g2")}
    assert rebuilt(world).switched
    assert serving(world) == 3


class Failing(Candidate):
    """A candidate whose switch fails at the last moment."""

    def settle(self, db: Connection) -> int:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize("db", [pytest.param("postgresql", marks=pytest.mark.postgres)],
                         indirect=True)  # fmt: skip
def test_nothing_is_switched_in_the_middle_of_a_batch(world: World) -> None:
    """While a batch is folded, its generation stays what it is; then it may be switched."""
    table = generations.GENERATIONS
    switch = table.update().where(table.c.name == TIMELINES.name).values(state="active")
    with world.db.write() as folding, world.db.write() as switching:
        Projector().handle(folding, [], ())
        switching.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            switching.execute(switch)
        switching.rollback()
    with world.db.write() as switching:
        assert switching.execute(switch).rowcount == 1


def test_the_last_step_saves_all_or_nothing(world: World) -> None:
    """When it fails, the old serves and the new stands where it stood; both go on from there."""
    with rebuilding(world, candidate=Failing) as made:
        built(world, made)
        stood = read(world)
        world.tell(an.a_session_held("meanwhile", an.on(60), client=CLIENTS[0]))
        with pytest.raises(ZeroDivisionError):
            made.finish(world.clock.now(), "the same")
        assert (serving(world), read(world)) == (1, stood)
        world.tell(an.a_session_held("afterwards", an.on(61), client=CLIENTS[0]))
        built(world, made)
        assert made.finish(world.clock.now(), "nothing").differences == []
    assert rebuilt(world).switched
    assert rows(world, 1) == rows(world, 2)


@SQLITE
def test_another_version_of_the_tables_is_neither_read_nor_filled(world: World) -> None:
    """Readers and workers of a release stop where other code made what serves, and say so."""
    table = generations.GENERATIONS
    with world.db.write() as db:
        db.execute(table.update().where(table.c.name == TIMELINES.name).values(code="later"))
    with pytest.raises(AnotherVersion, match="rapport rebuild timelines"):
        world.tell(an.a_session_held("s-x", an.on(90)))
    assert world.get(f"/v1/clients/{world.client(CLIENTS[0])}/timeline").status_code == 503


@SQLITE
def test_an_old_release_goes_on_with_what_it_knows(world: World) -> None:
    """Until it is replaced, it reads and feeds the generation that was kept."""
    rebuilt(world)
    table = generations.GENERATIONS
    with world.db.write() as db:
        db.execute(table.update().where(table.c.number == 2).values(code="later"))
    world.tell(an.a_session_held("s-old", an.on(90), client=CLIENTS[1]))
    assert world.timeline(CLIENTS[1])["sessions"][-1]["session"] == "s-old"
    assert rows(world, 1) != rows(world, 2)
