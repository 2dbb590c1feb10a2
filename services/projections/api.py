"""The calls that read: one client's timeline, and the caseload, worst first.

What a caller may not see does not exist for them: another organisation's client and one that was
never sent are the same 404, before anything is folded.
"""

import hashlib
from datetime import datetime
from typing import Any, Final

import orjson
from flask import Response, request
from marshmallow import Schema, fields, validate

from services.projections import cursors, read_models
from services.projections.drawing import svg
from services.projections.page import PAGE_POLICY, SVG_POLICY, page
from services.projections.read_models.caseload import Asked
from services.projections.timelines import Timelines, Viewer
from shared.clock import format_time, from_micros, parse_time
from shared.errors import Fault
from shared.storage.engine import Database
from shared.stream import parking
from shared.web.auth import caller, require
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

STANDINGS: Final = ("falling", "low", "steady", "rising", "unknown")
PAGE_LIMIT: Final = 200
VOLATILE: Final = "judged_at"
"""Moves with every tick though nothing else changes: not part of what an ETag names."""

REF: Final = validate.Regexp(
    r"^[A-Za-z0-9._:-]{1,64}$", error="Must be 1 to 64 letters, digits or . _ : -"
)
TIME: Final = "An RFC 3339 time with offset; in an address, + is written %2B."


class _Time(fields.Field[datetime]):
    """An RFC 3339 time, read as strictly as an event's."""

    default_error_messages = {"invalid": "Not a valid time: {why}."}  # noqa: RUF012 - marshmallow.

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return parse_time(value)
        except ValueError as error:
            why = f"{error}; in an address, + is written %2B"
            raise self.make_error("invalid", why=why) from error


class TimesSchema(Schema):
    """At which two times a timeline is asked about."""

    valid_at = _Time(
        metadata={
            "description": f"Only what had occurred by then. {TIME}",
            "type": "string",
            "format": "date-time",
        }
    )
    known_at = _Time(
        metadata={
            "description": f"Only what Rapport had recorded by then. {TIME}",
            "type": "string",
            "format": "date-time",
        }
    )


class CaseloadArgumentsSchema(Schema):
    """Which part of the caseload is asked for."""

    clinic = fields.String(validate=REF)
    therapist = fields.String(validate=REF, metadata={"description": "Opaque id (th_…)."})
    standing = fields.String(validate=validate.OneOf(STANDINGS))
    cursor = fields.String(
        validate=validate.Length(1, 400),
        metadata={"description": "`next` of the page before, with the same other parameters."},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, PAGE_LIMIT))


class OpenAlertsSchema(Schema):
    """Open alerts that the caller may see, by urgency."""

    urgent = fields.Integer(required=True)
    attention = fields.Integer(required=True)
    information = fields.Integer(required=True)


class ClientSchema(Schema):
    """One client in care."""

    client = fields.String(required=True)
    clinic = fields.String(required=True)
    therapist = fields.String(required=True, allow_none=True)
    standing = fields.String(required=True, validate=validate.OneOf(STANDINGS))
    last_held_at = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "End of the last held session.", "format": "date-time"},
    )
    open_alerts = fields.Nested(OpenAlertsSchema, required=True)
    parked = fields.Boolean(
        required=True,
        metadata={"description": "Records of the client wait for an operator: not up to date."},
    )


class CaseloadSchema(Schema):
    """A page of the caseload."""

    clients = fields.List(fields.Nested(ClientSchema), required=True)
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Cursor of the next page; null on the last."},
    )


def blueprint(database: Database, timelines: Timelines) -> Blueprint:
    """Return the calls."""
    calls = Blueprint("timelines", __name__, description="Read timelines and the caseload.")
    _add_timelines(calls, timelines)
    _add_caseload(calls, database)
    return calls


def _add_timelines(calls: Blueprint, timelines: Timelines) -> None:
    @calls.route("/v1/clients/<client>/timeline")
    @calls.arguments(TimesSchema, location="query")
    @calls.response(200, {"type": "object"})
    @problems(calls, 401, 403, 404, 422, 503)
    @require("read")
    def get_timeline(asked: dict[str, datetime], client: str) -> Response:
        """Give the alliance timeline of a client.

        The ETag names everything but `judged_at`; with If-None-Match the answer may be 304. A
        client who was accepted but is not projected yet has an empty timeline. Where records
        of the client wait for an operator, `parked` says since when it is not up to date. Where
        the client was merged into another, nothing is here and `merged_into` says at whom both
        histories are read; `mergers` lists each, and why one has no effect. Alerts are still
        judged for each reference by itself, and name the one that they were judged for. Each
        phase carries `consistency`: how reliably care was given, measure by measure, with its
        definition, numerator and denominator, threshold, the events it stands on, and what was
        not counted and why; counted to the client's last fact, never to a clock. Every one of
        the `facets` has its `level` (null without a rating within eight weeks) with its evidence
        and age, its `course` by four weeks, the `facts` that stand beside it, and the `measures`
        of consistency that speak to it.
        """
        body, named = _written(_timeline(timelines, client, asked))
        return conditional(body, named, "application/json")

    @calls.route("/v1/clients/<client>/timeline.svg")
    @calls.arguments(TimesSchema, location="query")
    @calls.response(200, {"type": "string"}, content_type="image/svg+xml")
    @problems(calls, 401, 403, 404, 422, 503)
    @require("read")
    def get_timeline_svg(asked: dict[str, datetime], client: str) -> Response:
        """Draw the alliance timeline of a client as an accessible SVG."""
        body = svg(_timeline(timelines, client, asked)).encode()
        return conditional(body, body, "image/svg+xml", SVG_POLICY)

    @calls.route("/v1/clients/<client>/timeline.html")
    @calls.arguments(TimesSchema, location="query")
    @calls.response(200, {"type": "string"}, content_type="text/html")
    @problems(calls, 401, 403, 404, 422, 503)
    @require("read")
    def get_timeline_html(asked: dict[str, datetime], client: str) -> Response:
        """Show the alliance timeline of a client as a page: the drawing, and tables of it."""
        body = page(_timeline(timelines, client, asked)).encode()
        return conditional(body, body, "text/html; charset=utf-8", PAGE_POLICY)


