"""What an experiment is, the world that it runs in, and how it is judged."""

import os
import random
import signal
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, NamedTuple, TypeVar

from tests.faults.guards import ROOT, Guard
from tests.faults.installation import Installation
from tests.faults.journal import Journal
from tests.faults.processes import Loud
from tests.support.kafka_broker import KafkaBroker, cluster_of
from tests.support.missing import Missing
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, a_receiver

BOUND_S: Final = 900.0
"""After so long a run is broken off, and counts as loud; a busy machine takes its time."""


_Value = TypeVar("_Value")


class BrokenOff(BaseException):
    """A run took too long; nothing on its way out may take this for an error of its own."""


class Engines(NamedTuple):
    """On what an experiment runs."""

    stream: Literal["embedded", "kafka"]
    database: Literal["sqlite", "postgres"]

    def __str__(self) -> str:
        """Return both, as the table shows them."""
        return f"{self.stream}×{self.database}"


EMBEDDED: Final = Engines("embedded", "sqlite")
EMBEDDED_POSTGRES: Final = Engines("embedded", "postgres")
KAFKA: Final = Engines("kafka", "postgres")
KAFKA_SQLITE: Final = Engines("kafka", "sqlite")


class World:
    """Everything an experiment needs; made for one run, gone after it."""

    def __init__(
        self, seed: int, engines: Engines, tree: Path, *, short: bool, postgres: "Postgres"
    ) -> None:
        """Make a folder and nothing else.

        Args:
            seed: Of ``chance``; the same seed does the same again, as far as timing lets it.
            engines: On what to run.
            tree: The source tree that every process under test must run.
            short: Whether a short form is wanted, of a few seconds.
            postgres: The server that all worlds share.
        """
        self.seed = seed
        self.chance = random.Random(seed)
        self.engines = engines
        self.tree = tree
        self.short = short
        self._postgres = postgres
        self._open = ExitStack()
        self.folder = Path(self._open.enter_context(_folder()))
        self.notes: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether the tree under test has all its guards."""
        return self.tree == ROOT

    def keep(self, opened: AbstractContextManager[_Value]) -> _Value:
        """Enter something and leave it at the end of the run, last one first."""
        return self._open.enter_context(opened)

    def note(self, text: str) -> None:
        """Say something about the run that stands beside its result."""
        self.notes.append(text)

    def installation(self, name: str = "site", **variables: str) -> Installation:
        """Make an empty installation on the world's engines, with a broker or database of its own.

        Args:
            name: Of its folder.
            variables: As of ``Installation``; ``stream`` and ``database`` override the engines.
        """
        if "stream" not in variables:
            variables["stream"] = self.stream()
        if "database" not in variables:
            variables["database"] = self.database(name)
        made = Installation(self.folder / name, tree=self.tree, **variables)
        return self.keep(closing(made))

    def stream(self) -> str:
        """Return ``embedded``, or the address of a new broker that nobody else uses."""
        return (
            "embedded" if self.engines.stream == "embedded" else f"kafka://{self.broker().address}"
        )

    def broker(self) -> KafkaBroker:
        """Start a new broker that nobody else uses."""
        broker = cluster_of(self.folder / f"kafka-{uuid.uuid4().hex[:8]}")[0]
        self._open.callback(broker.stop)
        return broker

    def database(self, name: str = "site") -> str:
        """Return the URL of a new database."""
        if self.engines.database == "sqlite":
            return f"sqlite:///{self.folder / name / 'rapport.db'}"
        return self.keep(self._postgres.server().database(f"faults_{uuid.uuid4().hex}"))

    def journal(self, name: str = "journal") -> Journal:
        """Begin a journal."""
        return self.keep(closing(Journal(self.folder / f"{name}.ndjson")))

    def receiver(self) -> Receiver:
        """Start a receiver of webhooks."""
        return self.keep(a_receiver())

    def close(self) -> None:
        """End and delete everything."""
        self._open.close()


@dataclass(frozen=True, slots=True)
class Experiment:
    """One way to break it.

    Attributes:
        name: As on the command line: ``duplicates``.
        run: World → violations in words; none when everything held.
        guards: What it proves to be needed; at least one.
        engines: On what it runs; a guard is taken out on the first of them, unless it says where.
        short: Whether its short form, and those of its guards, are part of ``make test``.
    """

    name: str
    run: Callable[[World], Iterable[str]]
    guards: tuple[Guard, ...]
    engines: tuple[Engines, ...] = (EMBEDDED,)
    short: bool = False

    def engines_without(self, guard: Guard) -> Engines:
        """Return on what it is run without a guard."""
        return next((one for one in self.engines if str(one) == guard.on), self.engines[0])


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table.

    Attributes:
        without: The guard that was taken out; None: the product as it is.
        violations: What did not hold.
        loud: What ended or stood still.
        broken: The experiment's own mistake, which proves nothing either way.
        seconds: By the clock on the wall.
        cpu_s: Of this process and of every one that it waited for.
    """

    experiment: str
    without: Guard | None
    seed: int
    engines: Engines
    violations: tuple[str, ...]
    loud: str | None
    broken: str | None
    notes: tuple[str, ...]
    seconds: float
    cpu_s: float

    @property
    def as_it_should(self) -> bool:
        """Whether all held, or, without its guard, something was noticed."""
        if self.broken is not None:
            return False
        if self.without is None:
            return not self.violations and self.loud is None
        return bool(self.violations) or (self.loud is not None and self.without.loud)

    @property
    def said(self) -> str:
        """The result in words."""
        if self.broken is not None:
            return f"BROKEN: {self.broken}"
        found = "; ".join([*self.violations, *([f"loud: {self.loud}"] if self.loud else [])])
        if self.without is None:
            return found or "held"
        if not found:
            return "NOT NOTICED"
        return f"{'noticed' if self.as_it_should else 'FAILED OTHERWISE'}: {found}"


