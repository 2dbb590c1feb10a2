"""The calls about short notes on alerts: read, write, erase.

Whoever may see an alert may see its notes, and nobody else: for whom a boundary matter concerns
there is no such alert, so there are no notes on it either (invariant 10).
"""

from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate

from services.alerts.api import NoteSchema
from services.alerts.desk import Desk
from services.alerts.notes import LENGTH_LIMIT, PATTERN
from shared.web.auth import require
from shared.web.blueprint import Blueprint, problems

SHORT: Final = f"must be one line of at most {LENGTH_LIMIT} characters, with something to read"


class NewNoteSchema(Schema):
    """What is to be noted."""

    text = fields.String(
        required=True,
        validate=[
            validate.Length(1, LENGTH_LIMIT, error=SHORT),
            validate.Regexp(PATTERN, error=SHORT),
        ],
        metadata={
            "description": "One line about who does what until when. Nothing that was said in a"
            " session, and no name: notes organise the work."
        },
    )


class NotesSchema(Schema):
    """The notes on an alert."""

    notes = fields.List(fields.Nested(NoteSchema), required=True)


def blueprint(desk: Desk) -> Blueprint:
    """Return the calls."""
    calls = Blueprint("notes", __name__, description="Short notes on alerts, erasable.")

    @calls.route("/v1/alerts/<alert>/notes")
    @calls.response(200, NotesSchema)
    @problems(calls, 401, 403, 404, 503)
    @require("read")
    def get_notes(alert: str) -> dict[str, Any]:
        """Give the notes on an alert, the oldest first."""
        return {"notes": desk.one(alert)["notes"]}

    @calls.route("/v1/alerts/<alert>/notes", methods=["POST"])
    @calls.arguments(NewNoteSchema)
    @calls.response(201, NoteSchema)
    @problems(calls, 400, 401, 403, 404, 409, 412, 422, 428, 503)
    @require("act")
    def write_note(asked: dict[str, str], alert: str) -> dict[str, Any]:
        """Write a short note on an alert, to organise the work.

        It is no place for what was said in a session, for a diagnosis or a name. It is kept
        sealed, stands on no topic and in no message to recipients, and can be erased.
        """
        return desk.note(alert, asked["text"])

    @calls.route("/v1/alerts/<alert>/notes/<note>", methods=["DELETE"])
    @calls.response(204)
    @problems(calls, 401, 403, 404, 503)
    @require("act")
    def erase_note(alert: str, note: str) -> Response:
        """Erase a note, for everybody; whoever may act on the alert may erase every note on it."""
        desk.erase(alert, note)
        return Response(status=204)

    return calls
