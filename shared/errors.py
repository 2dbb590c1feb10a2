"""What can go wrong, grouped by what the caller does next: correct, retry, park, or stop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what somebody sent, and how to mend it.

    Attributes:
        pointer: JSON pointer (RFC 6901) into the body as it was sent; ``""`` is the whole.
        message: A sentence that names the fix. Holds no value that was sent.
        code: A stable, documented word, such as ``unknown_field``.
        allowed: The allowed values, where they are a closed set.
    """

    pointer: str
    message: str
    code: str
    allowed: tuple[str, ...] = ()

    def at(self, prefix: str) -> "Fault":
        """Return the same fault, seen from a place further out."""
        return Fault(prefix + self.pointer, self.message, self.code, self.allowed)


class RapportError(Exception):
    """Something went wrong; the docstring of the class is the sentence the operator reads."""


class Refused(RapportError):
    """What was sent cannot be taken; every fault is named. Correct it and send it again."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Refuse with every fault that was found."""
        super().__init__("; ".join(f"{f.pointer or '/'}: {f.message}" for f in faults))
        self.faults = tuple(faults)


class Unavailable(RapportError):
    """A part that Rapport needs does not answer. Retrying is safe."""


class StreamUnavailable(Unavailable):
    """The stream did not acknowledge in time; it may still hold it. Sending again is safe."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer. Nothing was written; try again."""


class AnotherVersion(Unavailable):
    """What is stored was made by another version of Rapport, or by other rules."""


class PositionConflict(RapportError):
    """Somebody else advanced this position: this consumer no longer owns the partition."""


class Busy(RapportError):
    """The services save too much for the last records to be read meanwhile. Try again later."""


class Overtaken(RapportError):
    """Another command works on this generation, or has dropped it; see: rapport rebuild."""


class Superseded(PositionConflict):
    """Another generation of the tables serves now; this consumer goes over to it."""


class Unreadable(RapportError):
    """A record on the stream cannot be read."""


class ClientFault(RapportError):
    """One client cannot be judged or folded; whoever else a record is about can be."""

    def __init__(self, organisation: str, client: str) -> None:
        """Name the client by opaque ids; the cause says what went wrong."""
        super().__init__(f"{organisation} {client}")
        self.who = (organisation, client)


class TooManyParked(RapportError):
    """So much cannot be handled that the release is at fault; the consumer stands still.

    Its position has not moved. Mend or roll back the release and start it again; then see
    ``rapport parked list`` and ``rapport parked retry --all``.
    """


class StreamDamaged(Unreadable):
    """What is to be read is gone from the stream, or damaged. The consumer stands still before it.

    The message names the place and what to do; it holds nothing of what a sender wrote.
    """


class ConfigurationError(RapportError):
    """The configuration is wrong; every problem is listed."""

    def __init__(self, problems: Sequence[str]) -> None:
        """List every problem at once."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


TRANSIENT = (Unavailable, PositionConflict)
"""What another attempt may mend, without anything being different about the record."""


@contextmanager
def blamed_on(organisation: str, client: str) -> Iterator[None]:
    """Say of whatever cannot be handled inside that it is this client's.

    Raises:
        ClientFault: from the cause; what is transient is raised as it is.
    """
    try:
        yield
    except (*TRANSIENT, ClientFault):
        raise
    except Exception as cause:
        raise ClientFault(organisation, client) from cause
