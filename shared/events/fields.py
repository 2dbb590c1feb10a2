"""The kinds of fields that an event's data can have; each checks a value and describes itself.

Data is JSON and stays JSON: a field never changes the value that it accepts. It answers with
faults, and with the JSON Schema of what it accepts, both from the same attributes, so that the
published schema cannot drift from what ingest does.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from marshmallow import ValidationError, fields
from marshmallow.constants import missing

from shared.errors import Fault

JSON_OBJECT: Final = (dict, Mapping)
"""What is one to ``isinstance``: to ask after a mapping alone takes ten times as long."""

_REQUIRED: Final = Fault("", "This field is required: add it.", "required")
_NUMBERS: Final = (int, float)
_NULL: Final = Fault("", "This field takes no null: leave it out.", "wrong_type")


class Value(fields.Field[Any]):
    """One field of an event's data. Subclasses say which values and how that is described."""

    register: str | None = None
    """The register that the value is a reference into; None for a value that names nobody."""

    def __init__(
        self,
        description: str,
        *,
        required: bool = False,
        nullable: bool = False,
        key: str | None = None,
    ) -> None:
        """Describe the field.

        Args:
            description: What it says, in one sentence; published.
            required: Whether the data must have it.
            nullable: Whether null is a value of it.
            key: Its name in JSON where that is a reserved word of Python.
        """
        super().__init__(
            required=required,
            allow_none=nullable,
            data_key=key,
            metadata={"description": description},
        )

    @property
    def description(self) -> str:
        """What the field says."""
        return str(self.metadata["description"])

    def deserialize(
        self,
        value: Any,
        attr: str | None = None,
        data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the value as it came, or raise ``ValidationError`` with a list of faults."""
        if value is missing:
            if self.required:
                raise ValidationError([_REQUIRED])
            return missing
        if value is None:
            if not self.allow_none:
                raise ValidationError([_NULL])
            return None
        faults = self.faults(value)
        if faults:
            raise ValidationError(list(faults))
        return value

    def takes(self, value: Any) -> bool:
        """Return whether ``deserialize`` would return a value that was sent."""
        return bool(self.allow_none) if value is None else not self.faults(value)

    def faults(self, value: Any) -> Sequence[Fault]:
        """Return what is wrong with a value that is not null, pointers relative to it."""
        raise NotImplementedError

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that are not null, without the description."""
        raise NotImplementedError


class Choice(Value):
    """One of a closed set of words."""

    def __init__(
        self, description: str, *allowed: str, required: bool = False, nullable: bool = False
    ) -> None:
        """Describe the field, and name every word that it takes."""
        super().__init__(description, required=required, nullable=nullable)
        self.allowed = allowed
        self._known = frozenset(allowed)

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse every other word."""
        if not isinstance(value, str):
            return [Fault("", "Send a JSON string.", "wrong_type", self.allowed)]
        if value not in self._known:
            return [Fault("", "Use one of the allowed values.", "not_allowed", self.allowed)]
        return ()

    def json_schema(self) -> dict[str, Any]:
        """Return the enumeration."""
        return {"type": "string", "enum": list(self.allowed)}


class Flag(Value):
    """True or false."""

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse everything else, 0 and 1 too."""
        if isinstance(value, bool):
            return ()
        return [Fault("", "Send true or false.", "wrong_type")]

    def json_schema(self) -> dict[str, Any]:
        """Return the boolean."""
        return {"type": "boolean"}


class Number(Value):
    """A finite number from ``least`` to ``most``, inclusive."""

    json_type = "number"

    def __init__(
        self,
        description: str,
        least: float | None = None,
        most: float | None = None,
        *,
        required: bool = False,
        nullable: bool = False,
    ) -> None:
        """Describe the field, and its range."""
        super().__init__(description, required=required, nullable=nullable)
        self.least, self.most = least, most

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is no finite number (true is none), and what lies outside the range."""
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            return [Fault("", "Send a JSON number.", "wrong_type")]
        if not math.isfinite(value):
            return [Fault("", "Send a finite number.", "not_finite")]
        if (self.least is not None and value < self.least) or (
            self.most is not None and value > self.most
        ):
            return [Fault("", f"Send a number {self._range()}.", "out_of_range")]
        return ()

    def _range(self) -> str:
        bounds = (("from", self.least), ("to", self.most))
        return " ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)

    def json_schema(self) -> dict[str, Any]:
        """Return the type and the range."""
        bounds = {"minimum": self.least, "maximum": self.most}
        given = {keyword: bound for keyword, bound in bounds.items() if bound is not None}
        return {"type": self.json_type, **given}


class Integer(Number):
    """A whole number; 3.0 is one, as in JSON Schema, and "3" is none."""

    json_type = "integer"

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is no whole number in the range."""
        faults = super().faults(value)
        if not faults and value != int(value):
            return [Fault("", "Send a whole number.", "wrong_type")]
        return faults


def pointer(name: str | int) -> str:
    """Return one step of a JSON pointer (RFC 6901)."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")
