"""What can happen in a simulated world: the vocabulary of schedules, seeded or found by search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tests.simulation.points import Fault, Side
from tests.simulation.receivers import Mood

Fate = Literal["fine", "dropped", "answer_lost", "doubled", "delayed"]
"""Of a request: it arrives and is answered; never arrives; is answered to nobody; arrives twice;
arrives when its caller has given up on it."""


@dataclass(frozen=True, slots=True)
class Send:
    """A caller sends some of what it still has to tell.

    Attributes:
        organisation: Whose caller.
        pick: Which of what is due comes first: 0 keeps the order.
        count: How many events are in the request.
        replica: Which ingest process takes it.
        fate: What the network does with it.
        faults: What hits the process meanwhile.
        meanwhile: What others do while it is paused.
    """

    organisation: str
    pick: int
    count: int
    replica: str
    fate: Fate
    faults: tuple[Fault, ...] = ()
    meanwhile: tuple["Action", ...] = ()

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        hit = _said(self.faults)
        return (
            f"send {self.organisation}[{self.pick}]×{self.count} {self.fate} {self.replica}{hit}"
        )


@dataclass(frozen=True, slots=True)
class Arrive:
    """A delayed request arrives, perhaps before others that were sent earlier.

    Attributes:
        replica: Which ingest process takes it.
        pick: Which of those on their way: 0 keeps the order.
    """

    replica: str
    pick: int = 0

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"arrive {self.replica}[{self.pick}]"


@dataclass(frozen=True, slots=True)
class Step:
    """A worker makes one step.

    Attributes:
        process: Whose worker; a process that is down is started.
        worker: Which.
        faults: What hits the step.
        meanwhile: What others do during a pause of this step.
    """

    process: str
    worker: str
    faults: tuple[Fault, ...] = ()
    meanwhile: tuple["Action", ...] = ()

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        hit = _said(self.faults)
        return f"step {self.process}.{self.worker}{hit}"


@dataclass(frozen=True, slots=True)
class End:
    """A process ends: it dies between two steps, or is stopped in order.

    Where it was paused, its successor starts beside it, and it goes on unaware later.
    """

    process: str
    orderly: bool = False

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"{'stop' if self.orderly else 'kill'} {self.process}"


@dataclass(frozen=True, slots=True)
class Pass:
    """Time passes; None: until something is to be told again."""

    time: timedelta | None

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"pass {'until the next event' if self.time is None else self.time}"


@dataclass(frozen=True, slots=True)
class Away:
    """The database or the stream answers nobody until time passes."""

    side: Side

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"{self.side} is away"


@dataclass(frozen=True, slots=True)
class Mind:
    """A receiver changes its mood."""

    organisation: str
    role: str
    mood: Mood

    def __str__(self) -> str:
        """Return it as the schedule prints it."""
        return f"receiver {self.role}.{self.organisation} is {self.mood}"


Action = Send | Arrive | Step | End | Pass | Away | Mind


def _said(faults: Sequence[Fault]) -> str:
    return "".join(f", {fault}" for fault in faults)
