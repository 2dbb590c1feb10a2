"""The calls that read the boundary register.

Whom a boundary event concerns gets the same 404 as for one that never was, and a list, a count
and a cursor in which it has no place (invariant 10).
"""

from typing import Any, Final

import orjson
from flask import Response
from marshmallow import Schema, fields, validate

from services.projections.api import PAGE_LIMIT, REF, conditional, viewer
from services.projections.register import Register
from shared.alliance.boundaries import STATES
from shared.errors import Fault
from shared.web.auth import require
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

OPEN: Final = "open"
SEVERITIES: Final = ("0", "1", "2", "3", "4", "none")


class RegisterArgumentsSchema(Schema):
    """Which part of the register is asked for."""

    state = fields.String(
        validate=validate.OneOf((*STATES, OPEN)),
        metadata={"description": "How far its life has come; `open` is every one not closed."},
    )
    clinic = fields.String(validate=REF)
    severity = fields.String(
        validate=validate.OneOf(SEVERITIES),
        metadata={"description": "Exactly this, the latest word; `none` where nobody said one."},
    )
    overdue = fields.Boolean(
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Whether its assessment is overdue at the last tick."},
    )
    cursor = fields.String(
        validate=validate.Length(1, 400),
        metadata={"description": "`next` of the page before, with the same other parameters."},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, PAGE_LIMIT))


class RegisterSchema(Schema):
    """A page of the register."""

    boundary_events = fields.List(fields.Dict(), required=True)
    total = fields.Integer(
        required=True,
        metadata={"description": "How many the caller may see on all pages together."},
    )
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Cursor of the next page; null on the last."},
    )


def blueprint(register: Register) -> Blueprint:
    """Return the calls."""
    calls = Blueprint("register", __name__, description="Read the boundary register.")

    @calls.route("/v1/boundary-events")
    @calls.arguments(RegisterArgumentsSchema, location="query")
    @calls.response(200, RegisterSchema)
    @problems(calls, 401, 403, 422, 503)
    @require("read")
    def get_boundary_events(asked: dict[str, Any]) -> dict[str, Any]:
        """Give the boundary events that the caller may see, worst first.

        First those whose assessment is overdue, then the other open ones, then the closed ones;
        among equals the gravest (none given counts as 2), then the oldest. A key that is bound to
        clinics sees those of which everything happened there; one that is bound to a person never
        one that concerns them. Severity is Rapport's own scale, not validated.
        """
        cursor = asked.pop("cursor", None)
        try:
            return register.page(viewer(), asked, limit=asked["limit"], cursor=cursor)
        except ValueError as error:
            fault = Fault("/query/cursor", f"not a cursor: {error}", "invalid_cursor")
            raise Problem(422, "refused", errors=[fault]) from error

    @calls.route("/v1/boundary-events/<id>")
    @calls.response(200, {"type": "object"})
    @problems(calls, 401, 403, 404, 503)
    @require("read")
    def get_boundary_event(id: str) -> Response:
        """Give one boundary event with its whole life.

        Each of the `steps` has its role, time and reason code, and the event that says so; the
        `deadline` of its assessment says what set it; `patterns` are those of Rapport's own
        definition (three kinds within eight weeks) that it belongs to.
        """
        found = register.one(viewer(), id)
        if found is None:
            raise Problem(404, "not_found")
        body = orjson.dumps(found)
        return conditional(body, body, "application/json")

    return calls
