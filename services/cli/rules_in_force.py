"""``rapport rules in-force``: what an organisation has set, and what holds where it has not."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from services.alerts import rules_api, tables
from services.alerts.bootstrap import EVERY_RULE
from services.cli.common import Office, json_option, organisation_option, show, with_office

WORDS: Mapping[str, str] = {
    "always": "it needs nothing",
    "enabled": "switched on",
    "disabled": "switched off",
    "shadow": "judged, told to nobody",
    "sends": "its systems send what is needed",
    "seen": "what is needed was seen from there",
    "nothing_sent": "what is needed is not sent from there",
}
"""Why a rule is judged as it is, in words."""


@click.command("in-force")
@click.argument("rule", metavar="[RULE]", required=False)
@click.option("--clinic", help="At this clinic; else what was said for all of them.")
@organisation_option
@json_option
@with_office
def in_force(
    office: Office,
    rule: str | None,
    clinic: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Say what is in force of RULE, or of every rule: since when, and by which event.

    What is open already keeps the settings that it began with.

    \b
    Examples:
      rapport rules in-force --clinic elm
      rapport rules in-force session-gap --clinic elm --json
    """
    whose = office.organisation(organisation).id
    tables.prepare(office.db, EVERY_RULE)
    with office.db.read() as db:
        found = rules_api.found(db, EVERY_RULE, whose, clinic, rule)
    if not found["rules"]:
        raise click.UsageError("there is no such rule; see: rapport rules list")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    show([row for one in found["rules"] for row in _rows(one)], as_json=False)


def _rows(rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a line for the rule, and one for each setting that somebody has said."""
    yield _row(rule["name"], rule["mode"], WORDS[rule["because"]], rule)
    for name, one in rule["settings"].items():
        if one["set_for"] is not None:
            said = f"for the {one['set_for']}; the default is {one['default']}"
            yield _row(f"  {name}", one["value"], said, one)


def _row(what: str, value: Any, because: str, by: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": what,
        "in force": value,
        "because": because,
        "since": by["since"],
        "event": by["event"],
    }
