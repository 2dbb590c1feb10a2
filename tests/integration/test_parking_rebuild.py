"""A rebuild beside what serves, while a client of it is parked."""

from contextlib import closing

from services.projections import bootstrap
from services.projections.projector import Projector
from shared.storage.engine import Database
from shared.stream import parking, redrive, succession
from shared.stream.codec import encode
from shared.stream.parking import Entry
from shared.stream.ports import EVENTS, Record
from shared.stream.runner import Runner
from tests.support import events as an
from tests.support.poison import (
    Fragile,
    FragileModel,
    parked_rows,
    retry,
    states,
    without_data,
)
from tests.support.projected import DEADLINE_S, World
from tests.support.rebuilt import built, rebuilding, rebuilt, rows, serving

BEN = "cl_ben"


def test_who_is_parked_stays_so_in_the_next_generation(world: World, db: Database) -> None:
    """The rebuild leaves out what waits, holds no difference, and the queue can be retried."""
    told = [an.a_session_held(f"s{n}", an.on(7 * n), id=f"s{n}") for n in (1, 2, 3)]
    world.tell(told[0], without_data(told[1]), told[2], an.a_session_held("s1", client=BEN))
    before = world.timeline()
    assert before["parked"]["records"] == 2
    outcome = rebuilt(world)
    assert (outcome.switched, outcome.differences, serving(world)) == (True, [], 2)
    world.project()
    after = world.timeline()
    assert after["parked"]["consumers"] == ["projections.v1.g2"]
    assert after["parked"] | before["parked"] == before["parked"]
    with db.read() as reading:
        handler = bootstrap.handler(reading)
    (still,) = retry(db, handler, world.clock)
    assert (still.queue.consumer, still.left) == ("projections.v1.g2", 2)


def test_who_is_parked_while_it_reads_is_so_in_both(world: World, db: Database) -> None:
    """What serves parks a record that the next has not come to; the next never folds it."""
    world.tell(*(an.a_session_held(f"b{n}", an.on(n), client=BEN) for n in range(20)))
    poison = without_data(an.a_session_held("s1", an.on(1), id="s1"))

    def once() -> None:
        if not parked_rows(db):
            world.tell(poison)

    with rebuilding(world) as made:
        built(world, made, once)
        assert made.finish(world.clock.now(), "the same").switched
    held = {row.consumer for row in parked_rows(db)}
    assert held == {"projections.v1", "projections.v1.g2"}


def test_who_is_retried_while_it_is_built_is_listed(world: World, db: Database) -> None:
    """Nobody's facts are less after a switch unless an operator has seen that they will be."""
    fragile = Fragile({world.client()})
    world.runner.close()
    world.runner = world.another_runner(more=[FragileModel(fragile)])
    world.tell(an.a_session_held("s1", an.on(1)), an.a_session_held("b", client=BEN))
    fragile.clients.clear()
    with rebuilding(world) as made:
        built(world, made)
        with db.read() as reading:
            handler = bootstrap.handler(reading)
        (done,) = retry(db, handler, world.clock)
        assert done.left == 0
        outcome = made.finish(world.clock.now(), "the same")
    assert not outcome.switched
    assert [(one.client, one.what) for one in outcome.differences] == [(world.client(), "facts")]


def test_who_cannot_be_folded_still_stops_no_rebuild(world: World, db: Database) -> None:
    """Held back for what was kept of it before, it is left as it is; everybody else is folded."""
    poison = without_data(an.a_session_held("s1", an.on(1), id="s1"))
    with closing(Runner(world.stream, db, Projector(folding=False), world.clock)) as lenient:
        world.publisher.publish([encode(world.placed(poison), EVENTS)], DEADLINE_S)
        while not lenient.step(world.clock.now()):
            pass
    world.tell(an.a_session_held("s2", an.on(2)), an.a_session_held("b", client=BEN))
    assert states(db) == [(world.client(), "parked")]
    outcome = rebuilt(world)
    assert (outcome.switched, outcome.differences) == (True, [])
    assert rows(world, 2)["caseload"] == rows(world, 1)["caseload"] != []


def test_what_waited_for_a_dropped_generation_is_forgotten(world: World, db: Database) -> None:
    """Decisions stay; records that nobody will ever retry do not."""
    world.tell(*(without_data(an.a_session_held("s1", client=one)) for one in (an.CLIENT, BEN)))
    with db.write() as writing:
        (queue,) = redrive.queues(writing, client=world.client(BEN))
        redrive.evict(writing, queue, queue.head, by="jo", reason="wrong", now=world.clock.now())
    rebuilt(world)
    rebuilt(world)
    with db.write() as writing:
        succession.forget_dropped(writing)
    later = {(name, True) for name in ("projections.v1.g2", "projections.v1.g3")}
    of_anna = {(row.consumer, row.held) for row in parked_rows(db) if row.state != "evicted"}
    of_ben = {(row.consumer, row.held) for row in parked_rows(db) if row.state == "evicted"}
    assert (of_anna, of_ben) == (later, {("projections.v1", False), *later})


def test_who_only_the_new_release_parked_is_free_after_going_back(
    world: World, db: Database
) -> None:
    """What the generation that was kept has handled is not held back there."""
    world.tell(an.a_session_held("s1", an.on(1)))
    rebuilt(world)
    world.project()
    (record,) = _records(world)
    with db.write() as writing:
        held = Entry(record, (world.organisation, world.client()), "Bug", "")
        parking.park(writing, "projections.v1.g2", [held], world.clock.now())
    assert world.timeline()["parked"]
    with rebuilding(world, of="previous", compare=False) as made:
        built(world, made)
        assert made.finish(world.clock.now(), "anything").switched
    assert world.timeline()["parked"] is None


def _records(world: World) -> list[Record]:
    with closing(world.stream.consumer("test", [EVENTS], lambda _: 0)) as reader:
        return [one for _ in range(5) for one in reader.poll(100, 0.01)]
