"""One seed: a scenario, a schedule, an end that is judged."""

import traceback
from dataclasses import dataclass
from typing import Final

from shared.stream.ports import EVENTS
from tests.simulation.afterwards import judge_replay, judge_rest
from tests.simulation.healing import heal
from tests.simulation.installation import Installation
from tests.simulation.judge import judge_arrivals, judge_end, on_stream
from tests.simulation.outcome import Outcome, compare, outcome
from tests.simulation.scenario import scenario
from tests.simulation.schedule import Schedule
from tests.simulation.world import World

SEEDS_PER_SCENARIO: Final = 20
"""Neighbouring seeds tell the same events, so that their fault-free run is made once."""


REPLAYED: Final = 8
"""In every so many seeds the whole stream is read again in the end."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed's run.

    Attributes:
        trace: Everything that happened, in order.
        reason: What did not hold; None where all did.
        digest: Of all that happened and was told: the same from the same seed, everywhere.
    """

    seed: int
    trace: tuple[str, ...]
    reason: str | None
    digest: str = ""


class Simulator:
    """Runs seeds, one after the other, in one installation."""

    def __init__(self, installation: Installation) -> None:
        """Have run nothing yet."""
        self._installation = installation
        self._plain: dict[int, Outcome] = {}
        self._world: World | None = None

    def run(self, seed: int) -> Run:
        """Run one seed and judge it; whatever goes wrong is its result."""
        world = None
        reason = None
        try:
            world = self.begin(seed // SEEDS_PER_SCENARIO, seed)
            Schedule(seed).run(world)
            self.end(world, replay=seed % REPLAYED == 0)
        except Exception:
            reason = traceback.format_exc()
        if world is None:
            return Run(seed, ("without any trouble",), reason)
        return Run(seed, tuple(world.trace), reason, world.digest())

    def begin(self, number: int, seed: int = 0) -> World:
        """Begin a world of a scenario; the one before it is over."""
        self._without_trouble(number)
        return self._fresh(number, seed)

    def end(self, world: World, *, replay: bool = False) -> None:
        """Heal a world and judge it.

        Args:
            world: The one that was begun last.
            replay: Whether the whole stream is read again in the end.
        """
        judge_arrivals(world, on_stream(world, EVENTS))
        heal(world)
        judge_end(world)
        compare(self._without_trouble(world.scenario.number), outcome(world))
        judge_rest(world)
        if replay:
            judge_replay(world)

    def _without_trouble(self, number: int) -> Outcome:
        """Return what a scenario comes to when nothing goes wrong."""
        if number not in self._plain:
            world = self._fresh(number, number)
            heal(world)
            judge_end(world)
            self._plain[number] = outcome(world)
        return self._plain[number]

    def close(self) -> None:
        """Let go of the last world."""
        if self._world is not None:
            self._world.close()
        self._world = None

    def _fresh(self, number: int, seed: int) -> World:
        # One world at a time: they share the installation's files.
        self.close()
        self._world = World(self._installation, scenario(number), seed)
        return self._world
