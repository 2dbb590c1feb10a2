"""The contract of the family ``adapters``: the words of a sending system → our events.

An adapter is one file in ``services/ingest/adapters`` and one line in its visible tuple
``ADAPTERS``. It is pure: a parsed body in, drafts out. It translates and does not judge: whether a
draft may become an event is said by admission, for all adapters alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.errors import Fault
from shared.values import frozen

Locate = Callable[[Fault], Fault]
"""Moves a fault whose pointer is into the draft (``/time``, ``/data/items/9``) to where that
stands in the body as it was sent, which is the only thing its sender can look up."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something in a payload that Rapport does not use; told to the sender, and counted.

    Attributes:
        pointer: JSON pointer into the body as it was sent.
        what: What kind of thing it is.
        reason: A sentence. Holds no value that was sent.
    """

    pointer: str
    what: Literal["attribute", "field", "resource"]
    reason: str


@frozen
class Draft:
    """One event in our words as an adapter read it; nothing in it is trusted yet.

    Attributes:
        attributes: By CloudEvents name (``id``, ``source``, ``type``, ``time``, ``subject``, …);
            what is absent is left out.
        data: The event's fields; None where there are none.
        pointer: Where the event stands in the body as it was sent.
        locate: See ``Locate``.
    """

    attributes: Mapping[str, Any]
    data: Any
    pointer: str
    locate: Locate


@frozen
class Reading:
    """What an adapter found in one body.

    Attributes:
        drafts: In the order of the body.
        ignored: What it held beyond our use.
        faults: What we would use and cannot read, with pointers into the body.
    """

    drafts: tuple[Draft, ...]
    ignored: tuple[Ignored, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """What an adapter may know of the registered source that a body came from.

    Attributes:
        name: Given at ``source create``; ``urn:source:<name>`` is the CloudEvents source where a
            payload has none.
        clinic: The clinic that its facts belong to where a payload names none, if one was given.
    """

    name: str
    clinic: str | None = None

    @property
    def urn(self) -> str:
        """The CloudEvents source where the payload has none."""
        return f"urn:source:{self.name}"


class Adapter(Protocol):
    """One translation. Its docstring's first sentence says whose words it reads.

    Attributes:
        name: As given to ``source create --adapter``.
    """

    name: str

    def read(self, body: Any, origin: Origin) -> Reading:
        """Return the drafts that a parsed JSON body tells; never raise because of its content."""


def inside(prefix: str) -> Locate:
    """Return the ``Locate`` of a draft that stands, as it is, at ``prefix`` in the body."""

    def locate(fault: Fault) -> Fault:
        return fault.at(prefix)

    return locate


def escape(name: str) -> str:
    """Return an object member's name as one step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
