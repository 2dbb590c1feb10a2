"""CloudEvents 1.0 whose data is already in Rapport's own words.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/, the JSON format and
the HTTP binding. Structured and batch bodies, and binary mode, give the same drafts.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from services.ingest.adapter import Draft, Ignored, Origin, Reading, escape, inside
from shared.errors import Fault

ATTRIBUTES: Final = frozenset(
    {
        "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema",
        "backfill",
    }
)  # fmt: skip
"""The context attributes that Rapport reads; any other is an extension, ignored and counted."""

_USED: Final = ATTRIBUTES | {"data"}

BINARY: Final = "data_base64"
HEADER_PREFIX: Final = "ce-"
NOT_USED: Final = "Rapport does not use this extension attribute"

_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_BACKSLASHED = re.compile(r"\\(.)", re.DOTALL)


class CloudEvents:
    """CloudEvents 1.0 in structured mode (one object) or batch mode (a list of objects)."""

    name = "cloudevents"

    def read(self, body: Any, origin: Origin) -> Reading:
        """Return one draft per event; the body's shape says which of the two modes it is."""
        return read_batch(body) if isinstance(body, list) else read_structured(body)


def read_structured(body: Any) -> Reading:
    """Return the draft of a body in structured mode."""
    return _joined([_read_object(body, "")])


def read_batch(body: Any) -> Reading:
    """Return the drafts of a body in batch mode."""
    if not isinstance(body, list):
        return Reading((), faults=(Fault("", "Send a batch as a JSON array.", "wrong_type"),))
    return _joined(_read_object(event, f"/{index}") for index, event in enumerate(body))


def read_binary(headers: Iterable[tuple[str, str]], content_type: str, data: Any) -> Reading:
    """Return the draft of a request in binary mode.

    Args:
        headers: Every header of the request; those that start with ``ce-`` are the attributes.
        content_type: Of the body; ``""`` where the request has none (then JSON is assumed).
        data: The parsed body.
    """
    given = {
        name.lower().removeprefix(HEADER_PREFIX): _decoded(value)
        for name, value in headers
        if name.lower().startswith(HEADER_PREFIX)
    }
    if content_type:
        given["datacontenttype"] = content_type
    ignored = tuple(
        Ignored("", "attribute", f"{NOT_USED} (header {HEADER_PREFIX}{name})")
        for name in sorted(given.keys() - ATTRIBUTES)
    )
    return Reading((Draft(_known(given), data, "", _locate_binary),), ignored)


def _read_object(body: Any, pointer: str) -> Reading:
    if not isinstance(body, dict):
        return Reading(
            (), faults=(Fault(pointer, "Send an event as a JSON object.", "wrong_type"),)
        )
    if body.get(BINARY) is not None:
        message = "Send data as a JSON object in data, not as base64."
        return Reading((), faults=(Fault(f"{pointer}/{BINARY}", message, "data_not_json"),))
    # The JSON format: a member that is null is as good as absent.
    ignored = tuple(
        Ignored(f"{pointer}/{escape(name)}", "attribute", NOT_USED)
        for name in sorted(body.keys() - _USED)
        if body[name] is not None
    )
    draft = Draft(_known(body), body.get("data"), pointer, inside(pointer))
    return Reading((draft,), ignored)


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in given.items() if value is not None and name in ATTRIBUTES
    }


def _joined(readings: Iterable[Reading]) -> Reading:
    read = tuple(readings)
    return Reading(
        tuple(draft for reading in read for draft in reading.drafts),
        tuple(ignored for reading in read for ignored in reading.ignored),
        tuple(fault for reading in read for fault in reading.faults),
    )


def _decoded(value: str) -> str:
    """Undo the header encoding: one layer of quotes, then one round of percent-encoding."""
    quoted = _QUOTED.fullmatch(value)
    plain = _BACKSLASHED.sub(r"\1", quoted[1]) if quoted else value
    # What is not UTF-8 becomes U+FFFD, which the rules for attributes refuse.
    return unquote(plain, errors="replace")


def _locate_binary(fault: Fault) -> Fault:
    """The body is the data alone; a fault in an attribute names its header instead."""
    if fault.pointer == "/data" or fault.pointer.startswith("/data/"):
        return replace(fault, pointer=fault.pointer.removeprefix("/data"))
    name = fault.pointer.removeprefix("/")
    header = "content-type" if name == "datacontenttype" else f"{HEADER_PREFIX}{name}"
    return replace(fault, pointer="", message=f"Header {header}: {fault.message}")
