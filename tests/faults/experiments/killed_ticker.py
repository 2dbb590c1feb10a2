"""The ticker killed at every call."""

from collections.abc import Iterable

from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.killing import killed_at_every_call


def run(world: World) -> Iterable[str]:
    """Kill the ticker at every call: each tick reaches every partition all the same."""
    return killed_at_every_call(world, "ticker")


EXPERIMENT = Experiment(
    "killed-ticker",
    run,
    guards=(
        Guard(
            name="ticked-only-when-published",
            file="services/alerts/ticker.py",
            old="        self._publish(tick(tick_at, now))\n"
            "        self._lease.keep(to_micros(tick_at))\n",
            new="        self._lease.keep(to_micros(tick_at))\n"
            "        self._publish(tick(tick_at, now))\n",
        ),
    ),
)
