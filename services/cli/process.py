"""Where loops, threads and waiting live: run workers and the HTTP server until told to stop.

Every worker is an object with ``step(now) -> bool``; nothing but this module loops over it, so
that tests drive the same workers under a clock of their own.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from prometheus_client import start_http_server

from shared import metrics
from shared.clock import Clock, SystemClock
from shared.config import METRICS_DIR, Settings, child_environment
from shared.errors import (
    AnotherVersion,
    ConfigurationError,
    StreamDamaged,
    TooManyParked,
    Unavailable,
)
from shared.logs import logger

IDLE_S = 0.05
"""How long a worker rests after a step that found nothing to do."""

STEP_EVERY_S = 0.025
"""Own: no worker steps more often. A transaction costs as much as several facts in it, so what
comes in one by one is taken a few at a time; who has much to do is longer at it anyway."""

BACKOFF_MIN_S, BACKOFF_MAX_S = 0.25, 10.0
"""How long a worker waits before it asks again for a stream or database that is away."""

ASK_EVERY_S = 0.2
"""How often something is asked for that another process may let go."""

STOP_WITHIN_S = 15
"""How long a stop may take before the HTTP server is killed."""

BLOCKING_THREADS = 64
"""Requests that one granian worker has under way at once; each waits for the stream."""

log = logger("process")


class Worker(Protocol):
    """Something that works in steps."""

    def step(self, now: datetime) -> bool:
        """Do a bounded piece of work; return whether there was anything to do."""

    def close(self) -> None:
        """Release what it holds."""


def run(
    settings: Settings, target: str, workers: Mapping[str, Worker], *, processes: int = 1
) -> int:
    """Serve ``target`` over HTTP and run ``workers`` until SIGTERM, SIGINT or a failure.

    Args:
        settings: Host, port and the port of the workers' own metrics.
        target: A WSGI factory, ``module:function``.
        workers: By name, each on a thread of its own.
        processes: How many HTTP processes share the port.

    Returns:
        The exit code: 0 after an orderly stop, 1 when the HTTP server ended by itself.

    Raises:
        ConfigurationError: when somebody else listens where this should; nothing was started.
    """
    refuse_taken(settings, metrics_too=bool(workers))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Processes that share a port add up their metrics in a folder, which must begin empty.
    shared_metrics = tempfile.TemporaryDirectory(prefix="rapport-metrics-")
    changes = {METRICS_DIR: shared_metrics.name} if processes > 1 else {}
    if workers and settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)
    server = serve_http(settings, target, processes, child_environment(changes))
    threads = start(workers, SystemClock(), stop)
    log.info("serving", port=settings.port)
    while not stop.wait(0.2):
        if server.poll() is not None:
            log.error("http_server_ended", status=server.returncode)
            stop.set()
    orderly = server.poll() is None
    finish(server, threads)
    shared_metrics.cleanup()
    return 0 if orderly else 1


def refuse_taken(settings: Settings, *, metrics_too: bool) -> None:
    """See that the ports are free.

    granian shares a port with whoever else shares it: without this, a second installation on the
    port of the first would in silence be given some of its requests.

    Raises:
        ConfigurationError: naming every port that cannot be listened on.
    """
    wanted = {"RAPPORT_PORT": settings.port}
    if metrics_too:
        wanted["RAPPORT_METRICS_PORT"] = settings.metrics_port
    problems: list[str] = []
    for name, port in wanted.items():
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as probe:
            # What has just been closed may be listened on again; what is listened on may not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                reason = f"cannot listen on {settings.host} port {port}: {error.strerror}"
                problems.append(f"{name}: {reason}; is another rapport running there?")
    if len(set(wanted.values())) < len(wanted) and settings.port:
        problems.append("RAPPORT_METRICS_PORT: must be another port than RAPPORT_PORT")
    if problems:
        raise ConfigurationError(problems)


def serve_http(
    settings: Settings,
    target: str,
    processes: int,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start granian as a child; it drains what is under way when it is terminated."""
    command = [sys.executable, "-m", "services.cli.http_server", str(os.getpid()),
               "--interface", "wsgi", "--factory", "--no-ws",
               "--host", settings.host, "--port", str(settings.port),
               "--workers", str(processes), "--blocking-threads", str(BLOCKING_THREADS),
               "--log-level", "error", "--workers-kill-timeout", str(STOP_WITHIN_S - 5),
               target]  # fmt: skip
    if processes > 1:
        # The others go on meanwhile. One that keeps failing ends the server, for all to see; one
        # that is alone ends it at once, and whoever started us decides.
        command.insert(-1, "--respawn-failed-workers")
    # A process group of its own: Ctrl-C reaches the parent alone, which then stops in order.
    return subprocess.Popen(command, start_new_session=True, env=environment)  # noqa: S603 - ours.


def start(
    workers: Mapping[str, Worker], clock: Clock, stop: threading.Event
) -> Sequence[threading.Thread]:
    """Give each worker a thread that steps it until ``stop`` is set."""
    threads = [
        threading.Thread(target=drive, args=(name, worker, clock, stop), name=name)
        for name, worker in workers.items()
    ]
    for thread in threads:
        thread.start()
    return threads


def drive(name: str, worker: Worker, clock: Clock, stop: threading.Event) -> None:
    """Step a worker until ``stop``; wait and go on where something is away, else stop loudly."""
    backoff_s = BACKOFF_MIN_S
    metrics.CONSUMER_STOPPED.labels(name).set(0)
    try:
        while not stop.is_set():
            try:
                began = time.monotonic()
                busy = worker.step(clock.now())
                backoff_s = BACKOFF_MIN_S
                stop.wait(max(0.0, began + STEP_EVERY_S - time.monotonic()) if busy else IDLE_S)
            except Unavailable as away:
                log.warning("waiting", worker=name, error=type(away).__name__)
                stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
    except Exception as error:
        # What a record is to blame for was parked. Whatever is left concerns the whole worker (too
        # much was parked, the position is gone, the stream is damaged): it stands still, for all
        # to see, until somebody has looked.
        metrics.CONSUMER_STOPPED.labels(name).set(1)
        last = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "worker_stopped",
            worker=name,
            error=type(error).__name__,
            where=f"{os.path.basename(last.filename)}:{last.lineno}",  # noqa: PTH119 - a name.
            reason=str(error) if isinstance(error, StreamDamaged | TooManyParked) else None,
        )
    finally:
        worker.close()


def work(
    step: Callable[[datetime], bool],
    clock: Clock,
    waiting: Callable[[], None],
    *,
    rest_s: float = 0.0,
) -> None:
    """Take steps until there is none left; wait and go on where something is away.

    Args:
        step: Does a bounded piece of work; False when there is none left.
        clock: Tells each step the present.
        waiting: Called before each wait for what is away.
        rest_s: Rests so long after each step.
    """
    backoff_s = BACKOFF_MIN_S
    busy = True
    while busy:
        try:
            busy = step(clock.now())
            backoff_s = BACKOFF_MIN_S
            time.sleep(rest_s)
        except AnotherVersion:
            raise
        except Unavailable:
            waiting()
            time.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)


def wait_for(holds: Callable[[], bool], within_s: float) -> bool:
    """Ask again and again, for so long at most; return whether it came true."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(ASK_EVERY_S)
    return True


def finish(server: "subprocess.Popen[bytes]", threads: Sequence[threading.Thread]) -> None:
    """Stop the HTTP server first, so that nothing new comes in, then wait for the workers."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.error("http_server_killed")
    # Whether it ended in order or was killed: no worker of it may go on listening on the port.
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    for thread in threads:
        thread.join(STOP_WITHIN_S)
