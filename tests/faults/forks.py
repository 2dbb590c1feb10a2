"""The parent of ``children/steps.py``: processes that die or stop at their n-th call."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults.installation import Installation
from tests.faults.processes import Loud

PROGRAM: Final = "tests.faults.children.steps"


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an order.

    Attributes:
        pid: Of the process.
        code: Its exit code, negative for a signal; None while it lives.
        stopped: Whether SIGSTOP holds it.
    """

    pid: int
    code: int | None
    stopped: bool

    @property
    def killed(self) -> bool:
        """Whether it reached its n-th call and died there."""
        return self.code == -signal.SIGKILL


class Forks:
    """Gives orders, one at a time."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        """Take a running program."""
        self._process = process
        self._log = log
        self._living: set[int] = set()

    def order(self, **order: Any) -> Ended:
        """Give an order and wait for its end, or for its stop.

        Raises:
            Loud: when it fails otherwise than by its signal.
        """
        answer = self._ask(order)
        ended = Ended(answer["pid"], answer.get("code"), answer.get("stopped", False))
        (self._living.add if ended.code is None else self._living.discard)(ended.pid)
        if ended.code not in (None, 0, -signal.SIGKILL, -signal.SIGTERM):
            last = self._log.read_text(errors="replace").strip().splitlines()
            raise Loud(f"a worker failed: {last[-1][:300] if last else ended.code}")
        return ended

    def resume(self, ended: Ended) -> Ended:
        """Let a stopped process go on, and wait for its end."""
        return self.order(signal_to=ended.pid, number=signal.SIGCONT)

    def end(self, ended: Ended) -> Ended:
        """Ask one in the background to end, unless it has, and wait for that."""
        return self.order(signal_to=ended.pid, number=signal.SIGTERM)

    def close(self) -> None:
        """Kill the program, and whatever it left stopped or in the background."""
        for pid in self._living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.communicate()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Loud(f"{PROGRAM} ended; see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def forks(site: Installation, name: str = "forks") -> Iterator[Forks]:
    """Run the program on the source tree of an installation."""
    log = site.folder / f"{name}.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", PROGRAM],
            env=site.environment(),
            cwd=site.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with closing(Forks(process, log)) as made:
        yield made
