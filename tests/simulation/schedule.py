"""Schedules of chance: the same seed gives the same actions in the same world."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, get_args

from tests.simulation.actions import Action, Arrive, End, Fate, Mind, Pass, Send, Step
from tests.simulation.installation import ROLES
from tests.simulation.points import Fault, Kind
from tests.simulation.processes import INGEST, WORKERS
from tests.simulation.receivers import Mood
from tests.simulation.scenario import ORGANISATIONS
from tests.simulation.world import EVERY_WORKER, World

LONG_ENOUGH: Final = (1, 5, 20, 61, 400, 7_200)
"""Seconds that pass: below and above each lease, retry and claim."""

PATIENCE: Final = 250
"""Actions after which what has not been told yet is told without trouble."""

STEP_LENGTHS: Final = (3, 8, 40)
"""Points that an idle, a short and a long step reaches."""


class Schedule:
    """What happens next, by chance."""

    def __init__(self, seed: int) -> None:
        """Have some schedules be mild and others wild."""
        self._chance = random.Random(f"schedule {seed}")
        self._trouble = self._chance.choice((0.05, 0.15, 0.3))

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
        if draw < 0.30:
            yield self._send()
        elif draw < 0.75:
            yield self._step(world, depth=0)
        elif draw < 0.92:
            yield self._pass(world)
        elif draw < 0.95:
            yield Arrive(chance.choice(INGEST))
        elif draw < 0.98:
            yield Mind(chance.choice(ORGANISATIONS), chance.choice(ROLES),
                       chance.choice((*get_args(Mood), "fine", "fine")))  # fmt: skip
        else:
            yield End(chance.choice((*INGEST, *WORKERS)), orderly=chance.random() < 0.3)

    def _send(self) -> Send:
        chance = self._chance
        fate: Fate = "fine"
        pick = 0
        if chance.random() < self._trouble * 2:
            fate = chance.choice(get_args(Fate))
            pick = chance.randint(0, 5)
        return Send(chance.choice(ORGANISATIONS), pick, chance.randint(1, 3),
                    chance.choice(INGEST), fate, self._fault(pauses=False))  # fmt: skip

    def _step(self, world: World, depth: int) -> Step:
        """Choose whose turn it is: most often somebody's who has work."""
        chance = self._chance
        work = world.with_work() if chance.random() < 0.9 else []
        process, worker = chance.choice(work or EVERY_WORKER)
        fault = self._fault(pauses=depth < 2)
        meanwhile: tuple[Action, ...] = ()
        if fault is not None and fault.kind == "pause":
            meanwhile = tuple(self._meanwhile(world, process, worker, depth + 1))
        return Step(process, worker, fault, meanwhile)

    def _meanwhile(self, world: World, process: str, worker: str, depth: int) -> Iterator[Action]:
        """Yield what others do during a pause: most often whoever stands in, after a while."""
        chance = self._chance
        if chance.random() < 0.3:
            yield self._send()
        if chance.random() < 0.8:
            yield Pass(timedelta(seconds=chance.choice(LONG_ENOUGH)))
        if chance.random() < 0.2:
            yield End(process)
        twin = f"{process[:-1]}{3 - int(process[-1])}"
        for _ in range(chance.randint(1, 4)):
            draw = chance.random()
            if draw < 0.6:
                yield Step(twin, worker, self._fault(pauses=False))
            elif draw < 0.8:
                yield self._step(world, depth)
            else:
                yield self._send()

    def _fault(self, *, pauses: bool) -> Fault | None:
        chance = self._chance
        if chance.random() >= self._trouble:
            return None
        kinds: tuple[Kind, ...] = ("crash", "away", "pause") if pauses else ("crash", "away")
        return Fault(chance.randint(1, chance.choice(STEP_LENGTHS)), chance.choice(kinds))

    def _pass(self, world: World) -> Pass:
        chance = self._chance
        if world.something_due() and chance.random() < 0.7:
            return Pass(timedelta(seconds=chance.choice(LONG_ENOUGH)))
        return Pass(None)
