"""The demonstration: real and simulated data through the front door, then what leadership sees."""

import base64
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import urllib3
from rich.console import Console
from rich.progress import track

from services.alerts.webhook import Message, signed
from services.cli import process, serve
from services.cli.btheb import write_table
from services.cli.catching_up import caught_up
from services.cli.common import Office, opened, said_plainly
from services.cli.receiver import Receiver
from services.cli.simulation import Document, configurations, half_year
from shared import logs
from shared.clock import SystemClock, parse_time
from shared.config import Settings, child_environment, load
from shared.errors import RapportError
from shared.storage.engine import Database
from shared.stream.engines import open_stream

LIVE_DAYS: Final = 4
"""What is older is imported as history; the rest comes in as if it happened now.

Few, because until the live events are in, time seems to pass without sessions.
"""

BATCH: Final = 100
CATCH_UP_S: Final = 120
SHOWN: Final = "northside-1-03"
"""The client whose timeline is drawn: a decline was planted there."""

say = Console(stderr=True, highlight=False)


class DemoFailed(RapportError):
    """The demonstration did not come up; what is above says where it stopped."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demonstration needs to send and to look.

    Attributes:
        base: Address of the API.
        webhook: Source id and secret of the simulated practice system.
        publish: A key that publishes.
        look: A key that reads, acts and identifies.
        organisation: Its opaque id.
    """

    base: str
    webhook: tuple[str, str]
    publish: str
    look: str
    organisation: str
    http: urllib3.PoolManager


@click.command()
@click.option("--once", is_flag=True, help="End after printing instead of serving on.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data here (must not exist yet); default: a fresh temporary folder.",
)
@click.option("--port", default=8080, show_default=True, help="Where the API listens.")
def demo(once: bool, folder: Path | None, port: int) -> None:
    """Show what Rapport does, with real and simulated data, on this machine alone.

    Loads the Beat the Blues trial (real ratings of 100 people; dates invented) and a simulated
    half year of three clinics through signed webhooks, the API and `rapport import`; then draws a
    timeline, lists the open alerts with their reasons, and keeps serving until Ctrl-C.
    """
    with said_plainly(), ExitStack() as stack:
        # Ended by SIGTERM as by Ctrl-C: the HTTP server is stopped, and nothing is left behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        data = _fresh(folder, stack)
        variables = _variables(data, port)
        settings = load(variables)
        logs.configure(settings.log_level)
        office = stack.enter_context(opened(settings))
        receiver = Receiver()
        stack.callback(receiver.close)
        stop = threading.Event()
        serve.prepare(settings)
        stage = _set_up(office, receiver)
        stack.enter_context(_running(settings, variables, stop))
        _wait_until(lambda: _answers(stage), "the API answers")
        _load(stage, data, variables)
        _catch_up(settings)
        client = _show(stage, receiver, variables)
        if not once:
            _invite(stage, client, variables)
            _serve_on(settings, data)


def _fresh(folder: Path | None, stack: ExitStack) -> Path:
    if folder is None:
        made = Path(tempfile.mkdtemp(prefix="rapport-demo-"))
        stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made
    if folder.exists():
        raise click.UsageError(f"{folder} exists: name a folder that does not, so it starts fresh")
    folder.mkdir(parents=True)
    return folder


def _variables(data: Path, port: int) -> dict[str, str]:
    return {
        "RAPPORT_DATA_DIR": str(data),
        "RAPPORT_PORT": str(_free(port)),
        "RAPPORT_METRICS_PORT": str(_free(9464)),
        "RAPPORT_ALLOW_PRIVATE_WEBHOOKS": "true",
        "RAPPORT_LOG_LEVEL": "error",
    }


