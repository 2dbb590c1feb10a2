"""Schedules of chance: the same seed gives the same actions in the same world."""

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, get_args

from tests.simulation.actions import Action, Arrive, Away, End, Fate, Mind, Pass, Send, Step
from tests.simulation.installation import ROLES
from tests.simulation.points import Fault, Point, Side, kinds_at
from tests.simulation.processes import INGEST, WORKERS
from tests.simulation.receivers import Mood
from tests.simulation.scenario import ORGANISATIONS
from tests.simulation.world import EVERY_WORKER, World

LONG_ENOUGH: Final = (1, 5, 20, 61, 400, 7_200)
"""Seconds that pass: below and above each lease, retry and claim."""

PATIENCE: Final = 250
"""Actions after which what has not been told yet is told without trouble."""

POINTS: Final[Mapping[str, tuple[Point, ...]]] = {
    "runner": ("poll", "polled", "polled", "begin", "begin", "statement", "commit", "committed",
               "read", "courtesy"),
    "ticker": ("read", "begin", "statement", "commit", "committed", "publish", "published"),
    "deliverer": ("read", "begin", "statement", "commit", "committed", "committed", "publish",
                  "published", "send", "send", "sent", "sent"),
    "ingest": ("read", "begin", "begin", "statement", "commit", "committed", "publish",
               "published"),
}  # fmt: skip
"""What each worker reaches; what matters most more often."""

OFTEN: Final[Mapping[str, tuple[int, ...]]] = {
    "runner": (1, 1, 1, 3),
    "ticker": (1, 2, 3),
    "deliverer": (1, 2, 4),
    "ingest": (1, 1, 2),
}
"""How often a step reaches such a point."""

TURNS: Final[Mapping[str, int]] = {"runner": 2, "ticker": 1, "deliverer": 2}
"""How often a worker has its turn; each tick is work for all who read."""

STATEMENTS: Final[Mapping[str, int]] = {"runner": 30, "ticker": 8, "deliverer": 30, "ingest": 3}
"""Statements of a long step."""


class Schedule:
    """What happens next, by chance."""

    def __init__(self, seed: int) -> None:
        """Have some schedules be mild and others wild."""
        self._chance = random.Random(f"schedule {seed}")
        self._trouble = self._chance.choice((0.1, 0.25, 0.4))

    def run(self, world: World) -> None:
        """Let everything be told, with trouble on the way."""
        for _ in range(PATIENCE):
            for action in self._some(world):
                world.act(action)
            if all(caller.told for caller in world.callers.values()):
                return

    def _some(self, world: World) -> Iterator[Action]:
        """Yield one action or a few that belong together."""
        chance = self._chance
        draw = chance.random()
        due = world.callers_with_something_due()
        if draw < 0.40 and due:
            yield self._send(chance.choice(due))
        elif draw < 0.80:
            yield self._step(world, depth=0)
        elif draw < 0.92:
            yield self._pass(bool(due))
        elif draw < 0.94:
            yield Arrive(chance.choice(INGEST), chance.randint(0, 2))
        elif draw < 0.97:
            yield Mind(chance.choice(ORGANISATIONS), chance.choice(ROLES),
                       chance.choice((*get_args(Mood), "fine", "fine")))  # fmt: skip
        elif draw < 0.98:
            yield Away(chance.choice(get_args(Side)))
        else:
            yield End(chance.choice((*INGEST, *WORKERS)), orderly=chance.random() < 0.3)

    def _send(self, organisation: str) -> Send:
        chance = self._chance
        fate: Fate = "fine"
        pick = 0
        if chance.random() < self._trouble * 2:
            fate = chance.choice(get_args(Fate))
            pick = chance.randint(0, 5)
        first, other = chance.sample(INGEST, 2)
        count, faults = chance.randint(1, 3), self._faults("ingest", pauses=True)
        # The same again to the other replica, as a caller does who lost patience.
        again = (Send(organisation, pick, count, other, "fine"),)
        return Send(organisation, pick, count, first, fate, faults, again)

    def _step(self, world: World, depth: int) -> Step:
        """Choose whose turn it is: most often somebody's who has work."""
        chance = self._chance
        work = world.with_work() if chance.random() < 0.95 else []
        if chance.random() < 0.75:
            work = world.at_work(work) or work
        of = work or EVERY_WORKER
        ((process, worker),) = chance.choices(of, [TURNS[worker] for _, worker in of])
        faults = self._faults(worker, pauses=depth < 2)
        meanwhile: tuple[Action, ...] = ()
        if any(fault.kind == "pause" for fault in faults):
            meanwhile = tuple(self._meanwhile(world, process, worker, depth + 1))
        return Step(process, worker, faults, meanwhile)

    def _meanwhile(self, world: World, process: str, worker: str, depth: int) -> Iterator[Action]:
        """Yield what others do during a pause: most often whoever stands in, after a while."""
        chance = self._chance
        if chance.random() < 0.3:
            yield self._send(chance.choice(ORGANISATIONS))
        if chance.random() < 0.8:
            yield Pass(timedelta(seconds=chance.choice(LONG_ENOUGH)))
        if chance.random() < 0.2:
            yield End(process)
        twin = f"{process[:-1]}{3 - int(process[-1])}"
        for _ in range(chance.randint(1, 4)):
            draw = chance.random()
            if draw < 0.6:
                yield Step(twin, worker, self._faults(worker, pauses=False))
            elif draw < 0.8:
                yield self._step(world, depth)
            else:
                yield self._send(chance.choice(ORGANISATIONS))

    def _faults(self, worker: str, *, pauses: bool) -> tuple[Fault, ...]:
        """Return what hits a step: mostly nothing, seldom two things."""
        chance = self._chance
        # Deliveries are rare, and each is worth its trouble.
        trouble = self._trouble * (2 if worker == "deliverer" else 1)
        if chance.random() >= trouble:
            return ()
        first = self._fault(worker, pauses=pauses)
        return (first,) if chance.random() >= trouble else (first, self._fault(worker))

    def _fault(self, worker: str, *, pauses: bool = False) -> Fault:
        chance = self._chance
        point = chance.choice(POINTS[worker])
        often = STATEMENTS[worker] if point == "statement" else chance.choice(OFTEN[worker])
        return Fault(
            chance.choice(kinds_at(point, pauses=pauses)), point, chance.randint(1, often)
        )

    def _pass(self, due: bool) -> Pass:
        chance = self._chance
        if due and chance.random() < 0.7:
            return Pass(timedelta(seconds=chance.choice(LONG_ENOUGH)))
        return Pass(None)