class Postgres:
    """A PostgreSQL that is started when first asked for."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._server: PostgresServer | None = None

    def server(self) -> PostgresServer:
        """Return the running server.

        Raises:
            Missing: when it is not installed.
        """
        self._server = self._server or PostgresServer()
        return self._server

    def stop(self) -> None:
        """Stop it."""
        if self._server is not None:
            self._server.stop()


def run(
    experiment: Experiment,
    seed: int,
    engines: Engines,
    postgres: Postgres,
    *,
    without: Guard | None = None,
    short: bool = False,
) -> Result:
    """Run an experiment once.

    Args:
        experiment: Which.
        seed: Of its chance.
        engines: On what.
        postgres: The server that all runs share.
        without: The guard to take out.
        short: Whether in its short form.
    """
    began, worked = time.monotonic(), _cpu_s()
    violations: tuple[str, ...] = ()
    loud = broken = None
    world = World(seed, engines, ROOT, short=short, postgres=postgres)
    with _folder() as name, closing(world):
        try:
            world.tree = ROOT if without is None else without.removed(Path(name))
            with _bounded(BOUND_S):
                violations = tuple(experiment.run(world))
        except (Loud, TimeoutError, BrokenOff) as error:
            loud = str(error) or type(error).__name__
        except Missing:
            raise
        except Exception as error:
            broken = "".join(traceback.format_exception(error, limit=-4, chain=False))
    return Result(
        experiment.name, without, seed, engines, violations, loud, broken, tuple(world.notes),
        seconds=time.monotonic() - began, cpu_s=_cpu_s() - worked,
    )  # fmt: skip


def _cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raise BrokenOff in the block when it takes longer; only in the main thread."""

    def too_long(_: int, __: FrameType | None) -> Any:
        raise BrokenOff(f"broken off after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    # Processes that were killed may still be writing when their folder is deleted.
    return tempfile.TemporaryDirectory(prefix="rapport-faults-", ignore_cleanup_errors=True)
