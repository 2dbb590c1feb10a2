"""Bodies of requests → readings: which content mode, which adapter."""

from collections.abc import Mapping
from typing import Final

from flask import request

from services.ingest.adapter import Adapter, Origin, Reading
from services.ingest.adapters import ADAPTERS
from services.ingest.adapters.cloudevents import (
    HEADER_PREFIX,
    CloudEvents,
    read_batch,
    read_binary,
    read_structured,
)
from shared.storage.accounts import Source
from shared.web.errors import Problem
from shared.web.strict import strict_json

JSON: Final = "application/json"
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"

_BY_NAME: Final[Mapping[str, Adapter]] = {adapter.name: adapter for adapter in ADAPTERS}


def read_cloudevents(source: Source) -> Reading:
    """Read the present request's body as CloudEvents, in the mode that its headers say.

    JSON without any ``ce-`` header is in none of the three modes; what it means is plain all the
    same, so it is read as an event, or as a list of them.

    Raises:
        Problem: 400 when it is not strict JSON, 415 when it is something else.
    """
    if request.mimetype == STRUCTURED:
        return read_structured(strict_json(request.get_data()))
    if request.mimetype == BATCH:
        return read_batch(strict_json(request.get_data()))
    binary = any(name.lower().startswith(HEADER_PREFIX) for name, _ in request.headers)
    # The CloudEvents libraries send a binary body without a type when the event names none.
    _only(JSON, *([""] if binary else []))
    body = strict_json(request.get_data())
    if binary:
        return read_binary(request.headers.items(), request.content_type or "", body)
    return CloudEvents().read(body, origin_of(source))


def read_webhook(source: Source) -> Reading:
    """Read the present request's body by the adapter of the source that signed it.

    Raises:
        Problem: 400 when it is not strict JSON, 415 when it is something else.
    """
    _only(JSON, STRUCTURED, BATCH)
    return _BY_NAME[source.adapter].read(strict_json(request.get_data()), origin_of(source))


def origin_of(source: Source) -> Origin:
    """Return what an adapter may know of a source."""
    return Origin(source.name, source.clinic)


def _only(*mimetypes: str) -> None:
    if request.mimetype not in mimetypes:
        detail = f"Send JSON, with Content-Type {STRUCTURED}, {BATCH} or {JSON}."
        raise Problem(415, "unsupported_media_type", detail)
