"""Several ingest processes on one port: they count together, and losing one loses nothing."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.front_door import STRUCTURED, FrontDoor, a_rating
from tests.support.missing import Missing
from tests.support.served import Served

WORKERS = 2
SENDERS = 6
PATIENCE_S = 60
ENDS_WITHIN_S = 9
"""Less than a worker that does not end by itself is given before it is killed."""
ACCEPTED = "rapport_events_accepted_total"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a registered source on the embedded engine, and the stream that it reads back."""
    made = FrontDoor(tmp_path)
    yield made
    made.close()


@dataclass
class Load:
    """Senders that send one event after the other, and note what became of each.

    Attributes:
        sent: Ids whose request was begun.
        accepted: Ids that were answered with 202.
        answers: Every other status that was seen.
    """

    door: FrontDoor
    port: int
    sent: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, sender: int) -> None:
        """Send until told to stop; a connection that breaks is made anew."""
        headers = {**self.door.ehr.bearer, "content-type": STRUCTURED}
        number = 0
        while not self._stop.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as line:
                try:
                    while not self._stop.is_set():
                        number += 1
                        self._send(line, f"e-{sender}-{number}", headers)
                except (OSError, http.client.HTTPException):
                    self._stop.wait(0.02)

    def _send(self, line: http.client.HTTPConnection, name: str, headers: dict[str, str]) -> None:
        self.sent.append(name)
        line.request("POST", "/v1/events", json.dumps(a_rating(id=name)), headers)
        answer = line.getresponse()
        answer.read()
        if answer.status == 202:
            self.accepted.append(name)
        else:
            self.answers.append(answer.status)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send during the block."""
        threads = [threading.Thread(target=self.run, args=(n,)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(PATIENCE_S)

    def go_on(self, more: int = 30) -> None:
        """Wait until some more events were accepted."""
        wanted = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= wanted, "more is accepted")


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again; fail when it does not come true in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that a process started, in order."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def http_server(served: Served) -> int:
    """Return the process that looks after the workers."""
    [server] = children(served.process.pid)
    return server


def workers(served: Served) -> Sequence[int]:
    """Return the processes that share the port, once all are there."""
    wait_until(lambda: len(children(http_server(served))) == WORKERS, "all workers are there")
    return children(http_server(served))


def metrics(served: Served) -> str:
    """Return what one of the processes, whichever it is, tells for all."""
    with closing(served.connect()) as line:
        line.request("GET", "/metrics")
        return line.getresponse().read().decode()


def accepted(text: str) -> float:
    """Return how many events the metrics say were accepted."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == ACCEPTED
    )


def test_a_killed_worker_is_replaced_and_nothing_is_lost(door: FrontDoor) -> None:
    """kill -9 of one of two under load: the other goes on, a third comes, all counts stay."""
    with Served(door.settings, "--workers", str(WORKERS)) as served:
        load = Load(door, served.port)
        with load.running():
            load.go_on()
            killed = workers(served)[0]
            os.kill(killed, signal.SIGKILL)
            load.go_on()
            wait_until(lambda: killed not in children(http_server(served)), "it is gone")
            assert killed not in workers(served)
            load.go_on()
        told = {accepted(metrics(served)) for _ in range(8)}
        assert len(told) == 1, "every process tells for all"
        assert len(load.accepted) <= told.pop() <= len(load.sent)
        text = metrics(served)
        assert "pid=" not in text
        check_by_promtool(text)
    assert served.process.returncode == 0
    assert load.answers == []
    assert_all_there(door, load)


def test_a_stop_under_load_loses_nothing(door: FrontDoor) -> None:
    """SIGTERM under load, while one worker still starts: an end in time, every 202 there."""
    served = Served(door.settings, "--workers", str(WORKERS))
    load = Load(door, served.port)
    with load.running():
        load.go_on()
        before = set(workers(served))
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: bool(set(children(http_server(served))) - before), "one starts")
        served.terminate()
        began = time.monotonic()
        code = served.process.wait(PATIENCE_S)
        took_s = time.monotonic() - began
    assert code == 0
    assert took_s < ENDS_WITHIN_S
    # A request that came while the process stopped may have been told to come again.
    assert set(load.answers) <= {503}
    assert_all_there(door, load)


def test_a_killed_server_leaves_nobody_on_the_port(door: FrontDoor) -> None:
    """When the process that looks after the workers is killed, the command ends, and they too."""
    served = Served(door.settings, "--workers", str(WORKERS))
    left = workers(served)
    os.kill(http_server(served), signal.SIGKILL)
    assert served.process.wait(PATIENCE_S) == 1
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), "they are gone")


def assert_all_there(door: FrontDoor, load: Load) -> None:
    """See that acknowledged ⊆ stream ⊆ sent."""
    kept = {envelope.event.id for envelope in door.envelopes()}
    assert set(load.accepted) <= kept <= set(load.sent)


def check_by_promtool(text: str) -> None:
    """See that Prometheus' own linter has nothing to say.

    Raises:
        Missing: when it is not installed.
    """
    promtool = shutil.which("promtool")
    if promtool is None:
        raise Missing("promtool is missing; install it with: apt-get install prometheus")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
