"""The installed command as a real process: everything up, a webhook in, a timeline out, an end."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks.webhooks import Webhook

from shared.config import child_environment
from tests.support.kafka_broker import free_port

PATIENCE_S = 60
RAPPORT = [sys.executable, "-m", "services.cli"]


@dataclass
class Installation:
    """A folder with a configuration, and commands run in it."""

    variables: Mapping[str, str]
    http: urllib3.PoolManager

    def rapport(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return its JSON."""
        done = subprocess.run(
            [*RAPPORT, *arguments, "--json"],
            env=child_environment(self.variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def base(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.variables['RAPPORT_PORT']}"

    def get(self, path: str, token: str = "") -> urllib3.BaseHTTPResponse:
        """Return an answer of the API."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return self.http.request("GET", self.base + path, headers=headers, retries=False)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation on free ports and an empty folder."""
    return Installation(
        {
            "RAPPORT_DATA_DIR": str(tmp_path / "data"),
            "RAPPORT_PORT": str(free_port()),
            "RAPPORT_METRICS_PORT": str(free_port()),
        },
        urllib3.PoolManager(),
    )


@contextmanager
def running(installation: Installation, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a command until the end of the block, and see that it ends in order."""
    process = subprocess.Popen(
        [*RAPPORT, *command],
        env=child_environment(installation.variables),
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(installation), "the API answers")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
    assert code == 0


def answers(installation: Installation) -> bool:
    """Return whether the API is ready."""
    try:
        return bool(installation.get("/readyz").status == 200)
    except urllib3.exceptions.HTTPError:
        return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again; fail when it does not come true in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def a_signed_rating(secret: str) -> tuple[bytes, dict[str, str]]:
    """Return a rating with a risk item, signed by a foreign library."""
    body = json.dumps(
        {
            "specversion": "1.0",
            "id": "r-1",
            "source": "urn:practice",
            "type": "rapport.rating.given",
            "time": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
            "subject": "client-17",
            "data": {
                "clinic": "north",
                "therapist": "t-4",
                "instrument": "phq-9",
                "rater": "client",
                "items": {str(number): 1 for number in range(1, 9)} | {"9": 3},
            },
        }
    )
    now = datetime.now(UTC)
    return body.encode(), {
        "content-type": "application/cloudevents+json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }


def test_everything_up_takes_shows_tells_and_ends(installation: Installation) -> None:
    """One command runs it all: a webhook becomes a timeline and an alert; SIGTERM ends it."""
    with running(installation, "up"):
        installation.rapport("org", "create", "Northside")
        installation.rapport("clinic", "set", "north", "--timezone", "Europe/London",
                             "--sends", "ratings")  # fmt: skip
        source = installation.rapport("source", "create", "practice-system")
        token = installation.rapport("key", "create", "--right", "read")["token"]
        body, headers = a_signed_rating(source["secret"])
        taken = installation.http.request("POST", source["webhook"], body=body, headers=headers)
        assert taken.status == 202, taken.data
        client = taken.json()["accepted"][0]["client"]
        path = f"/v1/clients/{client}/timeline"
        wait_until(lambda: len(installation.get(path, token).json()["ratings"]) == 1, "it shows")
        wait_until(
            lambda: bool(installation.get("/v1/alerts", token).json()["alerts"]), "it is raised"
        )
        alert = installation.get("/v1/alerts", token).json()["alerts"][0]
        assert (alert["rule"], alert["urgency"]) == ("risk-item", "urgent")
        assert_metrics(installation, installation.base + "/metrics", "rapport_events_accepted")
        workers = f"http://127.0.0.1:{installation.variables['RAPPORT_METRICS_PORT']}/metrics"
        assert_metrics(installation, workers, "rapport_records_handled")


def assert_metrics(installation: Installation, address: str, name: str) -> None:
    """See that the metrics parse, hold one of ours, and each has a sentence of help."""
    text = installation.http.request("GET", address).data.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families[name].samples
    assert all(family.documentation for family in families.values())


def test_ingest_in_two_processes_adds_up_its_metrics(installation: Installation) -> None:
    """Processes that share a port answer alike, and count together, without process ids."""
    with running(installation, "serve", "ingest", "--workers", "2"):
        text = installation.get("/metrics").data.decode()
        assert "rapport_publish_seconds_count" in text
        assert "pid=" not in text


def test_a_wrong_configuration_ends_with_every_problem(installation: Installation) -> None:
    """Wrong settings are told all at once, and the exit code is 2."""
    wrong = {**installation.variables, "RAPPORT_STREAM": "rabbit", "RAPPORT_PORT": "http"}
    done = subprocess.run(
        [*RAPPORT, "up"],
        env=child_environment(wrong),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "RAPPORT_STREAM" in done.stderr
    assert "RAPPORT_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_ends_the_start(installation: Installation, tmp_path: Path) -> None:
    """A second installation never shares the port of the first; nothing of it is left running."""
    with running(installation, "up"):
        second = {**installation.variables, "RAPPORT_DATA_DIR": str(tmp_path / "second")}
        for command, named in (
            (["up"], ["RAPPORT_PORT", "RAPPORT_METRICS_PORT"]),
            (["serve", "ingest"], ["RAPPORT_PORT"]),
        ):
            done = subprocess.run(
                [*RAPPORT, *command],
                env=child_environment(second),
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
            assert done.returncode == 2
            told = done.stderr.splitlines()
            assert [line.split(":")[0] for line in told if "cannot listen" in line] == named
            assert "Traceback" not in done.stderr


def test_what_was_killed_may_start_again(installation: Installation) -> None:
    """A killed parent takes its HTTP server with it, so the port is free for the next start."""
    killed = subprocess.Popen(
        [*RAPPORT, "up"], env=child_environment(installation.variables), stderr=subprocess.DEVNULL
    )
    wait_until(lambda: answers(installation), "the API answers")
    killed.kill()
    killed.wait(PATIENCE_S)
    wait_until(lambda: not listens(installation), "nobody listens any more")
    with running(installation, "up"):
        installation.rapport("org", "create", "Northside")


def test_a_server_whose_starter_is_gone_already_ends(installation: Installation) -> None:
    """Killed before its HTTP server had loaded, a starter leaves no server that keeps the port."""
    installation.rapport("org", "create", "Northside")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(PATIENCE_S)
    port = installation.variables["RAPPORT_PORT"]
    target = "services.projections.bootstrap:wsgi"
    command = [sys.executable, "-m", "services.cli.http_server", str(gone.pid), "--interface",
               "wsgi", "--factory", "--no-ws", "--port", port, target]  # fmt: skip
    orphan = subprocess.Popen(command, env=child_environment(installation.variables))
    try:
        orphan.wait(PATIENCE_S)
    finally:
        orphan.kill()
    assert not listens(installation)


def listens(installation: Installation) -> bool:
    """Return whether anybody takes connections on the port of the API."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(installation.variables["RAPPORT_PORT"]))) == 0
