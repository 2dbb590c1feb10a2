"""One seed: a scenario, a schedule, an end that is judged."""

import traceback
from dataclasses import dataclass
from typing import Final

from tests.simulation.healing import heal
from tests.simulation.installation import Installation
from tests.simulation.judge import judge_arrivals, judge_end
from tests.simulation.outcome import Outcome, compare, outcome
from tests.simulation.scenario import scenario
from tests.simulation.schedule import Schedule
from tests.simulation.world import World

SEEDS_PER_SCENARIO: Final = 20
"""Neighbouring seeds tell the same events, so that their fault-free run is made once."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed's run.

    Attributes:
        trace: Everything that happened, in order.
        reason: What did not hold; None where all did.
    """

    seed: int
    trace: tuple[str, ...]
    reason: str | None


class Simulator:
    """Runs seeds, one after the other, in one installation."""

    def __init__(self, installation: Installation) -> None:
        """Have run nothing yet."""
        self._installation = installation
        self._plain: tuple[int, Outcome] | None = None

    def run(self, seed: int) -> Run:
        """Run one seed and judge it; whatever goes wrong is its result."""
        number = seed // SEEDS_PER_SCENARIO
        try:
            expected = self._without_trouble(number)
        except Exception:
            return Run(seed, (f"scenario {number} without any trouble",), traceback.format_exc())
        world = World(self._installation, scenario(number), seed)
        reason = None
        try:
            Schedule(seed).run(world)
            judge_arrivals(world)
            heal(world)
            judge_end(world)
            compare(expected, outcome(world))
        except Exception:
            reason = traceback.format_exc()
        finally:
            world.close()
        return Run(seed, tuple(world.trace), reason)

    def _without_trouble(self, number: int) -> Outcome:
        """Return what a scenario comes to when nothing goes wrong."""
        if self._plain is None or self._plain[0] != number:
            world = World(self._installation, scenario(number), number)
            try:
                heal(world)
                judge_end(world)
                self._plain = (number, outcome(world))
            finally:
                world.close()
        return self._plain[1]
