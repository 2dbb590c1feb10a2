"""How far a rebuild has come: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from shared.stream.rebuilding import Rebuilding

LOOK_EVERY_S: Final = 0.5
LINE_EVERY_S: Final = 5.0

WORDS: Final = {
    "reading": "Reading the stream",
    "folding": "Folding clients",
    "following": "Following the stream",
    "comparing": "Comparing clients",
}
UNITS: Final = {"reading": "records", "following": "records"}


class Meter:
    """Looks at the progress now and then, and whenever something else is done."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._began_at = self._read_until = time.monotonic()
        self._looked_at = 0.0
        self._doing: rebuilding.Doing | None = None
        self._first_read = self._last_read = 0
        self._tell: Callable[[rebuilding.Progress], None] = lambda _: None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show what is seen, until the end of the block."""
        console = Console(stderr=True)
        if not console.is_terminal:
            self._tell = _Lines().tell
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
            self._tell = _Bar(bar).tell
            yield

    def look(self, at: Rebuilding) -> None:
        """Look, if it is time to."""
        now = time.monotonic()
        if at.doing == self._doing and now - self._looked_at < LOOK_EVERY_S:
            return
        progress = at.progress()
        if self._doing is None:
            self._first_read = self._last_read = at.read()
        elif self._doing in UNITS:  # It was reading until now.
            self._last_read, self._read_until = at.read(), now
        self._looked_at, self._doing = now, at.doing
        self._tell(progress)

    def summary(self) -> dict[str, Any]:
        """Return what was read, and how fast."""
        reading_s = self._read_until - self._began_at
        read = self._last_read - self._first_read
        return {
            "records_read": read,
            "records_per_s": round(read / reading_s) if reading_s > 0 else None,
            "seconds": round(time.monotonic() - self._began_at, 1),
        }

    def said(self) -> str:
        """Return the same in words."""
        found = self.summary()
        rate = found["records_per_s"]
        return (
            f"{found['records_read']} records read"
            f"{f' ({rate}/s)' if rate else ''}, {found['seconds']} s in all."
        )


class _Bar:
    """One line of the bar per stage."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def tell(self, at: rebuilding.Progress) -> None:
        if at.doing not in self._tasks:
            self._tasks[at.doing] = self._bar.add_task(WORDS[at.doing], rate="")
        task = self._tasks[at.doing]
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
        if at.doing != self._stage:
            self._stage, self._from = at.doing, (now, at.done)
        elif now - self._said_at < LINE_EVERY_S:
            return
        self._said_at = now
        since, done = self._from
        rate = (at.done - done) / (now - since) if now > since else 0.0
        left = f", {rate:,.0f}/s, {(at.total - at.done) / rate:,.0f} s left" if rate else ""
        unit = UNITS.get(at.doing, "clients")
        click.echo(f"{WORDS[at.doing]}: {at.done} of {at.total} {unit}{left}", err=True)
