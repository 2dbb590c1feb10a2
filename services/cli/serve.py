"""``rapport up`` and ``rapport serve``: the services as processes."""

import atexit
from collections.abc import Callable, Mapping
from typing import Final

import click
from flask import Flask

from services.alerts import bootstrap as alerts
from services.alerts import tables
from services.cli.common import MISCONFIGURED, Office, opened, said_plainly
from services.cli.memory import frugal
from services.cli.process import Worker, run
from services.ingest import bootstrap as ingest
from services.projections import bootstrap as projections
from services.projections import read_models
from shared import logs
from shared.clock import Clock
from shared.config import Settings, load
from shared.errors import StreamUnavailable
from shared.storage import generations
from shared.stream.engines import open_stream
from shared.web.app import create_app

EVERYTHING: Final = "services.cli.serve:everything"
INGEST: Final = "services.ingest.bootstrap:wsgi"
PROJECTIONS: Final = "services.projections.bootstrap:wsgi"
ALERTS: Final = "services.alerts.bootstrap:wsgi"

COLLECT_AFTER: Final = (200_000, 20, 50)
"""Own: a batch holds many thousand facts for a moment and makes no cycles; looking through them
as often as Python does by default costs a quarter of a judgement, and after every 50 000 objects
an eighth of reading in bulk (measured)."""

log = logs.logger("serve")


def everything() -> Flask:
    """Make one application of all three services, in the HTTP server's worker process."""
    settings = load()
    logs.configure(settings.log_level)
    taking = ingest.build(settings)
    showing = projections.build(settings)
    telling = alerts.build(settings)
    for parts in (taking, showing, telling):
        atexit.register(parts.close)
    return create_app(
        "rapport",
        [
            *ingest.blueprints(taking),
            *projections.blueprints(showing),
            *alerts.blueprints(telling),
        ],
        taking.accounts,
        checks={"database": taking.db.healthy, "stream": taking.stream.healthy},
        max_body_bytes=settings.max_body_bytes,
        metrics_dir=settings.metrics_dir,
    )


def workers(settings: Settings, clock: Clock | None = None) -> dict[str, Worker]:
    """Return every worker of the projections and the alerts, by name."""
    return {
        "projections": projections.worker(settings, clock),
        **alerts.workers(settings, clock),
    }


@click.command()
def up() -> None:
    """Run everything with one command, on this machine.

    With the embedded stream (the default) all data lie in RAPPORT_DATA_DIR, and nothing else is
    needed. The HTTP API, the consumers, the ticker and the deliveries run until Ctrl-C.

    \b
    rapport up
    RAPPORT_STREAM=kafka://localhost:9092 RAPPORT_SECRET_KEY=… rapport up
    """
    _serve(EVERYTHING, workers)


@click.group()
def serve() -> None:
    """Run one service as a process of its own; run more replicas to scale.

    \b
    rapport serve ingest --workers 4
    rapport serve projections
    rapport serve alerts
    """


@serve.command("ingest")
@click.option("--workers", "processes", type=click.IntRange(1, 64), default=1, show_default=True,
              help="Processes that share the port.")  # fmt: skip
def serve_ingest(processes: int) -> None:
    """Take events: webhooks, the API, look-ups."""
    _serve(INGEST, lambda _: {}, processes=processes)


@serve.command("projections")
def serve_projections() -> None:
    """Project the stream, and answer for timelines and the caseload."""
    _serve(PROJECTIONS, lambda settings: {"projections": projections.worker(settings)})


@serve.command("alerts")
def serve_alerts() -> None:
    """Judge the stream, tell recipients, and answer for alerts."""
    _serve(ALERTS, alerts.workers)


def _serve(
    target: str, made: Callable[[Settings], Mapping[str, Worker]], *, processes: int = 1
) -> None:
    with said_plainly():
        settings = load()
        logs.configure(settings.log_level)
        frugal(COLLECT_AFTER)
        prepare(settings)
        _say_where(settings, metrics_too=target != INGEST)
        code = run(settings, target, made(settings), processes=processes)
    raise click.exceptions.Exit(code)


def _say_where(settings: Settings, *, metrics_too: bool) -> None:
    base = f"http://{settings.host}:{settings.port}"
    click.echo(f"API      {base}/v1   documents: {base}/docs   ready: {base}/readyz", err=True)
    own = f" (API), http://{settings.host}:{settings.metrics_port}/metrics (workers)"
    click.echo(f"Metrics  {base}/metrics{own if metrics_too else ''}", err=True)
    click.echo("Ctrl-C or SIGTERM stops it in order.", err=True)


def prepare(settings: Settings) -> None:
    """Migrate the database, create missing topics, and refuse topics that would lose data."""
    with opened(settings) as office:
        _say_what_waits(office)
        stream = open_stream(settings)
        try:
            for name in stream.create_topics():
                log.info("topic_created", topic=name)
            problems = stream.check_topics()
        except StreamUnavailable:
            click.echo("the stream does not answer yet; going on, and waiting for it", err=True)
            return
        finally:
            stream.close()
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.exceptions.Exit(MISCONFIGURED)


def _say_what_waits(office: Office) -> None:
    """Name what this release must not go on with: other code has filled what serves."""
    for which in (read_models.TIMELINES, tables.judged_by(alerts.EVERY_RULE)):
        generations.prepare(office.db, which)
        with office.db.read() as db:
            serving = generations.in_state(db, which.name, "active")
        if serving is not None and serving.code != which.code:
            click.echo(
                f"{which.name}: another version of Rapport, or other rules, made what serves."
                f" Until you run `rapport rebuild {which.name}` its worker waits.",
                err=True,
            )
