"""The calls that say what may be sent: schemas, examples, instruments. Open to everybody."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

import orjson
from flask import Response
from marshmallow import Schema, fields

from shared.events import EVENT_TYPES
from shared.events.documents import Documented, documented
from shared.instrument import INSTRUMENTS, Instrument, latest
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

SCHEMA_TYPE: Final = "application/schema+json"
CACHED: Final = "public, max-age=3600"
"""A published version never changes; an hour, so that a mended description arrives."""


_TYPE: Final = {
    "name": "event_type",
    "in": "path",
    "description": "An event type, without the prefix `rapport.`.",
    "schema": {"type": "string", "enum": list(EVENT_TYPES)},
}


class InstrumentSchema(Schema):
    """One version of one questionnaire, with its published numbers and their sources."""

    key = fields.String(required=True, metadata={"example": "phq-9"})
    version = fields.String(required=True)
    newest = fields.Boolean(
        required=True, metadata={"description": "Written into ratings that name no version."}
    )
    title = fields.String(required=True)
    construct = fields.String(required=True)
    raters = fields.List(fields.String(), required=True)
    accepts = fields.List(fields.String(), required=True)
    forms = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Two of them: a rating says which in `scored_as`."},
    )
    items = fields.Dict(required=True)
    risk_items = fields.List(fields.String(), required=True)
    complete_only = fields.Boolean(required=True)
    variant = fields.Boolean(
        required=True,
        metadata={"description": "Another way to score: only for ratings that name the version."},
    )
    scales = fields.List(fields.Dict(), required=True)
    facets = fields.Dict(required=True)
    licence = fields.String(required=True)
    rhythm = fields.String(required=True)
    marks = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Where each part comes from, and whether that was checked."},
    )
    notes = fields.List(fields.String(), required=True)
    sources = fields.List(fields.String(), required=True)
    validated = fields.Boolean(required=True)


class InstrumentsSchema(Schema):
    """Every instrument that ratings may name."""

    instruments = fields.List(fields.Nested(InstrumentSchema), required=True)


def blueprint() -> Blueprint:
    """Return the calls; none needs a key, none tells of anybody."""
    calls = Blueprint("catalogue", __name__, description="What may be sent.")

    @calls.route("/schemas/<event_type>/<int:version>", parameters=[_TYPE])
    @calls.doc(security=[])
    @calls.response(200, {"type": "object"}, content_type=SCHEMA_TYPE)
    @problems(calls, 404)
    def schema(event_type: str, version: int) -> Response:
        """Return the JSON Schema of the data of an event type."""
        return _cached(_published(event_type, version).schema, SCHEMA_TYPE)

    @calls.route("/schemas/<event_type>/<int:version>/example", parameters=[_TYPE])
    @calls.doc(security=[])
    @calls.response(200, {"type": "object"})
    @problems(calls, 404)
    def example(event_type: str, version: int) -> Response:
        """Return one whole event of a type, as structured mode sends it."""
        return _cached(_published(event_type, version).event, "application/json")

    @calls.route("/v1/instruments")
    @calls.doc(security=[])
    @calls.response(200, InstrumentsSchema)
    def instruments() -> Response:
        """Return every instrument, with its items, scales, cut-offs and their sources."""
        return _cached(described(INSTRUMENTS.values()), "application/json")

    return calls


def described(instruments: Iterable[Instrument]) -> dict[str, Any]:
    """Return what is said of instruments, in the order of key and version."""
    ordered = sorted(instruments, key=lambda one: (one.key, int(one.version)))
    return {"instruments": [_instrument(instrument) for instrument in ordered]}


def _published(event_type: str, version: int) -> Documented:
    found = documented(event_type, version)
    if found is None:
        raise Problem(404, "not_found")
    return found


def _instrument(instrument: Instrument) -> dict[str, Any]:
    newest = latest(instrument.key)
    is_newest = newest is not None and newest.version == instrument.version
    shown: dict[str, Any] = InstrumentSchema().dump({**asdict(instrument), "newest": is_newest})
    return shown


def _cached(body: Any, content_type: str) -> Response:
    headers = {"Cache-Control": CACHED}
    return Response(orjson.dumps(body), headers=headers, content_type=content_type)
