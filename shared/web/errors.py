"""Errors as problem+json (RFC 9457): every refusal says what to fix, and echoes nothing sent."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import PurePath
from typing import Any, Final

import orjson
from flask import Flask, Response
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from shared.errors import Fault, Refused, StreamUnavailable, Unavailable
from shared.logs import logger

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:rapport:problem:"
RETRY_AFTER_S: Final = 5
"""Own: what a caller is asked to wait when the stream or the database is away."""

FRAMES_LOGGED: Final = 5

DETAILS: Final[Mapping[int, str]] = {
    400: "The request cannot be read.",
    404: "There is nothing here, or nothing that this key may see.",
    405: "This address does not take this method; Allow names those it takes.",
    413: "The body is larger than this service takes; send it in smaller parts.",
    415: "The body must be JSON, with Content-Type: application/json.",
    422: "What was sent cannot be taken; every fault is named in errors.",
    500: "Something went wrong in Rapport itself; it has been logged.",
    503: "A part that Rapport needs does not answer. Sending again is safe.",
}


class Problem(Exception):
    """A refusal on its way to the caller."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | None = None,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse a request.

        Args:
            status: The HTTP status.
            code: A stable word, the end of the problem's ``type``.
            detail: One sentence that says what to do; holds nothing that was sent.
            errors: Every fault that was found.
            headers: Further headers of the answer.
        """
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail or DETAILS.get(status, "")
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the body of the answer."""
        return orjson.dumps(
            {
                "type": TYPE_PREFIX + self.code,
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "errors": [fault_json(fault) for fault in self.errors],
            }
        )

    def response(self) -> Response:
        """Return the answer."""
        return Response(self.body(), self.status, self.headers, content_type=MEDIA_TYPE)


class FaultSchema(Schema):
    """One thing that is wrong, and how to mend it."""

    pointer = fields.String(
        required=True,
        metadata={
            "description": "JSON pointer into the body as it was sent; the empty text is the"
            " whole. For a query parameter: /query/ and its name."
        },
    )
    message = fields.String(required=True, metadata={"description": "Names the fix."})
    code = fields.String(required=True, metadata={"description": "A stable word."})
    allowed = fields.List(
        fields.String(), metadata={"description": "The allowed values, where they are closed."}
    )


class ProblemSchema(Schema):
    """RFC 9457, with the list of faults."""

    type = fields.String(required=True, metadata={"example": TYPE_PREFIX + "not_found"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FaultSchema), required=True)


def fault_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as it stands in ``errors``."""
    body: dict[str, Any] = {
        "pointer": fault.pointer,
        "message": fault.message,
        "code": fault.code,
    }
    if fault.allowed:
        body["allowed"] = list(fault.allowed)
    return body


def register(app: Flask) -> None:
    """Answer every error of an application, foreseen or not, as a problem."""
    log = logger(app.name)

    def unforeseen(error: Exception) -> Response:
        # The place and the kind: the message of an exception may hold what somebody sent.
        last = traceback.extract_tb(error.__traceback__)[-FRAMES_LOGGED:]
        where = " > ".join(f"{PurePath(at.filename).name}:{at.lineno}" for at in last)
        log.error("request_failed", error=type(error).__name__, where=where)
        return Problem(500, "internal").response()

    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, unforeseen)


def _refused(error: Refused) -> Response:
    return Problem(422, "refused", errors=error.faults).response()


def _unavailable(error: Unavailable) -> Response:
    stream = isinstance(error, StreamUnavailable)
    return Problem(
        503,
        "stream_unavailable" if stream else "database_unavailable",
        (
            "The stream did not acknowledge in time; it may still hold what was sent."
            " Sending all of it again is safe."
            if stream
            else "The database does not answer. Sending again is safe."
        ),
        headers={"Retry-After": str(RETRY_AFTER_S)},
    ).response()


def _http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return error  # A redirect, or an answer that was made already.
    code = HTTPStatus(status).name.lower()
    kept = {name: text for name, text in error.get_headers() if name != "Content-Type"}
    messages = (getattr(error, "data", None) or {}).get("messages", {})
    return Problem(status, code, errors=list(_faults(messages)), headers=kept).response()


def _faults(messages: Any) -> Iterator[Fault]:
    """Yield the faults in what webargs found: location → field → … → sentences."""
    if not isinstance(messages, Mapping):
        return
    for location, found in messages.items():
        yield from _below("" if location == "json" else f"/{location}", found)


def _below(pointer: str, found: Any) -> Iterator[Fault]:
    if isinstance(found, Mapping):
        for name, deeper in found.items():
            step = "" if name == "_schema" else "/" + _escaped(str(name))
            yield from _below(pointer + step, deeper)
    else:
        for message in [found] if isinstance(found, str) else found:
            yield Fault(pointer, str(message), _code(str(message)))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _code(message: str) -> str:
    """Return the code of one of marshmallow's own sentences."""
    starts = {
        "Missing data": "required",
        "Unknown field": "unknown_field",
        "Must be one of": "not_allowed",
        "Not a valid": "wrong_type",
        "Field may not be null": "wrong_type",
        "Must be": "out_of_range",
        "Shorter than": "out_of_range",
        "Longer than": "out_of_range",
        "Length must be": "out_of_range",
    }
    return next((code for start, code in starts.items() if message.startswith(start)), "invalid")
