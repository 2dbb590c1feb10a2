"""A small service of the tests' own, with every way to fail that the real ones have."""

import json
from functools import partial
from typing import Any

from flask import Response
from flask.testing import FlaskClient
from marshmallow import Schema, fields, validate
from werkzeug.test import TestResponse

from shared.errors import DatabaseUnavailable, Fault, Refused, StreamUnavailable, Unavailable
from shared.web.app import create_app
from shared.web.auth import caller, check_clinic, require
from shared.web.blueprint import Blueprint
from tests.support.accounts import Office

MEMBERS = {"type", "title", "status", "detail", "errors"}
ANNA = "Anna Karenina"
LIMIT = 2_000


class Note(Schema):
    """What the test's own call takes."""

    code = fields.String(required=True, validate=validate.OneOf(["a", "b"]))
    grade = fields.Integer(validate=validate.Range(0, 4))


class Query(Schema):
    """What stands in its query."""

    valid_at = fields.AwareDateTime()


class Falling(Exception):
    """Stands for any mistake of ours; its text holds what somebody sent."""


class Service:
    """One application with calls that do what can go wrong."""

    def __init__(self, office: Office) -> None:
        """Build it over real accounts."""
        self.office = office
        self.ready = {"database": True, "stream": True}
        self.organisation = office.an_organisation()
        app = create_app(
            "test",
            [_calls()],
            office.accounts,
            checks={name: partial(self.ready.__getitem__, name) for name in self.ready},
            max_body_bytes=LIMIT,
        )
        self.http: FlaskClient = app.test_client()

    def key(self, *rights: str, **options: Any) -> dict[str, str]:
        """Return the header of a new key."""
        token = self.office.a_token(self.organisation, *rights, **options)
        return {"Authorization": f"Bearer {token}"}


def _calls() -> Blueprint:
    calls = Blueprint("notes", __name__)
    raised: dict[str, Exception] = {
        "stream": StreamUnavailable(ANNA),
        "database": DatabaseUnavailable(ANNA),
        "part": Unavailable(ANNA),
        "mistake": Falling(ANNA),
        "refused": Refused([Fault("/data/total", "must be 0 to 40", "out_of_range", ("a",))]),
    }

    @calls.route("/v1/notes/<name>", methods=["POST"])
    @require("act")
    @calls.arguments(Query, location="query")
    @calls.arguments(Note)
    @calls.response(200, Note)
    def note(query: dict[str, Any], body: dict[str, Any], name: str) -> dict[str, Any]:
        """Take a note.

        And give it back, `code` and <all>.
        """
        check_clinic(caller(), name, "/clinic")
        return body

    @calls.route("/v1/guarded/below", methods=["POST"])
    @calls.arguments(Query, location="query")
    @calls.arguments(Note)
    @calls.response(200, Note)
    @require("act")
    def guarded_below(query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        return body

    @calls.route("/v1/raise/<what>")
    def fail(what: str) -> Response:
        raise raised[what]

    return calls


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """Return the body of an answer, which must be a whole problem with this status."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.data)
    assert set(body) == MEMBERS
    assert body["status"] == status
    assert body["type"].startswith("urn:rapport:problem:")
    assert body["detail"]
    return body


def headers_of(problem_of: TestResponse, status: int) -> Any:
    """Return the headers of an answer that must be a problem with this status."""
    problem(problem_of, status)
    return problem_of.headers
