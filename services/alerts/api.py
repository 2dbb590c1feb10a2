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

from services.alerts import actions, inbox
from services.alerts.alert import State, etag
from services.alerts.inbox import Viewer
from services.alerts.playing import played
from services.alerts.rule import Family, Rule
from shared.clock import Clock, format_time
from shared.errors import Fault
from shared.events.families import rapport
from shared.rule_settings import Setting
from shared.storage.engine import Database
from shared.stream.ports import Publisher
from shared.web.auth import caller, check_right, require
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

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
            " records wait for an operator."
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


class Desk:
    """What the calls work with."""

    def __init__(
        self, database: Database, publisher: Publisher, clock: Clock, deadline_s: float
    ) -> None:
        """Take the parts; nothing is done before a call."""
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._deadline_s = deadline_s

    def page(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a page of the inbox."""
        filters = {name: asked.get(name) for name in ("state", "family", "clinic", "client")}
        try:
            with self._database.read() as db:
                found = inbox.page(
                    db, _viewer(), filters, limit=asked["limit"], cursor=asked.get("cursor")
                )
        except ValueError as error:
            fault = Fault("/query/cursor", f"not a cursor: {error}", "invalid_cursor")
            raise Problem(422, "refused", errors=[fault]) from error
        return {"alerts": found.alerts, "next": found.next, "parked": found.parked}

    def one(self, alert: str) -> dict[str, Any]:
        """Return one alert.

        Raises:
            Problem: 404 where there is none that the caller may see.
        """
        with self._database.read() as db:
            found = inbox.one(db, _viewer(), alert)
        if found is None:
            raise Problem(404, "not_found")
        return found

    def act(self, alert: str, name: str, said: actions.Said) -> Response:
        """Publish what the caller does about an alert; answer with the alert as it will be."""
        who = caller()
        check_right(who, "act")
        found = self.one(alert)
        _check_unchanged(found)
        if name in ("snoozed", "resolved") and found["state"] in ("resolved", "retracted"):
            raise Problem(409, "not_open", "The alert is closed already; read it again.")
        by, now = who.person or who.key, self._clock.now()
        record = actions.record_of(who.organisation, found, name, by, said, now)
        self._publisher.publish([record], self._deadline_s)
        body = actions.foreseen(found, name, by, said, now)
        return Response(orjson.dumps(body), 202, content_type="application/json")

    def snooze(self, alert: str, until: date) -> Response:
        """Hide an alert until a day."""
        if not actions.snooze_is_sensible(until, self._clock.now().date()):
            fault = Fault("/until", "must be today or later, and within a year", "out_of_range")
            raise Problem(422, "refused", errors=[fault])
        return self.act(alert, "snoozed", {"until": until.isoformat()})


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
    @calls.response(200, rapport.Alert)
    @problems(calls, 401, 403, 404, 503)
    @require("read")
    def get_alert(alert: str) -> Response:
        """Give one alert with its evidence and history; its ETag is what If-Match needs."""
        body = desk.one(alert)
        answer = Response(orjson.dumps(body), content_type="application/json")
        answer.set_etag(etag(body))
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
        """Give every rule: what it needs, whom it tells, its settings and their defaults."""
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


def _viewer() -> Viewer:
    who = caller()
    return Viewer(who.organisation, who.clinics, who.person)


def _check_unchanged(alert: dict[str, Any]) -> None:
    """Refuse an action on another state of the alert than the caller has seen."""
    if "If-Match" not in request.headers:
        raise Problem(
            428, "precondition_required", "Send If-Match with the ETag of the alert as you saw it."
        )
    if not request.if_match.contains(etag(alert)):
        raise Problem(
            412, "precondition_failed", "The alert has changed since you saw it; read it again."
        )
