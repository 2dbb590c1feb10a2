"""How far a rebuild has come: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from shared.stream import rebuilding

LOOK_EVERY_S: Final = 0.5
LINE_EVERY_S: Final = 5.0

WORDS: Final = {
    "reading": "Reading the stream",
    "folding": "Folding clients",
    "following": "Following the stream",
    "comparing": "Comparing clients",
}
UNITS: Final = {"reading": "records", "following": "records"}


@dataclass(slots=True)
class Meter:
    """Counts what was read, and tells whoever watches.

    Attributes:
        busy: How often the last step found too much to read.
        told: Called with each look at the progress.
    """

    busy: int = 0
    told: Callable[[rebuilding.Progress], None] | None = None
    _began_at: float = field(default_factory=time.monotonic)
    _looked_at: float = 0.0
    _progress: Callable[[], rebuilding.Progress] | None = None
    _first_read: int | None = None
    _last_read: int = 0
    _read_until: float = 0.0

    def look(self, *, at_once: bool = False) -> None:
        """Ask how far it is, now and then."""
        now = time.monotonic()
        if self._progress is None or (now - self._looked_at < LOOK_EVERY_S and not at_once):
            return
        self._looked_at = now
        progress = self._progress()
        if progress.stage == "reading":
            if self._first_read is None:
                self._first_read = progress.done
            self._last_read, self._read_until = progress.done, now
        if self.told is not None:
            self.told(progress)

    def watch(
        self,
        progress: Callable[[], rebuilding.Progress],
        told: Callable[[rebuilding.Progress], None],
    ) -> None:
        """Begin to look."""
        self._progress, self.told = progress, told
        self.look(at_once=True)

    def summary(self) -> dict[str, Any]:
        """Return what was read, and how fast."""
        seconds = time.monotonic() - self._began_at
        reading_s = self._read_until - self._began_at
        read = self._last_read - (self._first_read or 0)
        return {
            "records_read": read,
            "records_per_s": round(read / reading_s) if reading_s > 0 else None,
            "seconds": round(seconds, 1),
        }

    def said(self) -> str:
        """Return the same in words."""
        found = self.summary()
        rate = found["records_per_s"]
        return (
            f"{found['records_read']} records read"
            f"{f' ({rate}/s)' if rate else ''}, {found['seconds']} s in all."
        )


@contextmanager
def metered(meter: Meter, progress: Callable[[], rebuilding.Progress]) -> Iterator[None]:
    """Show the progress until the end of the block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        meter.watch(progress, _Lines().tell)
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        meter.watch(progress, _Bar(bar).tell)
        yield


class _Bar:
    """One line of the bar per stage."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def tell(self, at: rebuilding.Progress) -> None:
        if at.stage not in self._tasks:
            self._tasks[at.stage] = self._bar.add_task(WORDS[at.stage], rate="")
        task = self._tasks[at.stage]
        self._bar.update(task, completed=at.done, total=at.total)
        speed = next(one.speed for one in self._bar.tasks if one.id == task)
        self._bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")


class _Lines:
    """A line at the begin of each stage, and every few seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._said_at = 0.0
        self._from = (0.0, 0)

    def tell(self, at: rebuilding.Progress) -> None:
        now = time.monotonic()
        if at.stage != self._stage:
            self._stage, self._from = at.stage, (now, at.done)
        elif now - self._said_at < LINE_EVERY_S:
            return
        self._said_at = now
        since, done = self._from
        rate = (at.done - done) / (now - since) if now > since else 0.0
        left = f", {rate:,.0f}/s, {(at.total - at.done) / rate:,.0f} s left" if rate else ""
        unit = UNITS.get(at.stage, "clients")
        click.echo(f"{WORDS[at.stage]}: {at.done} of {at.total} {unit}{left}", err=True)
