"""An installation of Rapport to be measured: its settings, its accounts, its processes."""

import base64
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from services.cli.catching_up import caught_up
from services.cli.common import opened
from shared.config import Settings, child_environment, load
from shared.errors import Unavailable
from shared.storage.engine import Database
from shared.stream.engines import open_stream
from shared.stream.ports import Stream
from tests.bench.webhooks import Source
from tests.support.accounts import SECRET_KEY
from tests.support.kafka_broker import free_port

UP_WITHIN_S: Final = 60
DOWN_WITHIN_S: Final = 60
SETTLED_WITHIN_S: Final = 1_200
ASK_EVERY_S: Final = 0.5


def settle(stream: Stream, db: Database) -> None:
    """Wait until every running consumer has handled all that the stream holds."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < deadline:
        # On a machine as busy as a benchmark makes it, a broker may answer late.
        with suppress(Unavailable):
            if caught_up(stream, db):
                return
        time.sleep(ASK_EVERY_S)
    raise TimeoutError("the consumers do not come to the end of the stream")


class Process:
    """A running HTTP server, with whatever it started."""

    def __init__(self, command: Sequence[str], port: int, environment: Mapping[str, str]) -> None:
        """Start it, and wait until it is ready."""
        self.port = port
        self._child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.process = psutil.Process(self._child.pid)
        deadline = time.monotonic() + UP_WITHIN_S
        while not self._ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not come up; try it by hand: {command}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it in order."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            self._child.wait(DOWN_WITHIN_S)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/readyz", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class Installation:
    """One organisation on a stream and a database of its own."""

    def __init__(self, folder: Path, stream: str, database: str, partitions: int = 12) -> None:
        """Make topics, tables, an organisation, a source that signs and a key that reads."""
        self.variables = {
            "RAPPORT_DATA_DIR": str(folder),
            "RAPPORT_STREAM": stream,
            "RAPPORT_DATABASE": database,
            "RAPPORT_SECRET_KEY": base64.b64encode(SECRET_KEY).decode(),
            "RAPPORT_PARTITIONS": str(partitions),
        }
        self.settings: Settings = load(self.variables)
        with opened(self.settings) as office:
            self.organisation = office.enrolment.create_organisation("Bench").id
            self.source = Source(*office.enrolment.create_source(self.organisation, "load"))
            _, self.token = office.enrolment.create_key(self.organisation, ["read"])
        made = open_stream(self.settings)
        made.create_topics()
        made.close()

    @contextmanager
    def running(self, *command: str) -> Iterator[Process]:
        """Run a command of ``rapport`` that serves, until the end of the block."""
        port = free_port()
        ports = {"RAPPORT_PORT": str(port), "RAPPORT_METRICS_PORT": str(free_port())}
        environment = child_environment({**self.variables, **ports}, ours_too=False)
        process = Process(["services.cli", *command], port, environment)
        try:
            yield process
        finally:
            process.stop()
