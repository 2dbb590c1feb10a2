"""Real processes that can be killed, held still and waited for."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import psutil

UP_WITHIN_S: Final = 120.0
STOP_WITHIN_S: Final = 60.0
ASK_EVERY_S: Final = 0.05
STOPPED: Final = '"worker_stopped"'


class Loud(Exception):
    """Something stopped, or stands still: loud, in contrast to a violation, which is silent."""


class Process:
    """One running ``rapport``; ended by its installation."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it."""
        self.name = name
        self.log = log
        self.port = int(environment.get("RAPPORT_PORT", "0"))
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, env=environment, cwd=log.parent, stdout=out, stderr=out
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs (a paused one does)."""
        return self._process.poll() is None

    @property
    def address(self) -> str:
        """Where its HTTP interface is."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path: str = "/readyz") -> bool:
        """Return whether it answers 200 now."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", path)
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False

    def stopped(self) -> str | None:
        """Return the line of its log that says that one of its workers gave up, if any did."""
        with self.log.open(errors="replace") as lines:
            return next((line.strip()[:300] for line in lines if STOPPED in line), None)

    def ready(self) -> "Process":
        """Wait until its HTTP interface is ready; return it.

        Raises:
            Loud: when it ends, or is not ready in time.
        """
        wait_until(self.answers, f"{self.name} is ready", UP_WITHIN_S, [self])
        return self

    def kill(self) -> None:
        """Kill it with SIGKILL; its HTTP server ends by itself within a second."""
        self._process.kill()
        self._process.wait()

    def kill_family(self) -> None:
        """Kill it and every process that it started with SIGKILL, and wait until all are gone."""
        family = psutil.Process(self.pid).children(recursive=True)
        self.kill()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, STOP_WITHIN_S)

    def terminate(self) -> None:
        """Ask it to stop, as an orchestrator does."""
        self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """Hold it still with SIGSTOP (its HTTP server runs on)."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on with SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def wait(self, within_s: float = STOP_WITHIN_S) -> int:
        """Wait for its end; return the exit code, negative for a signal.

        Raises:
            Loud: when it has not ended in time.
        """
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise Loud(f"{self.name} did not end within {within_s:g} s") from None

    def stop(self) -> int:
        """Stop it in order; return the exit code."""
        if self.alive:
            self.resume()
            self.terminate()
        return self.wait()


def wait_until(
    holds: Callable[[], bool],
    what: str,
    within_s: float,
    processes: Sequence[Process] = (),
) -> None:
    """Ask again and again until something holds.

    Args:
        holds: Asked every 50 ms.
        what: Names it, for the message.
        within_s: How long to wait at most.
        processes: None of them may end meanwhile.

    Raises:
        Loud: when a process ends, or it takes too long.
    """
    deadline = time.monotonic() + within_s
    while not holds():
        for process in processes:
            if not process.alive:
                raise Loud(f"{process.name} ended while waiting until {what}: {_last(process)}")
            if stopped := process.stopped():
                raise Loud(f"{process.name} stands still: {stopped}")
        if time.monotonic() > deadline:
            logs = "; ".join(f"{one.name}: {_last(one)}" for one in processes)
            raise Loud(f"waited {within_s:g} s in vain until {what} ({logs})")
        time.sleep(ASK_EVERY_S)


def _last(process: Process) -> str:
    lines = process.log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no word in its log"
