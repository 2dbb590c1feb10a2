"""What must hold between the fields of one object, without knowing any instrument."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from shared.clock import parse_time
from shared.errors import Fault


class Condition(Protocol):
    """Something that must hold between the fields of one object, whatever they mean."""

    def faults(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Yield what is wrong; fields that are wrong by themselves are passed over."""

    def json_schema(self) -> dict[str, Any] | None:
        """Return the condition as JSON Schema, or None where that cannot say it."""


@dataclass(frozen=True)
class AtLeastOne:
    """At least one of the fields must be there."""

    names: tuple[str, ...]

    def faults(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Refuse data that has none of them."""
        if not any(name in data for name in self.names):
            yield Fault("", "Add at least one of these fields.", "at_least_one", self.names)

    def json_schema(self) -> dict[str, Any]:
        """Return one alternative per field."""
        return {"anyOf": [{"required": [name]} for name in self.names]}


@dataclass(frozen=True)
class ExactlyOne:
    """Exactly one of the fields must be there."""

    names: tuple[str, ...]

    def faults(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Refuse none, and more than one."""
        if sum(name in data for name in self.names) != 1:
            yield Fault("", "Send exactly one of these fields.", "exactly_one", self.names)

    def json_schema(self) -> dict[str, Any]:
        """Return one exclusive alternative per field."""
        return {"oneOf": [{"required": [name]} for name in self.names]}


@dataclass(frozen=True)
class RequiredWhen:
    """A field that must be there when another has one of some values."""

    name: str
    when: str
    values: tuple[str, ...]

    def faults(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Refuse data in which it is called for and missing."""
        if data.get(self.when) in self.values and self.name not in data:
            which = " or ".join(self.values)
            message = f"This field is required when {self.when} is {which}: add it."
            yield Fault(f"/{self.name}", message, "required")

    def json_schema(self) -> dict[str, Any]:
        """Return an implication."""
        held = {"properties": {self.when: {"enum": list(self.values)}}, "required": [self.when]}
        return {"if": held, "then": {"required": [self.name]}}


@dataclass(frozen=True)
class NotBefore:
    """An end that must not lie before its start; both times, or both dates."""

    end: str
    start: str

    def faults(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Refuse an end before its start."""
        end, start = _moment(data.get(self.end)), _moment(data.get(self.start))
        if end is not None and start is not None and end < start:
            message = f"Send a moment that is not before {self.start}."
            yield Fault(f"/{self.end}", message, "before_start")

    def json_schema(self) -> None:
        """Return nothing: JSON Schema does not compare two values."""


def _moment(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        if len(text) == len("2026-05-03"):
            return date.fromisoformat(text).toordinal()
        return parse_time(text).timestamp()
    except ValueError:
        return None