def _add_caseload(calls: Blueprint, database: Database) -> None:
    @calls.route("/v1/clients")
    @calls.arguments(CaseloadArgumentsSchema, location="query")
    @calls.response(200, CaseloadSchema)
    @problems(calls, 401, 403, 422, 503)
    @require("read")
    def get_caseload(asked: dict[str, Any]) -> dict[str, Any]:
        """Give the clients in care, worst first.

        First those with an open urgent alert, then with an open attention alert, then falling,
        low, and the rest; among equals, who was longest without a held session.
        """
        return _caseload(database, asked)


def _timeline(timelines: Timelines, client: str, asked: dict[str, datetime]) -> dict[str, Any]:
    found = timelines.read(viewer(), client, **asked)
    if found is None:
        raise Problem(404, "not_found")
    return found


def _written(timeline: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return a timeline as JSON, and the same without what is volatile.

    A long one is a megabyte, so it is written once. What stands before the volatile field are
    texts, in which a quotation mark is never written bare: the first place found is its own.
    """
    named = orjson.dumps({**timeline, VOLATILE: None})
    before = f'"{VOLATILE}":'.encode()
    return named.replace(before + b"null", before + orjson.dumps(timeline[VOLATILE]), 1), named


def viewer() -> Viewer:
    """Return who asks, as the key says."""
    who = caller()
    return Viewer(who.organisation, who.clinics, who.person, who.role)


def _caseload(database: Database, asked: dict[str, Any]) -> dict[str, Any]:
    who = viewer()
    filters = {name: asked.get(name) for name in ("clinic", "therapist", "standing")}
    limit: int = asked["limit"]
    after = _after(asked["cursor"], filters) if "cursor" in asked else None
    # One more than asked for: whether it is there says whether there is a next page.
    person = who.person
    query = Asked(who.organisation, who.clinics, person, **filters, after=after, limit=limit + 1)
    with database.read() as db:
        models = read_models.serving(db)
        cleared = None if person is None else models.concerns.query(who.organisation, person)
        alerts = models.alerts.open_by_client(
            who.organisation, who.clinics, cleared, models.caseload.homes
        )
        rows = models.caseload.query(db, query, alerts)
        clients = [row.client for row in rows]
        places = models.caseload.places(db, query, clients)
        waiting = parking.waiting(db, who.organisation, clients)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return {
        "clients": [_client(row, *places[row.client], row.client in waiting) for row in shown],
        "next": last and cursors.write((last.rank, last.since, last.client), filters),
    }


def _after(cursor: str, filters: dict[str, str | None]) -> cursors.Place:
    try:
        return cursors.read(cursor, filters)
    except ValueError as error:
        fault = Fault("/query/cursor", f"not a cursor: {error}", "invalid_cursor")
        raise Problem(422, "refused", errors=[fault]) from error


def _client(row: Any, clinic: str, therapist: str, parked: bool) -> dict[str, Any]:
    held = row.last_held
    return {
        "client": row.client,
        "clinic": clinic,
        "therapist": therapist or None,
        "standing": row.standing,
        "last_held_at": None if held is None else format_time(from_micros(held)),
        "open_alerts": {
            "urgent": row.urgent,
            "attention": row.attention,
            "information": row.information,
        },
        "parked": parked,
    }


def conditional(
    body: bytes, named: bytes, content_type: str, policy: str | None = None
) -> Response:
    """Return an answer with the ETag of ``named``, or 304 where the caller has it already."""
    response = Response(body, content_type=content_type)
    # Weak: answers of one tag may differ in when they were judged.
    response.set_etag(hashlib.sha256(named).hexdigest()[:32], weak=True)
    response.headers["Vary"] = "Authorization"
    if policy is not None:
        response.headers["Content-Security-Policy"] = policy
    response.make_conditional(request)
    return response
