"""What an object of an event's data holds: its fields, and what must hold between them."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import marshmallow

from shared.errors import Fault
from shared.events.conditions import Condition
from shared.events.fields import JSON_OBJECT, Flag, Number, Value, pointer
from shared.events.texts import NAME_PATTERN, Ref, whole


class Schema(marshmallow.Schema):
    """An object with these fields and no others. Subclasses list fields and conditions."""

    conditions: ClassVar[tuple[Condition, ...]] = ()
    """What must hold between the fields."""

    forms: ClassVar[tuple[tuple[str, type["Schema"]], ...]] = ()
    """Other forms that the object can take, each after a field that only it has."""

    class Meta:
        """Refuse unknown fields; keep out of marshmallow's global registry of names."""

        unknown = marshmallow.RAISE
        register = False

    @marshmallow.validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_conditions(
        self, loaded: Mapping[str, Any], data: Mapping[str, Any], **kwargs: Any
    ) -> None:
        """Raise ``ValidationError`` with a fault for every condition that does not hold."""
        faults = [fault for condition in self.conditions for fault in condition.faults(data)]
        if faults:
            raise marshmallow.ValidationError(faults)


@functools.cache
def instance(schema: type[Schema]) -> Schema:
    """Return the one instance of a schema: building it costs more than many uses of it."""
    return schema()


def values(schema: type[Schema]) -> dict[str, Value]:
    """Return the fields of a schema by their names in JSON, in order."""
    found = {}
    for name, value in instance(schema).fields.items():
        if not isinstance(value, Value):
            raise TypeError(f"{schema.__name__}.{name} is not one of the fields of this package")
        found[value.data_key or name] = value
    return found


def faults_of(schema: type[Schema], data: object) -> list[Fault]:
    """Return everything that is wrong with ``data``, pointers relative to it, in stable order."""
    if not isinstance(data, JSON_OBJECT):
        return [Fault("", "Send a JSON object.", "wrong_type")]
    for marker, form in schema.forms:
        if marker in data:
            return faults_of(form, data)
    if is_sound(schema, data):
        return []
    found: list[Fault] = []
    for name, problems in instance(schema).validate(data).items():
        for problem in problems:
            found.append(_placed(schema, name, problem))
    return sorted(found, key=lambda fault: (fault.pointer, fault.code))


def is_sound(schema: type[Schema], data: Mapping[str, Any]) -> bool:
    """Return whether there is nothing wrong with an object that takes no other form.

    Nearly everything that is sent is sound. Looking only at the fields that are there says so in
    a fifth of the time that marshmallow's report takes; whatever is wrong, the report words.
    """
    known, required = _shape(schema)
    if not required <= data.keys():
        return False
    for name, held in data.items():
        if name not in known or not known[name].takes(held):
            return False
    return not any(fault for condition in schema.conditions for fault in condition.faults(data))


@functools.cache
def _shape(schema: type[Schema]) -> tuple[dict[str, Value], frozenset[str]]:
    """Return the fields by their names in JSON, and the names of those that must be there."""
    known = values(schema)
    return known, frozenset(name for name, value in known.items() if value.required)


def _placed(schema: type[Schema], name: str, problem: Fault | str) -> Fault:
    place = pointer(name)
    if not isinstance(problem, Fault):
        # The one problem that marshmallow finds by itself, and words by itself.
        allowed = tuple(values(schema))
        return Fault(place, "Remove this field: the type has none such.", "unknown_field", allowed)
    return problem if name == marshmallow.exceptions.SCHEMA else problem.at(place)


def object_schema(schema: type[Schema]) -> dict[str, Any]:
    """Return the JSON Schema of an object, faithful but for the conditions that it cannot say."""
    if not schema.forms:
        return _own_schema(schema)
    others = dict.fromkeys(form for _, form in schema.forms)
    return {"oneOf": [_own_schema(schema), *(object_schema(form) for form in others)]}


def _own_schema(schema: type[Schema]) -> dict[str, Any]:
    fields = values(schema)
    described: dict[str, Any] = {
        "type": "object",
        "properties": {name: value_schema(value) for name, value in fields.items()},
        "required": [name for name, value in fields.items() if value.required],
        "additionalProperties": False,
    }
    conditions = [condition.json_schema() for condition in schema.conditions]
    if any(conditions):
        described["allOf"] = [condition for condition in conditions if condition]
    return described


def value_schema(value: Value) -> dict[str, Any]:
    """Return the JSON Schema of one field, with its description."""
    accepted = value.json_schema()
    if value.allow_none:
        accepted = {"anyOf": [accepted, {"type": "null"}]}
    return {"description": value.description, **accepted} if value.description else accepted


