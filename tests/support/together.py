"""Processes that do the same at the same moment."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

FINISH_WITHIN_S = 60

_GATE = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"


def run_together(
    script: str,
    arguments: Sequence[str],
    count: int,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Run a Python script in ``count`` processes, and let all go on at ``# go`` at once.

    Args:
        script: Has one line ``# go``: what stands above it is prepared before anybody starts.
        arguments: Its ``sys.argv[1:]``.
        count: How many processes.
        environment: Of the processes; this one's when None.

    Returns:
        What each wrote to stdout after it started.
    """
    gated = script.replace("# go\n", _GATE, 1)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", gated, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    written = []
    for process in processes:
        out, problems = process.communicate(timeout=FINISH_WITHIN_S)
        assert process.returncode == 0, problems
        written.append(out)
    return written
