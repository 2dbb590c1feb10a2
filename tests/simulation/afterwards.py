"""Once all has come to rest: nothing more happens, and the stream read again says nothing new."""

from typing import Any

from tests.simulation.actions import End, Pass
from tests.simulation.judge import ledger
from tests.simulation.outcome import compare, outcome
from tests.simulation.processes import WORKERS
from tests.simulation.world import LEASES_RUN_OUT, World
from tests.support.rebuildable import emptied


def judge_rest(world: World) -> None:
    """See that new processes find nothing to do: no step, no message, no record."""
    before = _kept(world)
    _restart(world)
    world.act(Pass(LEASES_RUN_OUT))
    world.step_everybody()
    world.settle()
    assert _kept(world) == before, "something happened in a world at rest"


def judge_replay(world: World) -> None:
    """See that reading the stream anew gives the same, and tells nobody anything."""
    before, same = _told(world), outcome(world)
    with world.installation.database.write() as db:
        emptied(db)
    world.checks.forget()
    _restart(world)
    world.act(Pass(LEASES_RUN_OUT))
    world.step_everybody()
    world.settle()
    assert _told(world) == before, "reading the stream again told something"
    compare(same, outcome(world))


def _restart(world: World) -> None:
    for process in WORKERS:
        world.act(End(process))


def _kept(world: World) -> Any:
    return _told(world), world.checks.ends()


def _told(world: World) -> Any:
    rows = sorted((row.alert, row.number, row.channel, row.recipient, row.status)
                  for row in ledger(world))  # fmt: skip
    return rows, len(world.receivers.received)
