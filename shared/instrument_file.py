"""The strict shape of an instrument's data file: everything is said, and said with its source.

Knows TOML and numbers, no instrument: ``shared/instrument.py`` builds one from what passes here.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from shared.errors import ConfigurationError

_NAME = re.compile(r"(?P<key>[a-z0-9]+(-[a-z0-9]+)*)\.v(?P<version>[1-9][0-9]*)\.toml")
_WORD = validate.Regexp(r"[a-z][a-z0-9_]*\Z")

CLAIMS = ("items", "scales", "missing", "reversed", "risk", "bands")
"""What a mark can speak of, beside cut-offs and reliable changes, which carry their own."""


RATERS = ("client", "therapist", "observer", "supervisor", "parent_or_carer", "partner", "teacher")


class _Number(fields.Float):
    """A TOML integer or float; a text or a boolean is a mistake."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str | bool):
            raise self.make_error("invalid")
        number: float = super()._validated(value)
        return number


class _Items(Schema):
    count = fields.Integer(required=True, strict=True, validate=validate.Range(1, 200))
    minimum = _Number(required=True)
    maximum = _Number(required=True)
    step = _Number(required=True, validate=validate.Range(min=0, min_inclusive=False))
    reversed = fields.List(fields.Integer(strict=True), load_default=list)
    risk = fields.Dict(
        fields.String(),
        fields.String(validate=validate.OneOf(("self", "others"))),
        load_default=dict,
    )
    texts = fields.List(fields.String(), load_default=list)


class _Mark(Schema):
    about = fields.String(required=True, validate=validate.OneOf(CLAIMS))
    source = fields.String(required=True, validate=validate.Length(1))
    verified = fields.Boolean(required=True)


class _Cutoff(Schema):
    value = _Number(required=True)
    meets = fields.String(required=True, validate=validate.OneOf(("below", "at_or_above")))
    meaning = fields.String(required=True, validate=_WORD)
    rater = fields.String(validate=validate.OneOf(RATERS))
    source = fields.String(required=True, validate=validate.Length(1))
    verified = fields.Boolean(required=True)


class _Band(Schema):
    low = _Number(required=True)
    high = _Number(required=True)
    label = fields.String(required=True, validate=validate.Length(1))


class _ReliableChange(Schema):
    value = _Number(validate=validate.Range(min=0, min_inclusive=False))
    sd = _Number(validate=validate.Range(min=0, min_inclusive=False))
    reliability = _Number(validate=validate.Range(0, 1, max_inclusive=False))
    kind = fields.String(validate=validate.OneOf(("alpha", "retest")))
    confidence = _Number(required=True, validate=validate.OneOf((0.90, 0.95)))
    source = fields.String(required=True, validate=validate.Length(1))
    verified = fields.Boolean(required=True)


class _Scale(Schema):
    name = fields.String(required=True, validate=_WORD)
    items = fields.List(fields.Integer(strict=True), validate=validate.Length(1))
    size = fields.Integer(strict=True, validate=validate.Range(1))
    parts = fields.List(fields.String(), load_default=list)
    compute = fields.String(required=True, validate=validate.OneOf(("sum", "mean")))
    multiplier = _Number(load_default=1.0)
    range = fields.Tuple((_Number(), _Number()), required=True)
    direction = fields.String(
        required=True, validate=validate.OneOf(("higher", "lower", "descriptive"))
    )
    max_missing = fields.Integer(required=True, strict=True, validate=validate.Range(0))
    rounds_missing = fields.Boolean(load_default=False)
    reliable_change = fields.Nested(_ReliableChange, load_default=None)
    cutoffs = fields.List(fields.Nested(_Cutoff), load_default=list)
    bands = fields.List(fields.Nested(_Band), load_default=list)

    @validates_schema
    def _one_of_the_two(self, said: Mapping[str, Any], **_: Any) -> None:
        if ("items" in said) == ("size" in said):
            message = "give items, or size where the map is its authors' and not ours to ship"
            raise ValidationError(message, "items")

    @post_load
    def _sized(self, said: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"items": [], "size": len(said.get("items", ())), **said}


