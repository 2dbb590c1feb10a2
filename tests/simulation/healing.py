"""After the trouble: what is unknown is sent again, what waits is delivered, all comes to rest.

The end is at one moment in every world, so that two worlds with the same facts can be compared.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from services.alerts.ledger import LEDGER, PENDING
from shared.clock import from_micros, to_micros
from tests.simulation.actions import Send
from tests.simulation.processes import INGEST
from tests.simulation.scenario import END, HEARTBEAT_AT, LAST_TICK, STORIES_END
from tests.simulation.world import World

ROUNDS: Final = 100
"""Requests, or retries, after which something will never succeed."""


def live_plainly(world: World) -> None:
    """Let everything be told at its time and in order, without any trouble."""
    while True:
        now = world.clock.now()
        tell_all(world)
        world.settle()
        later = [caller.next_at(now) for caller in world.callers.values()]
        times = [one for one in later if one is not None and one <= STORIES_END]
        if not times:
            return
        world.clock.set(min(times))


def heal(world: World) -> None:
    """End the trouble; send what is unknown again, deliver what waits, and go on to the end."""
    world.receivers.moods.clear()
    world.installation.points.away.clear()
    live_plainly(world)
    deliver_all(world)
    world.clock.set(max(world.clock.now(), STORIES_END))
    for moment in (HEARTBEAT_AT, END, LAST_TICK):
        assert world.clock.now() < moment
        world.clock.set(moment)
        tell_all(world)
        world.settle()
        deliver_all(world)


def tell_all(world: World) -> None:
    """Send whatever is due until it is acknowledged."""
    for name, caller in world.callers.items():
        for _ in range(ROUNDS):
            if not caller.due(world.clock.now()):
                break
            world.act(Send(name, 0, 3, INGEST[0], "fine"))
        assert not caller.due(world.clock.now()), f"{name} is not heard"


def deliver_all(world: World) -> None:
    """Let time pass until every retry has had its turn."""
    for _ in range(ROUNDS):
        due_at = _next_retry(world)
        if due_at is None:
            return
        world.clock.set(due_at)
        world.settle()
    raise AssertionError("something is never delivered")


def _next_retry(world: World) -> datetime | None:
    """Return when the next row is due; one that is due already waits for a step before it."""
    asked = select(func.min(LEDGER.c.due_at)).where(
        LEDGER.c.status == PENDING, LEDGER.c.due_at > to_micros(world.clock.now())
    )
    with world.installation.database.read() as db:
        found = db.scalar(asked)
    return None if found is None else from_micros(found)
