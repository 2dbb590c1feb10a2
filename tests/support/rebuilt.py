"""Rebuilding the timelines of a world, step by step, beside whatever else happens."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from sqlalchemy import select, text

from services.projections import read_models
from services.projections.read_models import TIMELINES
from services.projections.rebuild import Candidate
from shared.storage import generations
from shared.storage.engine import Borrowing
from shared.storage.generations import Generation, State
from shared.stream.rebuilding import Accept, Outcome, Rebuilding
from tests.support.projected import World

STEPS_LIMIT = 1_000


def generation(world: World, state: State) -> Generation | None:
    """Return the generation in a state."""
    with world.db.read() as db:
        return generations.in_state(db, TIMELINES.name, state)


def serving(world: World) -> int:
    """Return which generation serves."""
    with world.db.read() as db:
        return generations.active(db, TIMELINES.name)


@contextmanager
def rebuilding(
    world: World,
    *,
    of: State = "building",
    compare: bool = True,
    candidate: type[Candidate] = Candidate,
) -> Iterator[Rebuilding]:
    """Open a rebuild as the command does: of a next generation, or of the one that was kept."""
    with world.db.write() as db:
        old = generations.in_state(db, TIMELINES.name, "active")
        new = (
            generations.begin(db, TIMELINES)
            if of == "building"
            else generations.in_state(db, TIMELINES.name, of)
        )
    assert old is not None
    assert new is not None
    with closing(Borrowing(world.db.url)) as database:
        made = Rebuilding(
            database,
            world.stream,
            candidate(new.number, folded_at_once=2),
            old,
            new,
            world.clock,
            compare=compare,
            read_at_once=5,
        )
        with closing(made):
            yield made


def built(world: World, made: Rebuilding, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Step until it may be finished; between any two steps something may happen."""
    for _ in range(STEPS_LIMIT):
        if not made.step(world.clock.now()):
            return
        meanwhile()
    raise AssertionError("the rebuild does not come to an end")


def rebuilt(world: World, accept: Accept = "the same") -> Outcome:
    """Rebuild from the beginning to the end."""
    with rebuilding(world) as made:
        built(world, made)
        return made.finish(world.clock.now(), accept)


def rows(world: World, number: int) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that a generation holds, by what it is."""
    names = read_models.declared(number).names
    with world.db.read() as db:
        return {
            what: sorted(
                (tuple(row) for row in db.execute(text(f"SELECT * FROM {name}"))),  # noqa: S608 - ours.
                key=repr,
            )
            for what, name in names.items()
        }


def corrupted(world: World, standing: str = "falling") -> None:
    """Write by hand into the caseload that serves what no fold came to."""
    table = read_models.of(serving(world)).caseload.tables[0]
    with world.db.write() as db:
        assert db.execute(select(table)).first() is not None
        db.execute(table.update().values(standing=standing))