class _File(Schema):
    key = fields.String(required=True)
    version = fields.String(required=True)
    title = fields.String(required=True, validate=validate.Length(1))
    construct = fields.String(
        required=True, validate=validate.OneOf(("alliance", "outcome", "session"))
    )
    validated = fields.Boolean(load_default=True)
    raters = fields.List(
        fields.String(validate=validate.OneOf(RATERS)),
        required=True,
        validate=validate.Length(1),
    )
    accepts = fields.List(
        fields.String(validate=validate.OneOf(("items", "scales", "total"))),
        required=True,
        validate=validate.Length(1),
    )
    forms = fields.List(
        fields.String(validate=validate.OneOf(("sum", "mean"))),
        required=True,
        validate=validate.Length(1, 2),
    )
    complete_only = fields.Boolean(load_default=False)
    variant = fields.Boolean(load_default=False)
    licence = fields.String(required=True, validate=validate.Length(1))
    rhythm = fields.String(required=True, validate=validate.Length(1))
    notes = fields.List(fields.String(), load_default=list)
    sources = fields.List(fields.String(), required=True, validate=validate.Length(1))
    items = fields.Nested(_Items, required=True)
    marks = fields.List(fields.Nested(_Mark), required=True)
    scales = fields.List(fields.Nested(_Scale), required=True, validate=validate.Length(1))
    facets = fields.Dict(
        fields.String(), fields.List(fields.String(validate=_WORD)), required=True
    )


