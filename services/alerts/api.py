"""The calls about alerts: the inbox, one alert, what people do about it, and the rules.

What a caller may not see does not exist for them: another organisation's alert, one of another
clinic, and a boundary matter that concerns them are the same 404 (invariant 10).
"""

import inspect
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, Final, get_args

import orjson
from flask import Response, request
from marshmallow import Schema, fields, validate

from services.alerts.alert import State
from services.alerts.desk import Desk, tag_of
from services.alerts.notices import KINDS
from services.alerts.playing import played
from services.alerts.rule import Family, Rule
from services.alerts.told import WORDS
from shared.clock import format_time
from shared.events.families import rapport
from shared.rule_settings import Setting
from shared.web.auth import require
from shared.web.blueprint import Blueprint, problems

PAGE_LIMIT: Final = 200

CODES: Final = ("spoke_to_therapist", "spoke_to_client", "supervision", "waiting", "other")
REASONS: Final = ("handled", "not_relevant", "wrong_data", "other")


class InboxArgumentsSchema(Schema):
    """Which alerts are asked for."""

    state = fields.String(validate=validate.OneOf(get_args(State)))
    family = fields.String(validate=validate.OneOf(get_args(Family)))
    clinic = fields.String(validate=validate.Length(1, 64))
    client = fields.String(
        validate=validate.Length(1, 64), metadata={"description": "Opaque id (cl_…)."}
    )
    group = fields.String(
        validate=validate.Length(1, 64),
        metadata={"description": "Those of one absence: the `group` of an alert, or of a notice."},
    )
    cursor = fields.String(
        validate=validate.Length(1, 400),
        metadata={"description": "`next` of the page before, with the same other parameters."},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, PAGE_LIMIT))


class InboxSchema(Schema):
    """A page of alerts."""

    alerts = fields.List(fields.Raw(metadata={"type": "object"}), required=True)
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Cursor of the next page; null on the last."},
    )
    parked = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "The clients among them whose alerts are not up to date, because"
            " records of theirs, or of somebody whom a merger ties to them, wait for an operator."
        },
    )


class SnoozeSchema(Schema):
    """Until when an alert is hidden."""

    until = fields.Date(
        required=True,
        metadata={"description": "The last day, in the clinic's zone; escalation ends it too."},
    )


class CommentSchema(Schema):
    """What was done, by a code; never text."""

    code = fields.String(required=True, validate=validate.OneOf(CODES))


class ResolveSchema(Schema):
    """Why an alert is closed."""

    reason = fields.String(required=True, validate=validate.OneOf(REASONS))


class NothingSchema(Schema):
    """Nothing: the call says it all."""


class NoteSchema(Schema):
    """A note that was written."""

    id = fields.String(required=True)
    by = fields.String(
        required=True, metadata={"description": "Opaque reference of whose it is, or their key's."}
    )
    at = fields.String(required=True, metadata={"format": "date-time"})
    text = fields.String(required=True)


class DeliverySchema(Schema):
    """What became of telling a step to somebody."""

    step = fields.String(required=True, metadata={"description": "Opened, escalated, …"})
    at = fields.String(required=True, metadata={"format": "date-time"})
    recipient = fields.String(
        required=True, allow_none=True, metadata={"description": "Null where there is nobody."}
    )
    status = fields.String(required=True, validate=validate.OneOf(sorted(WORDS)))
    words = fields.String(required=True, metadata={"description": "The same in a sentence."})
    message = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(KINDS),
        metadata={"description": "The kind of message that names it among others, if one does."},
    )
    day = fields.String(
        required=True, allow_none=True, metadata={"description": "The day of the digest."}
    )
    under = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The alert that tells of it, if the caller may see that."},
    )
    attempts = fields.Integer(required=True)
    settled_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})


class WholeAlertSchema(rapport.Alert):
    """An alert as it is shown by itself."""

    evidence_elsewhere = fields.Integer(
        metadata={
            "description": "Present where the caller reads for some clinics: how many events it"
            " stands on besides, which happened at others."
        },
    )
    comment_count = fields.Integer(required=True)
    note_count = fields.Integer(required=True)
    notes = fields.List(fields.Nested(NoteSchema), required=True)
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)
    not_acknowledged_by = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Who was told and has not acknowledged it since: opaque references of"
            " people. Told of an escalation they are asked anew; a recipient that is no person's"
            " cannot acknowledge."
        },
    )


