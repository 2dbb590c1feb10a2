"""The calls by which events come in: the API by key, a source's webhook by signature.

What happens in which order is security: limit the size, find out who sends, and only then read.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import orjson
from flask import Response, request
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import RequestEntityTooLarge

from services.ingest import admission
from services.ingest.adapter import Ignored, Reading
from services.ingest.admission import Admitted, Refusal
from services.ingest.bodies import read_cloudevents, read_webhook
from services.ingest.callers import sender_by_key, sender_by_signature
from services.ingest.documents import EVENT_BODIES, WEBHOOK_BODIES, Documented
from services.ingest.ingest import Ingest, Outcome, Sender, bounded
from services.ingest.refusals import Refusals, Trouble
from shared.clock import Clock, format_time
from shared.envelope import TYPE_PREFIX
from shared.errors import Fault, Refused
from shared.events import CODES
from shared.events.documents import address
from shared.metrics import REFUSED
from shared.storage.accounts import Accounts, Source
from shared.web.auth import require
from shared.web.blueprint import problems
from shared.web.errors import FaultSchema, Problem, fault_json

SKIP: Final = "skip"

COUNTED: Final = frozenset(
    {
        *CODES, *admission.CODES, "not_accepted", "unknown_item", "not_a_step", "unknown_scale",
        "disagree", "too_large", "bad_signature", "skewed_clock", "forbidden",
        "unsupported_media_type", "request_entity_too_large", "not_utf8", "not_json",
        "duplicate_key", "integer_too_large", "too_deep", "lone_surrogate",
    }
)  # fmt: skip
"""The codes that the metric of refusals knows; any other counts as ``other``."""


class OnErrorSchema(Schema):
    """What to do when some of the events of a batch are refused."""

    on_error = fields.String(
        validate=validate.OneOf([SKIP]),
        metadata={"description": "`skip` takes the good ones and lists the others in `refused`."},
    )


_ON_ERROR = OnErrorSchema()
"""One instance: a class would be instantiated for every request."""


class AcceptedSchema(Schema):
    """An event that is safe in the stream."""

    id = fields.String(required=True, metadata={"description": "Its id everywhere in Rapport."})
    client = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The client's opaque id; null where it concerns many."},
    )


class IgnoredSchema(Schema):
    """Something that Rapport does not use."""

    pointer = fields.String(required=True)
    what = fields.String(
        required=True, validate=validate.OneOf(["attribute", "field", "resource"])
    )
    reason = fields.String(required=True)


class RefusedSchema(Schema):
    """An event that was left out, with every reason."""

    pointer = fields.String(required=True, metadata={"description": "Where it stands."})
    errors = fields.List(fields.Nested(FaultSchema), required=True)


class OutcomeSchema(Schema):
    """What became of the events."""

    accepted = fields.List(fields.Nested(AcceptedSchema), required=True)
    ignored = fields.List(fields.Nested(IgnoredSchema), required=True)
    refused = fields.List(
        fields.Nested(RefusedSchema), metadata={"description": "Only with `on_error=skip`."}
    )


class RehearsalSchema(Schema):
    """What would become of the events."""

    events = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "CloudEvents, in the sender's own words."},
    )
    ignored = fields.List(fields.Nested(IgnoredSchema), required=True)
    refused = fields.List(
        fields.Nested(RefusedSchema), metadata={"description": "Only with `on_error=skip`."}
    )


def blueprint(ingest: Ingest, accounts: Accounts, refusals: Refusals, clock: Clock) -> Documented:
    """Return the calls.

    Args:
        ingest: The way in.
        accounts: Where sources are looked up.
        refusals: Where it is kept what was not taken.
        clock: Says how old a signature is.
    """
    calls = Documented("events", __name__, description="Send what happened.")

    @calls.route("/v1/events", methods=["POST"])
    @calls.doc(requestBody=EVENT_BODIES)
    @calls.arguments(_ON_ERROR, location="query")
    @calls.response(202, OutcomeSchema)
    @problems(calls, 400, 401, 403, 413, 415, 422, 503)
    @require("publish")
    def post_events(query: dict[str, str]) -> Response:
        """Take CloudEvents: structured, binary or batch mode.

        202 says that every event is safe in the stream. A fault refuses the whole batch and every
        fault is named. After 503 part of a batch may be in the stream: sending all again is safe.
        """
        sender, source = sender_by_key()
        with _told(refusals, sender):
            return _take(ingest, refusals, sender, read_cloudevents(source), query)

    @calls.route("/v1/sources/<source>/webhook", methods=["POST"])
    @calls.doc(requestBody=WEBHOOK_BODIES, security=[{"webhook": []}])
    @calls.arguments(_ON_ERROR, location="query")
    @calls.response(202, OutcomeSchema)
    @problems(calls, 400, 401, 403, 413, 415, 422, 503)
    def post_webhook(query: dict[str, str], source: str) -> Response:
        """Take what a registered source sends, signed by Standard Webhooks (HMAC v1).

        The source's adapter reads the body. A source that does not exist and a signature that is
        wrong get the same answer.
        """
        with _told(refusals, None):
            sender, found = sender_by_signature(accounts, clock, source, request.get_data())
        with _told(refusals, sender):
            return _take(ingest, refusals, sender, read_webhook(found), query)

    _add_rehearsal(calls, ingest, accounts, clock)
    return calls


def _add_rehearsal(calls: Documented, ingest: Ingest, accounts: Accounts, clock: Clock) -> None:
    @calls.route("/v1/validate/<source>", methods=["POST"])
    @calls.doc(requestBody=WEBHOOK_BODIES, security=[{"webhook": []}, {"key": []}])
    @calls.arguments(_ON_ERROR, location="query")
    @calls.response(200, RehearsalSchema)
    @problems(calls, 400, 401, 403, 404, 413, 415, 422, 503)
    def post_validate(query: dict[str, str], source: str) -> Response:
        """Go the whole way and take nothing; return the events that it would make.

        Signed like a webhook, or with a key of this source that has the right publish.
        """
        sender, found = _signed_or_by_key(accounts, clock, source)
        return _rehearse(ingest, sender, read_webhook(found), query)


def _take(
    ingest: Ingest, refusals: Refusals, sender: Sender, reading: Reading, query: dict[str, str]
) -> Response:
    """Take a reading, and answer with what became of it."""
    skip = SKIP in query.values()
    outcome = ingest.take(reading, sender, skip=skip)
    if outcome.refused or outcome.ignored:
        _some_good(outcome.accepted, outcome.refused)
        _count(fault.code for refusal in outcome.refused for fault in refusal.faults)
        refusals.record(sender.organisation, sender.source, _troubles(outcome))
    accepted = [{"id": one.id, "client": one.client} for one in outcome.accepted]
    left_out = _left_out(outcome.ignored, outcome.refused, skip=skip)
    return _json(HTTPStatus.ACCEPTED, {"accepted": accepted, **left_out})


def _rehearse(ingest: Ingest, sender: Sender, reading: Reading, query: dict[str, str]) -> Response:
    """Judge a reading and take nothing; answer with what would become of it."""
    skip = SKIP in query.values()
    try:
        judged = ingest.judge(reading, sender, skip=skip)
        _some_good(judged.admitted, judged.refused)
    except Refused as refused:
        raise _problem(refused) from None
    events = [_rehearsed(admitted) for admitted in judged.admitted]
    left_out = _left_out(judged.ignored, judged.refused, skip=skip)
    return _json(HTTPStatus.OK, {"events": events, **left_out})


@contextmanager
def _told(refusals: Refusals, sender: Sender | None) -> Iterator[None]:
    """Count a refusal on its way out, and keep it where it is known who sent."""
    try:
        yield
    except Refused as refused:
        faults: tuple[Fault, ...] = refused.faults
        problem: Exception = _problem(refused)
    except Problem as refusal:
        faults, problem = refusal.errors or (Fault("", "", refusal.code),), refusal
    except RequestEntityTooLarge as too_large:
        faults, problem = (Fault("", "", "request_entity_too_large"),), too_large
    else:
        return
    _count(fault.code for fault in faults)
    if sender is not None:
        troubles = [Trouble("refused", fault.pointer, fault.code) for fault in faults]
        refusals.record(sender.organisation, sender.source, troubles)
    raise problem


def _some_good(taken: Sequence[object], refused: Sequence[Refusal]) -> None:
    """Refuse what has nothing good to take: 202 must not look like success."""
    if refused and not taken:
        raise Refused(bounded(refused))


def _problem(refused: Refused) -> Problem:
    """Return 403 where the credential is what is wrong, else 422; either names every fault."""
    if any(fault.code in admission.FORBIDDEN for fault in refused.faults):
        detail = "This credential may not send all of this; every fault is named in errors."
        return Problem(403, "forbidden", detail, refused.faults)
    return Problem(422, "refused", errors=refused.faults)


def _count(codes: Iterable[str]) -> None:
    for code in {code if code in COUNTED else "other" for code in codes}:
        REFUSED.labels(code).inc()


def _signed_or_by_key(accounts: Accounts, clock: Clock, source_id: str) -> tuple[Sender, Source]:
    if "Authorization" not in request.headers:
        return sender_by_signature(accounts, clock, source_id, request.get_data())
    sender, source = sender_by_key()
    if source.id != source_id:
        raise Problem(404, "not_found")
    return sender, source


def _troubles(outcome: Outcome) -> list[Trouble]:
    refused = [
        Trouble("refused", fault.pointer, fault.code)
        for refusal in outcome.refused
        for fault in refusal.faults
    ]
    return refused + [Trouble("ignored", one.pointer, one.what) for one in outcome.ignored]


def _left_out(
    ignored: Sequence[Ignored], refused: Sequence[Refusal], *, skip: bool
) -> dict[str, Any]:
    left_out: dict[str, Any] = {
        "ignored": [
            {"pointer": one.pointer, "what": one.what, "reason": one.reason} for one in ignored
        ]
    }
    if skip:
        left_out["refused"] = [
            {"pointer": one.pointer, "errors": [fault_json(fault) for fault in one.faults]}
            for one in refused
        ]
    return left_out


def _rehearsed(admitted: Admitted) -> dict[str, Any]:
    """Return an event as a CloudEvent in its sender's own words, with what ingest writes in."""
    event = admitted.event
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": TYPE_PREFIX + event.type,
        "time": format_time(event.time),
        **({} if event.subject is None else {"subject": event.subject}),
        "dataschema": address(event.type, event.version),
        "backfill": event.backfill,
        "data": event.data,
    }


def _json(status: HTTPStatus, body: Any) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")
