"""``rapport import``: bring history in from a file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.catching_up import history_waiting
from services.cli.common import (
    FAILED,
    Office,
    json_option,
    organisation_option,
    show_one,
    with_office,
)
from services.ingest.adapter import Origin
from services.ingest.adapters import ADAPTERS
from services.ingest.admission import Authority
from services.ingest.bootstrap import build
from services.ingest.files import (
    Contents,
    Kind,
    Line,
    kind_of,
    read_csv,
    read_ndjson,
    rejected,
)
from services.ingest.importer import Importer, Summary
from services.ingest.ingest import Sender
from shared.errors import Refused, Unavailable
from shared.storage.accounts import Source
from shared.stream.engines import EMBEDDED

PRIVATE: Final = 0o600


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", "source_name", required=True, help="The source it comes from.")
@organisation_option
@json_option
@with_office
def import_(
    office: Office, file: Path, source_name: str, organisation: str | None, as_json: bool
) -> None:
    """Import history from FILE: CSV, or NDJSON with one CloudEvent a line.

    Good rows go in; bad rows go into FILE.rejects.csv (or .ndjson) with line and reason, and the
    exit code is 1. Importing the same file again changes nothing, and so does importing it after
    it was interrupted: mend the rejects file and import that, or import the whole again.

    A CSV has the columns type, subject and time, perhaps id and source, then fields of the data:
    nested by dots (items.1), lists by semicolons, empty = left out. A row without an id is named
    by its content.

    \b
    Example:
      rapport import sessions-2025.csv --source practice-system
    """
    source = office.source(office.organisation(organisation).id, source_name)
    parts = build(office.settings)
    try:
        with file.open("rb") as data:
            kind, contents = _opened(file, data, source)
            if office.settings.stream == EMBEDDED:
                parts.stream.create_topics()
            with _rejects(file, kind, contents.header) as rejects, _progress(file) as progress:
                importer = Importer(
                    parts.ingest, _sender(source), _origin(source), rejects.add, progress
                )
                _run(importer, contents)
        waiting, judged = history_waiting(parts.stream, parts.db, source.organisation)
    finally:
        parts.close()
    _sum_up(file, importer.summary, rejects, waiting, judged=judged, as_json=as_json)


def _sum_up(
    file: Path, summary: Summary, rejects: "_Rejects", waiting: int, *, judged: bool, as_json: bool
) -> None:
    """Say what became of the file, and end with exit code 1 where lines were rejected."""
    so_far = "" if judged else " so far (the alerts service has not judged all of it yet)"
    if waiting or not judged:
        click.echo(
            f"History is not news: open alerts that are shown and were told to nobody: {waiting}"
            f"{so_far}.",
            err=True,
        )
    if as_json:
        found = {
            "file": str(file),
            **asdict(summary),
            "rejects": str(rejects.path) if summary.rejected else None,
            "history_waiting": waiting,
            "judged": judged,
        }
        show_one(found, as_json=True)
    if summary.rejected:
        click.echo(f"Rejected lines, with reasons: {rejects.path}", err=True)
        raise click.exceptions.Exit(FAILED)


def _opened(file: Path, data: BinaryIO, source: Source) -> tuple[Kind, Contents]:
    try:
        kind = kind_of(file)
        if kind == "csv":
            return kind, read_csv(data)
        adapter = next(adapter for adapter in ADAPTERS if adapter.name == source.adapter)
        return kind, read_ndjson(data, adapter, _origin(source))
    except Refused as refused:
        raise click.UsageError(f"{file.name}: {refused.faults[0].message}") from refused


def _sender(source: Source) -> Sender:
    return Sender(source.organisation, source.id, "import", Authority(frozenset({"publish"})))


def _origin(source: Source) -> Origin:
    return Origin(source.name, source.clinic)


def _run(importer: Importer, contents: Contents) -> None:
    """Import, and say how far it came, whatever happens."""
    try:
        importer.run(contents.lines)
    except Unavailable:
        click.echo("Interrupted; run the same command again to go on.", err=True)
        raise
    finally:
        summary = importer.summary
        click.echo(
            f"{summary.accepted} accepted, {summary.rejected} rejected,"
            f" {summary.ignored} extension attributes ignored",
            err=True,
        )


class _Rejects:
    """Writes the rejects file, line by line, from the first line that is rejected."""

    def __init__(self, path: Path, kind: Kind, header: bytes) -> None:
        self.path = path
        self._kind = kind
        self._header = header
        self._fresh = path.with_name(f"{path.name}.part")
        self._file: BinaryIO | None = None

    def add(self, line: Line, reason: str) -> None:
        if self._file is None:
            # As private as the original: it holds what the original holds.
            descriptor = os.open(self._fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
            self._file = os.fdopen(descriptor, "wb")
            self._file.write(self._header)
        self._file.write(rejected(self._kind, line, reason))

    def finish(self) -> None:
        """Replace the rejects file of an earlier run; without a reject there is none."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
        else:
            self._file.close()
            self._fresh.replace(self.path)


@contextmanager
def _rejects(file: Path, kind: Kind, header: bytes) -> Iterator[_Rejects]:
    rejects = _Rejects(file.with_name(f"{file.name}.rejects.{kind}"), kind, header)
    try:
        yield rejects
    finally:
        rejects.finish()


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
