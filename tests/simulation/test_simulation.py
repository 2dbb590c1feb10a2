"""The simulation in short: fresh seeds each time, the same world from the same seed."""

import json
import secrets
import subprocess
import sys
from typing import Final

from shared.config import child_environment
from tests.simulation.installation import an_installation
from tests.simulation.many import LARGEST_SEED
from tests.simulation.simulate import Simulator

SEEDS: Final = 40
"""Fresh ones at each run, so that every run looks somewhere else."""


def test_whatever_goes_wrong_the_end_is_right() -> None:
    """Under crashes, outages, pauses and a bad network, everything ends as without them."""
    first = secrets.randbelow(LARGEST_SEED)
    with an_installation() as installation:
        simulator = Simulator(installation)
        for seed in range(first, first + SEEDS):
            run = simulator.run(seed)
            assert run.reason is None, (
                f"replay it: make simulation SEED={seed}\n{run.reason}\n"
                + "\n".join(run.trace[-40:])
            )


def test_a_seed_replays_in_another_process() -> None:
    """The same seed gives the same actions, hits and times, whatever Python's hashes are."""
    script = (
        "import json, sys\n"
        "from tests.simulation.many import some\n"
        "print(json.dumps([run.trace for run in some([int(sys.argv[1])])]))\n"
    )
    traces = [
        subprocess.run(
            [sys.executable, "-c", script, "4021"],
            env=child_environment({"PYTHONHASHSEED": seed}),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert traces[0] == traces[1]
    assert len(json.loads(traces[0])[0]) > 50
