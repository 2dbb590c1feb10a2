"""Rebuilding the alerts of a world by some rules, as the command does."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from services.alerts import tables
from services.alerts.rebuild import Candidate
from services.alerts.rule import Rule
from shared.storage import generations
from shared.storage.engine import Borrowing
from shared.storage.generations import State
from shared.stream.rebuilding import Accept, Outcome, Rebuilding
from tests.support.alerting import AlertsWorld

STEPS_LIMIT: Final = 500


@contextmanager
def rebuilding(
    world: AlertsWorld,
    rules: Sequence[Rule],
    *,
    of: State = "building",
    compare: bool = True,
    candidate: type[Candidate] = Candidate,
) -> Iterator[Rebuilding]:
    """Open a rebuild by some rules, as the command does."""
    which = tables.judged_by(rules)
    with world.db.write() as db:
        old = generations.in_state(db, which.name, "active")
        new = (
            generations.begin(db, which)
            if of == "building"
            else generations.in_state(db, which.name, of)
        )
    assert old is not None
    assert new is not None
    with closing(Borrowing(world.db.url)) as database:
        filling = candidate(new.number, rules, world.office.accounts.recipients, judged_at_once=2)
        made = Rebuilding(
            database, world.stream, filling, old, new, world.clock,
            compare=compare, read_at_once=10,
        )  # fmt: skip
        with closing(made):
            yield made


def rebuilt(world: AlertsWorld, rules: Sequence[Rule], accept: Accept = "the same") -> Outcome:
    """Rebuild from the beginning to the end."""
    with rebuilding(world, rules) as made:
        for _ in range(STEPS_LIMIT):
            if not made.step(world.clock.now()):
                return made.finish(world.clock.now(), accept)
    raise AssertionError("the rebuild does not come to an end")