def blueprint(desk: Desk, rules: Sequence[Rule]) -> Blueprint:
    """Return the calls."""
    calls = Blueprint("alerts", __name__, description="Read alerts, and say what was done.")
    _reading(calls, desk, rules)
    _acting(calls, desk)
    return calls


def _reading(calls: Blueprint, desk: Desk, rules: Sequence[Rule]) -> None:
    @calls.route("/v1/alerts")
    @calls.arguments(InboxArgumentsSchema, location="query")
    @calls.response(200, InboxSchema)
    @problems(calls, 401, 403, 422, 503)
    @require("read")
    def get_alerts(asked: dict[str, Any]) -> dict[str, Any]:
        """Give the alerts that the caller may see, the latest first."""
        return desk.page(asked)

    @calls.route("/v1/alerts/<alert>")
    @calls.response(200, WholeAlertSchema)
    @problems(calls, 401, 403, 404, 503)
    @require("read")
    def get_alert(alert: str) -> Response:
        """Give one alert with its evidence, history, notes, and what became of telling it.

        Its ETag is what If-Match needs; it changes with every note, too.
        """
        body = desk.one(alert)
        answer = Response(orjson.dumps(body), content_type="application/json")
        answer.set_etag(tag_of(body))
        answer.headers["Vary"] = "Authorization"
        answer.make_conditional(request)
        return answer

    @cache
    def told_of_rules() -> bytes:
        # Their examples are played, which takes a moment, and never changes.
        return orjson.dumps([explained(rule) for rule in rules])

    @calls.route("/v1/rules")
    @calls.response(200, {"type": "array", "items": {"type": "object"}})
    @problems(calls, 401, 403, 503)
    @require("read")
    def get_rules() -> Response:
        """Give every rule: what it needs, whom it tells, its settings and their defaults.

        What is in force of them, and by whose word: `/v1/rules/in-force`.
        """
        return Response(told_of_rules(), content_type="application/json")


def _acting(calls: Blueprint, desk: Desk) -> None:
    statuses = (400, 401, 403, 404, 409, 412, 422, 428, 503)

    @calls.route("/v1/alerts/<alert>/acknowledge", methods=["POST"])
    @calls.arguments(NothingSchema, required=False)
    @calls.response(202, rapport.Alert)
    @problems(calls, *statuses)
    @require("act")
    def acknowledge(_: dict[str, Any], alert: str) -> Response:
        """Say that the caller has seen it. It stays open, for everybody else as well."""
        return desk.act(alert, "acknowledged", {})

    @calls.route("/v1/alerts/<alert>/snooze", methods=["POST"])
    @calls.arguments(SnoozeSchema)
    @calls.response(202, rapport.Alert)
    @problems(calls, *statuses)
    @require("act")
    def snooze(asked: dict[str, date], alert: str) -> Response:
        """Hide it until a day, or until it escalates; it is judged as before."""
        return desk.snooze(alert, asked["until"])

    @calls.route("/v1/alerts/<alert>/comment", methods=["POST"])
    @calls.arguments(CommentSchema)
    @calls.response(202, rapport.Alert)
    @problems(calls, *statuses)
    @require("act")
    def comment(asked: dict[str, str], alert: str) -> Response:
        """Say by a code what was done."""
        return desk.act(alert, "commented", asked)

    @calls.route("/v1/alerts/<alert>/resolve", methods=["POST"])
    @calls.arguments(ResolveSchema)
    @calls.response(202, rapport.Alert)
    @problems(calls, *statuses)
    @require("act")
    def resolve(asked: dict[str, str], alert: str) -> Response:
        """Close it until it escalates."""
        return desk.act(alert, "resolved", asked)


def explained(rule: Rule) -> dict[str, Any]:
    """Return what a rule says of itself."""
    about = inspect.getdoc(rule) or ""
    return {
        "name": rule.name,
        "version": rule.version,
        "family": rule.family,
        "title": rule.title,
        "about": " ".join(about.split()),
        "needs": sorted(rule.needs),
        "reads": sorted(rule.reads),
        "tell": {urgency: list(roles) for urgency, roles in rule.tell.items()},
        "next_steps": list(rule.next_steps),
        "settings": dict(rule.defaults),
        "bounds": {
            name: list(Setting(name, default).bounds) for name, default in rule.defaults.items()
        },
        "always_news": rule.always_news,
        "example": [
            {"at": format_time(line.at), "words": line.words, "urgency": line.urgency}
            for line in played(rule)
        ],
    }
