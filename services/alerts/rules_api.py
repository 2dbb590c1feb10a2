"""The call that says what is in force of each rule for the caller's organisation, and why."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import Schema, fields, validate
from sqlalchemy import Connection

from services.alerts import tables
from services.alerts.in_force import BECAUSE, MODES, clinics_in, in_force
from services.alerts.orders import DELIVERY, DELIVERY_DEFAULTS, Configurable
from services.alerts.rule import Rule
from shared.alliance.reading import Fact, standing
from shared.errors import Fault
from shared.storage import facts
from shared.storage.engine import Database
from shared.web.auth import caller, require
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

ANY_PARTITION: Final = 0
"""What concerns many clients stands in every partition."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How people are told: set as a rule is, and needs nothing."""

    name: str = DELIVERY
    needs: frozenset[str] = frozenset()

    @property
    def defaults(self) -> Any:
        """Settings with their default values."""
        return DELIVERY_DEFAULTS


class InForceArgumentsSchema(Schema):
    """Where."""

    clinic = fields.String(
        validate=validate.Length(1, 64),
        metadata={
            "description": "Left out: what was said for all clinics of the organisation; with a"
            " key that is bound to one clinic, that clinic."
        },
    )
    rule = fields.String(
        validate=validate.Length(1, 64), metadata={"description": "Only this one."}
    )


class _SaidSchema(Schema):
    """Since when, and by whose word."""

    since = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    event = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The event that says so first without another word since."},
    )


class SettingInForceSchema(_SaidSchema):
    """One setting of a rule."""

    value = fields.Raw(required=True)
    default = fields.Raw(required=True)
    set_for = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(["clinic", "organisation"]),
        metadata={"description": "For whom it was said; null where the default holds."},
    )


class RuleInForceSchema(_SaidSchema):
    """One rule, as it is judged for what begins now."""

    name = fields.String(required=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    because = fields.String(required=True, validate=validate.OneOf(BECAUSE))
    settings = fields.Dict(
        keys=fields.String(), values=fields.Nested(SettingInForceSchema), required=True
    )


class InForceSchema(Schema):
    """What is in force at one place."""

    clinic = fields.String(required=True, allow_none=True)
    clinics = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Those that anything is said of, and that the caller may ask for."
        },
    )
    rules = fields.List(fields.Nested(RuleInForceSchema), required=True)


def blueprint(database: Database, rules: Sequence[Rule]) -> Blueprint:
    """Return the call."""
    calls = Blueprint("rules", __name__, description="See what is in force of the rules.")

    @calls.route("/v1/rules/in-force")
    @calls.arguments(InForceArgumentsSchema, location="query")
    @calls.response(200, InForceSchema)
    @problems(calls, 401, 403, 404, 422, 503)
    @require("read")
    def get_rules_in_force(asked: dict[str, str]) -> dict[str, Any]:
        """Give what is in force of each rule at a clinic: settings, since when, by which event.

        `mode` says whether it is judged there and told (`on`), judged only (`shadow`), or begins
        nothing (`off`, `unarmed`), and `because` why. What is open already keeps the settings that
        it began with. `delivery` is how people are told. A key that is bound to clinics sees them
        alone.
        """
        who = caller()
        clinic = _place(asked.get("clinic"), who.clinics)
        rule = _named(asked.get("rule"), rules)
        with database.read() as db:
            return found(db, rules, who.organisation, clinic, rule, who.clinics)

    return calls


def found(
    db: Connection,
    rules: Sequence[Rule],
    organisation: str,
    clinic: str | None,
    rule: str | None = None,
    clinics: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return what is in force at a clinic.

    Args:
        db: Any transaction.
        rules: Every rule.
        organisation: Whose.
        clinic: Its ref; None: what was said for all clinics.
        rule: Only this one; None: all of them.
        clinics: Those that whoever asks may know of; None: all of the organisation.
    """
    said = _facts(db, organisation)
    every = _configurable(rules)
    named = [one for one in clinics_in(said) if clinics is None or one in clinics]
    told = [in_force(one, clinic, said) for one in every if rule in (None, one.name)]
    return {"clinic": clinic, "clinics": named, "rules": told}


def _configurable(rules: Sequence[Rule]) -> list[Configurable]:
    return [*rules, Telling()]


def _named(rule: str | None, rules: Sequence[Rule]) -> str | None:
    """Return which rule is asked for.

    Raises:
        Problem: 422 for a rule that there is not.
    """
    every = {one.name for one in _configurable(rules)}
    if rule is None or rule in every:
        return rule
    fault = Fault("/query/rule", "There is no such rule.", "not_allowed", tuple(sorted(every)))
    raise Problem(422, "refused", errors=[fault])


def _facts(db: Connection, organisation: str) -> tuple[Fact, ...]:
    """Return what stands about many clients, as the watcher has read it."""
    rows = facts.of_many(db, tables.shown(db).facts, organisation, ANY_PARTITION)
    return standing([row.envelope for row in rows]).facts


def _place(clinic: str | None, bound: frozenset[str] | None) -> str | None:
    """Return which clinic is asked for.

    Raises:
        Problem: 404 for a clinic that the caller does not see, as for all that is there; 422
            where they see several and name none.
    """
    if bound is None:
        return clinic
    if clinic is None and len(bound) == 1:
        return min(bound)
    if clinic is None:
        message = "Name one of the clinics that the key is bound to."
        fault = Fault("/query/clinic", message, "required", tuple(sorted(bound)))
        raise Problem(422, "refused", errors=[fault])
    if clinic not in bound:
        raise Problem(404, "not_found")
    return clinic