def read(name: str, text: str) -> Mapping[str, Any]:
    """Return what a data file says, every default filled in.

    Args:
        name: The file's name, ``<key>.v<version>.toml``, which must agree with what is in it.
        text: Its TOML.

    Raises:
        ConfigurationError: with every problem that was found, each beginning with the name.
    """
    try:
        said: dict[str, Any] = _File().load(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{name}: not TOML: {error}"]) from error
    except ValidationError as error:
        raise ConfigurationError(
            [f"{name}: {where}: {what}" for where, what in _flat(error.messages)]
        ) from error
    problems = [*_of_name(name, said), *_of_items(said), *_of_scales(said), *_of_marks(said)]
    if problems:
        raise ConfigurationError([f"{name}: {problem}" for problem in problems])
    return said


def scale_range(items: Mapping[str, Any], scale: Mapping[str, Any]) -> tuple[float, float]:
    """Return the lowest and highest score that a scale's items allow."""
    times = scale["multiplier"] * (scale["size"] if scale["compute"] == "sum" else 1)
    return items["minimum"] * times, items["maximum"] * times


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        for message in messages:
            yield path, message


def _of_name(name: str, said: Mapping[str, Any]) -> Iterator[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        yield "the file's name is not <key>.v<version>.toml"
    elif match.groupdict() != {"key": said["key"], "version": said["version"]}:
        yield "key and version differ from the file's name"


def _of_items(said: Mapping[str, Any]) -> Iterator[str]:
    items = said["items"]
    numbers = range(1, items["count"] + 1)
    if items["minimum"] >= items["maximum"]:
        yield "items: minimum is not below maximum"
    if unknown := set(items["reversed"]) - set(numbers):
        yield f"items.reversed: there is no item {min(unknown)}"
    if unknown_risk := set(items["risk"]) - {str(number) for number in numbers}:
        yield f"items.risk: there is no item {min(unknown_risk)}"
    if {str(number) for number in items["reversed"]} & set(items["risk"]):
        yield "items.risk: a reversed item cannot be one: its answers would be misread"
    if items["texts"] and len(items["texts"]) != items["count"]:
        yield "items.texts: one text for each item, or none"


def _of_scales(said: Mapping[str, Any]) -> Iterator[str]:
    names = [scale["name"] for scale in said["scales"]]
    if len(set(names)) != len(names):
        yield "scales: a name is used twice"
    if unknown := set(said["facets"]) - set(names):
        yield f"facets: there is no scale {min(unknown)}"
    by_name = {scale["name"]: scale for scale in said["scales"]}
    for scale in said["scales"]:
        for problem in [*_of_scale(said["items"], scale, by_name), *_of_use(said, scale)]:
            yield f"scales.{scale['name']}: {problem}"


def _of_scale(
    items: Mapping[str, Any], scale: Mapping[str, Any], by_name: Mapping[str, Any]
) -> Iterator[str]:
    if set(scale["items"]) - set(range(1, items["count"] + 1)):
        yield "names an item that there is not"
    if len(set(scale["items"])) != len(scale["items"]):
        yield "names an item twice"
    if scale["size"] > items["count"]:
        yield "is larger than the instrument"
    if scale["max_missing"] >= scale["size"]:
        yield "max_missing leaves nothing to score"
    if tuple(scale["range"]) != scale_range(items, scale):
        yield f"range is not what its items allow, {scale_range(items, scale)}"
    if scale["rounds_missing"] and items["step"] != 1:
        yield "rounds_missing makes whole answers, but these are not"
    if scale["parts"] and not _adds_up(scale, [by_name.get(part) for part in scale["parts"]]):
        yield "parts do not add up to its items"
    yield from _of_bands(scale)
    yield from _of_published(scale)


def _adds_up(scale: Mapping[str, Any], parts: Sequence[Mapping[str, Any] | None]) -> bool:
    """Return whether a scale is the sum of its parts, or the mean of parts of one length."""
    known = [part for part in parts if part is not None]
    alike = ("compute", "multiplier")
    return (
        len(known) == len(parts)
        and sorted(n for part in known for n in part["items"]) == sorted(scale["items"])
        and sum(part["size"] for part in known) == scale["size"]
        and all(part[field] == scale[field] for part in known for field in alike)
        and (scale["compute"] == "sum" or len({part["size"] for part in known}) == 1)
    )


def _of_use(said: Mapping[str, Any], scale: Mapping[str, Any]) -> Iterator[str]:
    if "items" in said["accepts"] and not scale["items"]:
        yield "has a size and no items, so that answers cannot be scored: do not accept items"
    raters = {cutoff["rater"] for cutoff in scale["cutoffs"] if "rater" in cutoff}
    if raters - set(said["raters"]):
        yield "a cut-off is for a rater who does not fill it in"


def _of_bands(scale: Mapping[str, Any]) -> Iterator[str]:
    bands = scale["bands"]
    if not bands:
        return
    low, high = scale["range"]
    if bands[0]["low"] != low or bands[-1]["high"] != high:
        yield "bands do not cover the range"
    if any(
        not before["low"] <= before["high"] < after["low"] for before, after in pairwise(bands)
    ):
        yield "bands overlap, or do not rise"


def _of_published(scale: Mapping[str, Any]) -> Iterator[str]:
    low, high = scale["range"]
    if any(not low <= cutoff["value"] <= high for cutoff in scale["cutoffs"]):
        yield "a cut-off lies outside the range"
    change = scale["reliable_change"]
    if change is None:
        return
    computed_from = {"sd", "reliability", "kind"} & change.keys()
    if ("value" in change) == bool(computed_from) or len(computed_from) not in (0, 3):
        yield "reliable_change needs its value, or sd, reliability and kind to compute it from"


def _of_marks(said: Mapping[str, Any]) -> Iterator[str]:
    marked = [mark["about"] for mark in said["marks"]]
    claimed = {"items", "scales", "missing"}
    claimed |= {claim for claim in ("reversed", "risk") if said["items"][claim]}
    claimed |= {"bands" for scale in said["scales"] if scale["bands"]}
    for claim in sorted(claimed - set(marked)):
        yield f"marks: nothing says where {claim} comes from"
    for claim in sorted(set(marked) - claimed - {"reversed"}):
        yield f"marks: {claim} is marked, but the file claims none"
    if len(set(marked)) != len(marked):
        yield "marks: a claim is marked twice"
