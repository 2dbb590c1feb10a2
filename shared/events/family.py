"""The contract of the family ``families``: what an event type is, and which fields all share.

A family of event types is one file in ``shared/events/families`` and one line in the visible
tuple ``FAMILIES`` (``shared/events/__init__.py``). A file holds one marshmallow schema per type
and ends with the literal ``FAMILY``, which lists its types in the order of contract.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.events.fields import Choice
from shared.events.schema import Schema
from shared.events.texts import Code, Ref, StaffRef

Writer = Literal["sender", "rapport"]
Scope = Literal["client", "clinic", "either"]
Data = Mapping[str, Any]

RATERS: Final = (
    "client",
    "therapist",
    "observer",
    "supervisor",
    "parent_or_carer",
    "partner",
    "teacher",
)
"""Who can fill in a questionnaire, or rate a goal."""

AGREEING: Final = ("client", "therapist", "parent_or_carer")
"""Who can agree a goal or a plan."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A version of a type that was shipped before the newest one, and how to read it today.

    Attributes:
        schema: What its data held.
        example: One valid ``data``.
        upcast: Returns the data of this version as the next version writes it. Pure; run on
            read, never on the stored bytes.
    """

    schema: type[Schema]
    example: Data
    upcast: Callable[[Data], Data]


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event.

    Attributes:
        name: Without the prefix, such as ``rating.given``.
        schema: What the newest version of its data holds; its docstring says what it is.
        time_means: What the event's ``time`` is, as words that follow "time is".
        example: One valid ``data`` of the newest version.
        scope: Whether it is about one ``client`` (has a subject), concerns a ``clinic`` or the
            whole organisation (has none), or ``either``.
        writer: Who publishes it: a ``sender``, or ``rapport`` alone.
        feed: The word of ``clinic.configured.sends`` that it belongs to, if any.
        amends: What it does to the event that its data names as ``target``, if it names one.
        earlier: Every version before the newest, from version 1.
        family: The family's name; written in when the families are collected.
        rank: Its place in the tables of contract.md, which is its place in fold order among
            facts of one moment; written in when the families are collected.
    """

    name: str
    schema: type[Schema]
    time_means: str
    example: Data
    scope: Scope = "client"
    writer: Writer = "sender"
    feed: str | None = None
    amends: Literal["corrects", "retracts"] | None = None
    earlier: tuple[Earlier, ...] = ()
    family: str = ""
    rank: int = -1

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self.earlier) + 1

    def schema_of(self, version: int) -> type[Schema]:
        """Return the schema of one of the versions, 1 to ``version``."""
        if version == self.version:
            return self.schema
        return (*(one.schema for one in self.earlier), self.schema)[version - 1]

    def example_of(self, version: int) -> Data:
        """Return the example of one of the versions, 1 to ``version``."""
        return (*(one.example for one in self.earlier), self.example)[version - 1]


@dataclass(frozen=True, slots=True)
class Family:
    """The event types that speak of one matter.

    Attributes:
        name: The name of its file.
        types: In the order of contract.md.
    """

    name: str
    types: tuple[EventType, ...]


class Sent(Schema):
    """What every event of a sender may say."""

    source_code = Code("The sender's own code for this, verbatim; never text.")
    time_precision = Choice(
        "How exact `time` is; with `day`, no notice, lateness or length is computed.",
        "minute",
        "day",
    )


class BeforeTherapist(Sent):
    """What every event about a client says, where people wait before they have a therapist."""

    clinic = Ref("The clinic.", required=True)
    therapist = StaffRef("The therapist, once there is one.")
    care = Ref("The course of care; `main` when left out.")


class WithTherapist(BeforeTherapist):
    """What every event about a client and their therapist says."""

    therapist = StaffRef("The therapist.", required=True)