def _free(wanted: int) -> int:
    """Return the wanted port, or another where somebody listens on it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port")


def _set_up(office: Office, receiver: Receiver) -> Stage:
    """Make an organisation, sources, keys and a recipient, as `rapport org create` … would."""
    made = office.enrolment
    organisation = made.create_organisation("Demonstration (simulated and trial data)").id
    made.create_source(organisation, "trial")
    made.create_source(organisation, "history")
    source, secret = made.create_source(organisation, "practice-system")
    api_source, _ = made.create_source(organisation, "riverside-system")
    _, publish = made.create_key(organisation, ["publish", "configure"], source=api_source)
    _, look = made.create_key(organisation, ["read", "act", "identify"])
    _, recipient_secret = office.recipients.add(
        organisation, "leadership-inbox", role="leadership", url=receiver.url
    )
    receiver.start(recipient_secret)
    return Stage(
        base=f"http://127.0.0.1:{office.settings.port}",
        webhook=(source, secret),
        publish=publish,
        look=look,
        organisation=organisation,
        http=urllib3.PoolManager(),
    )


@contextmanager
def _running(
    settings: Settings, variables: Mapping[str, str], stop: threading.Event
) -> Iterator[None]:
    server = process.serve_http(
        settings, serve.EVERYTHING, 1, child_environment(variables, ours_too=False)
    )
    threads = process.start(serve.workers(settings), SystemClock(), stop)
    try:
        yield
    finally:
        stop.set()
        process.finish(server, threads)


def _load(stage: Stage, data: Path, variables: Mapping[str, str]) -> None:
    now = SystemClock().now()
    table = data / "beat-the-blues.csv"
    ratings = write_table(table, now)
    say.print(f"Real data: the Beat the Blues trial, {ratings} BDI-II ratings of 100 people "
              "(dates counted from an invented start)")  # fmt: skip
    _import(table, "trial", variables)
    documents = half_year(now)
    for document in configurations(now):
        _post(stage, [document])
    old, live = _split(documents, now - timedelta(days=LIVE_DAYS))
    history = data / "simulated-history.ndjson"
    history.write_text("".join(json.dumps(document) + "\n" for document in old))
    say.print(f"[bold]Simulated[/bold] data: half a year of 3 clinics, 6 therapists, 60 clients; "
              f"{len(old)} events of history imported,")  # fmt: skip
    _import(history, "history", variables)
    by_api = [d for d in live if d["data"]["clinic"] == "riverside"]
    by_webhook = [d for d in live if d["data"]["clinic"] != "riverside"]
    say.print(f"the last {LIVE_DAYS} days live: {len(by_webhook)} signed webhooks, "
              f"{len(by_api)} events through the API")  # fmt: skip
    for document in track(by_webhook, "Signed webhooks", console=say, transient=True):
        _webhook(stage, document)
    for start in range(0, len(by_api), BATCH):
        _post(stage, by_api[start : start + BATCH])


def _split(
    documents: Sequence[Document], border: datetime
) -> tuple[list[Document], list[Document]]:
    old = [d for d in documents if parse_time(d["time"]) < border]
    return old, documents[len(old) :]  # type: ignore[return-value]  # A list, sliced.


def _import(file: Path, source: str, variables: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "services.cli", "import", str(file), "--source", source]
    done = subprocess.run(command, env=child_environment(variables, ours_too=False), check=False)  # noqa: S603
    if done.returncode != 0:
        raise DemoFailed(f"`rapport import {file.name}` ended with {done.returncode}")


def _webhook(stage: Stage, document: Document) -> None:
    """Send one event as a practice system would: signed by the Standard Webhooks rules."""
    source, secret = stage.webhook
    message = Message(
        hashlib.sha256(document["id"].encode()).hexdigest(), json.dumps(document).encode()
    )
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    headers = signed(message, raw, SystemClock().now())
    headers["Content-Type"] = "application/cloudevents+json"
    _send(stage, f"/v1/sources/{source}/webhook", message.body, headers)


def _post(stage: Stage, documents: Sequence[Document]) -> None:
    _send(stage, "/v1/events", json.dumps(documents).encode(), {
        "content-type": "application/cloudevents-batch+json",
        "authorization": f"Bearer {stage.publish}",
    })  # fmt: skip


def _send(stage: Stage, path: str, body: bytes, headers: Mapping[str, str]) -> None:
    answer = stage.http.request("POST", stage.base + path, body=body, headers=dict(headers))
    if answer.status != 202:
        raise DemoFailed(f"POST {path} was answered with {answer.status}: {answer.data.decode()}")


def _get(stage: Stage, path: str) -> Any:
    headers = {"authorization": f"Bearer {stage.look}"}
    answer = stage.http.request("GET", stage.base + path, headers=headers)
    if answer.status != 200:
        raise DemoFailed(f"GET {path} was answered with {answer.status}")
    return answer.json()


def _answers(stage: Stage) -> bool:
    try:
        answer = stage.http.request("GET", f"{stage.base}/livez", retries=False, timeout=1.0)
    except urllib3.exceptions.HTTPError:
        return False
    return bool(answer.status == 200)


def _wait_until(holds: Any, what: str) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    while not holds():
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {CATCH_UP_S} s until {what}")
        time.sleep(0.05)


def _catch_up(settings: Settings) -> None:
    stream, database = open_stream(settings), Database(settings.database)
    try:
        with say.status("Timelines and alerts catch up with the stream …"):
            _wait_until(lambda: caught_up(stream, database), "timelines and alerts have caught up")
    finally:
        stream.close()
        database.close()


def _show(stage: Stage, receiver: Receiver, variables: Mapping[str, str]) -> str:
    """Print a timeline and the alerts; return whose timeline it is."""
    found = stage.http.request(
        "POST",
        f"{stage.base}/v1/clients/lookup",
        json={"reference": SHOWN},
        headers={"authorization": f"Bearer {stage.look}"},
    ).json()
    client: str = found["id"]
    for command in (["timeline", client], ["alerts", "list"]):
        sys.stdout.flush()
        subprocess.run(  # noqa: S603 - our own command.
            [sys.executable, "-m", "services.cli", *command],
            env=child_environment(variables, ours_too=False),
            check=True,
        )
    told = sum(receiver.told.values())
    click.echo(
        f"\nLeadership's webhook was told of {told} steps, each signature verified"
        f" ({receiver.rejected} rejected)."
    )
    return client


def _invite(stage: Stage, client: str, variables: Mapping[str, str]) -> None:
    """Say what to try while it serves."""
    click.echo(
        f"\nAPI        {stage.base}/docs"
        f"\nMetrics    {stage.base}/metrics"
        f" and http://127.0.0.1:{variables['RAPPORT_METRICS_PORT']}/metrics"
        f"\nKey        {stage.look}\n"
        "\nTry:\n"
        f"  curl -H 'authorization: Bearer {stage.look}' '{stage.base}/v1/clients?limit=5'\n"
        f"  curl -H 'authorization: Bearer {stage.look}' '{stage.base}/v1/alerts?state=open'\n"
        f"  curl -H 'authorization: Bearer {stage.look}'"
        f" {stage.base}/v1/clients/{client}/timeline.svg > timeline.svg\n"
    )


def _serve_on(settings: Settings, data: Path) -> None:
    say.print(f"Serving on port {settings.port}; data in {data}. Ctrl-C ends it.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        say.print("Stopping …")