class Part(Value):
    """An object within the data, with a schema of its own."""

    def __init__(
        self,
        schema: type[Schema],
        description: str,
        *,
        required: bool = False,
        nullable: bool = False,
    ) -> None:
        """Describe the field, and what the object holds."""
        super().__init__(description, required=required, nullable=nullable)
        self.schema = schema

    def faults(self, value: Any) -> Sequence[Fault]:
        """Return what the object's own schema finds."""
        return faults_of(self.schema, value)

    def json_schema(self) -> dict[str, Any]:
        """Return the object's own schema."""
        return object_schema(self.schema)


class ListOf(Value):
    """A list of values of one kind, of a bounded length."""

    def __init__(
        self,
        each: Value,
        description: str,
        *,
        least: int = 0,
        most: int = 100,
        required: bool = False,
    ) -> None:
        """Describe the field, what is in it, and how much at least and at most."""
        super().__init__(description, required=required)
        self.each, self.least, self.most = each, least, most

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is no list, its length, and every element that is wrong."""
        if not isinstance(value, list):
            return [Fault("", "Send a JSON array.", "wrong_type")]
        if not self.least <= len(value) <= self.most:
            message = f"Send {self.least} to {self.most} elements."
            return [Fault("", message, "out_of_range")]
        return [
            fault.at(pointer(at))
            for at, element in enumerate(value)
            for fault in self._each(element)
        ]

    def _each(self, element: Any) -> Sequence[Fault]:
        if element is None:
            return [Fault("", "A list takes no null: leave it out.", "wrong_type")]
        return self.each.faults(element)

    def json_schema(self) -> dict[str, Any]:
        """Return the array."""
        limits = {"minItems": self.least, "maxItems": self.most}
        return {"type": "array", "items": value_schema(self.each), **limits}


_NAME = whole(NAME_PATTERN)


class MapOf(Value):
    """An object whose members are named by the sender and hold values of one kind."""

    def __init__(
        self, each: Value, description: str, *, least: int = 1, required: bool = False
    ) -> None:
        """Describe the field, and what each member holds."""
        super().__init__(description, required=required)
        self.each, self.least, self.most = each, least, 200

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is no object, how many members it has, their names and their values."""
        if not isinstance(value, JSON_OBJECT):
            return [Fault("", "Send a JSON object.", "wrong_type")]
        if len(value) < self.least:
            return [Fault("", "Send at least one member, or leave the field out.", "empty")]
        if len(value) > self.most:
            return [Fault("", f"Send at most {self.most} members.", "out_of_range")]
        return [
            fault.at(pointer(name))
            for name, element in value.items()
            for fault in self._member(name, element)
        ]

    def _member(self, name: str, element: Any) -> Sequence[Fault]:
        if not _NAME.fullmatch(name):
            advice = "Name it with 1 to 64 letters, digits, dots, underscores or hyphens."
            return [Fault("", advice, "not_a_name")]
        if element is None:
            return () if self.each.allow_none else [Fault("", "Send a value.", "wrong_type")]
        return self.each.faults(element)

    def json_schema(self) -> dict[str, Any]:
        """Return the object."""
        return {
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": value_schema(self.each),
            "minProperties": self.least,
            "maxProperties": self.most,
        }


class Setting(Value):
    """A rule's setting: a number, true or false, a word, or a list of numbers or words."""

    most = 100

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse everything else; a word is a reference, so that it tells no story."""
        many = isinstance(value, list)
        if many and len(value) > self.most:
            return [Fault("", f"Send at most {self.most} elements.", "out_of_range")]
        kinds = (_NUMBER, _WORD) if many else (_NUMBER, _WORD, _FLAG)
        elements = value if many else [value]
        if all(any(not kind.faults(element) for kind in kinds) for element in elements):
            return ()
        advice = "Send a number, true or false, a word, or a list of numbers or words."
        return [Fault("", advice, "wrong_type")]

    def json_schema(self) -> dict[str, Any]:
        """Return the alternatives."""
        number, word, flag = (kind.json_schema() for kind in (_NUMBER, _WORD, _FLAG))
        some = {"type": "array", "items": {"anyOf": [number, word]}, "maxItems": self.most}
        return {"anyOf": [number, word, flag, some]}


_NUMBER, _WORD, _FLAG = Number(""), Ref(""), Flag("")


class OpenObject(Value):
    """An object that is not described here."""

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is no object."""
        return (
            ()
            if isinstance(value, JSON_OBJECT)
            else [Fault("", "Send a JSON object.", "wrong_type")]
        )

    def json_schema(self) -> dict[str, Any]:
        """Return any object."""
        return {"type": "object"}
