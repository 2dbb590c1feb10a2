"""``rapport alerts`` and ``rapport rules``: what was found, and by what."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final, get_args

import click
from rich.console import Console
from rich.text import Text

from services.alerts import acknowledging, inbox, notes, tables, told
from services.alerts.alert import State
from services.alerts.api import explained
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.inbox import Viewer
from services.alerts.notes import Notes
from services.alerts.rule import Family
from services.alerts.told import said_of
from services.cli import alert_notes
from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    person_option,
    said_plainly,
    show,
    show_one,
    with_office,
)
from services.cli.rules_in_force import in_force
from shared.clock import parse_time

EVERY: Final = "every"
SHOWN: Final = 1_000
"""Alerts that one list holds at most."""

SIGNS: Final = {"urgent": "▲ urgent", "attention": "◆ attention", "information": "● information"}
NOTE: Final = ("at", "by", "text", "id")
COLOURS: Final = {"urgent": "bold red", "attention": "yellow", "information": "dim"}


@click.group()
def alerts() -> None:
    """Read the alerts, as whoever runs this machine may; write and erase notes on them.

    \b
    Example:
      rapport alerts list --family boundary
    """


alerts.add_command(alert_notes.write)
alerts.add_command(alert_notes.erase)


@alerts.command("list")
@click.option(
    "--state",
    type=click.Choice([*get_args(State), EVERY]),
    default="open",
    show_default=True,
    help="What became of them.",
)
@click.option("--family", type=click.Choice(get_args(Family)), help="What they are about.")
@click.option("--clinic", help="Only of this clinic.")
@click.option("--client", help="Only of this client (opaque id).")
@click.option("--group", help="Only of this group: those of one therapist's absence.")
@click.option("--limit", type=click.IntRange(1, SHOWN), default=50, show_default=True)
@person_option
@organisation_option
@json_option
@with_office
def list_alerts(
    office: Office,
    state: str,
    family: str | None,
    clinic: str | None,
    client: str | None,
    group: str | None,
    limit: int,
    person: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """List alerts with their reasons, the latest first.

    \b
    Examples:
      rapport alerts list
      rapport alerts list --state every --json
    """
    filters = {
        "state": None if state == EVERY else state,
        "family": family,
        "clinic": clinic,
        "client": client,
        "group": group,
    }
    whose = office.organisation(organisation).id
    viewer = Viewer(whose, None, office.reader(whose, person))
    tables.prepare(office.db, EVERY_RULE)
    with office.db.read() as db:
        found = inbox.page(db, viewer, filters, limit=limit)
        listed = notes.counted(db, whose, found.alerts)
        held = told.held_of(db, whose, [one["id"] for one in listed])
    if as_json:
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    console = _console()
    for alert in listed:
        console.print(_line(alert, held.get(alert["id"])), soft_wrap=True)
    if found.next is not None:
        click.echo(f"There are more; these are the latest {limit}. See --limit.", err=True)
    elif not listed:
        click.echo("There are none.", err=True)


@alerts.command("show")
@click.argument("alert", metavar="ALERT")
@person_option
@organisation_option
@json_option
@with_office
def show_alert(
    office: Office, alert: str, person: str | None, organisation: str | None, as_json: bool
) -> None:
    """Show one ALERT with its evidence, next steps, history and notes, and who was told when.

    \b
    Example:
      rapport alerts show 5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55
    """
    whose = office.organisation(organisation).id
    viewer = Viewer(whose, None, office.reader(whose, person))
    tables.prepare(office.db, EVERY_RULE)
    with office.db.read() as db:
        bare = inbox.one(db, viewer, alert)
        if bare is None:
            raise click.UsageError(alert_notes.NO_ALERT)
        found = Notes(office.sealer, office.clock).whole(db, whose, bare)
        deliveries = told.of_alert(db, whose, alert)
        waiting = acknowledging.not_yet(db, whose, found)
    if as_json:
        whole = {**found, "deliveries": deliveries, "not_acknowledged_by": waiting}
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    _show(found)
    names = {one.id: one.name for one in office.accounts.recipients(whose)}
    _list(_console(), "Told", [_delivery(one, names) for one in deliveries])
    _list(_console(), "Not acknowledged yet by", waiting)


@click.group()
def rules() -> None:
    """Explain the rules that make alerts, and say what is in force of them.

    \b
    Examples:
      rapport rules show session-gap
      rapport rules in-force --clinic elm
    """


rules.add_command(in_force)


@rules.command("list")
@json_option
def list_rules(as_json: bool) -> None:
    """List every rule: what it is about, what it needs, whom it tells.

    \b
    Example:
      rapport rules list
    """
    with said_plainly():
        if as_json:
            click.echo(json.dumps([explained(rule) for rule in EVERY_RULE], indent=2))
            return
        show([_summary(explained(rule)) for rule in EVERY_RULE], as_json=False)


@rules.command("show")
@click.argument("rule", metavar="RULE")
@json_option
def show_rule(rule: str, as_json: bool) -> None:
    """Explain one RULE with its default settings; `rules in-force` says what yours are.

    \b
    Example:
      rapport rules show therapist-cancellations
    """
    found = next((one for one in EVERY_RULE if one.name == rule), None)
    if found is None:
        raise click.UsageError("there is no such rule; see: rapport rules list")
    told = explained(found)
    if as_json:
        show_one(told, as_json=True)
    else:
        _explain(told)


def _explain(told: dict[str, Any]) -> None:
    """Print a rule for people to read: what it asks somebody to do has a line for each step."""
    tell, settings, bounds, steps, example = (
        told.pop(name) for name in ("tell", "settings", "bounds", "next_steps", "example")
    )
    show_one(told, as_json=False)
    console = _console()
    shown = {"information": "information, shown and never delivered"}
    _list(
        console,
        "Tells",
        [f"{shown.get(urgency, urgency)}: {', '.join(to)}" for urgency, to in tell.items()],
    )
    _list(
        console,
        "Settings",
        [
            f"{name}={value} ({bounds[name][0]:g} to {bounds[name][1]:g})"
            for name, value in settings.items()
        ],
    )
    _list(console, "Next steps", steps)
    if example:
        console.print(Text("Example (made up)", style="bold"))
        for line in example:
            console.print(_example_line(line), soft_wrap=True)


def _example_line(line: Mapping[str, Any]) -> Text:
    urgency, day = line["urgency"], parse_time(line["at"]).strftime("%a %d %b")
    text = Text(f"  {day}  ")
    if urgency is not None:
        text.append(f"{SIGNS[urgency]}: ", style=COLOURS[urgency])
    text.append(line["words"])
    return text


def _line(alert: Mapping[str, Any], day: str | None = None) -> Text:
    urgency = alert["urgency"]
    text = Text()
    text.append(f"{SIGNS[urgency]:<13} ", style=COLOURS[urgency])
    text.append(f"{alert['title']}\n", style="bold")
    text.append(f"  {alert['explanation']}\n")
    where = " · ".join(
        part
        for part in (
            f"since {alert['effective_at'][:10]}",
            alert["clinic"],
            alert["client"],
            alert["rule"],
            alert["state"] if alert["state"] != "open" else None,
            "history: told to nobody" if alert["historical"] else None,
            "settled: told to nobody" if alert.get("settled") else None,
            f"held for the digest of {day}" if day else None,
            _count(alert["comment_count"], "comment"),
            _count(alert["note_count"], "note"),
            alert["id"],
        )
        if part
    )
    text.append(f"  {where}", style="dim")
    return text


def _show(alert: Mapping[str, Any]) -> None:
    console = _console()
    console.print(_line(alert), soft_wrap=True)
    _list(console, "Numbers", [f"{name}: {value}" for name, value in alert["numbers"].items()])
    _list(
        console, "Not counted", [f"{one['n']} × {one['reason']}" for one in alert["not_counted"]]
    )
    _list(
        console,
        "Evidence",
        [f"{one['occurred_at']}  {one['type']}  {one['event']}" for one in alert["evidence"]],
    )
    _list(console, "Next steps", alert["next_steps"])
    _list(console, "History", [_entry(entry) for entry in alert["history"]])
    _list(console, "Notes", ["  ".join(one[name] for name in NOTE) for one in alert["notes"]])


def _delivery(one: Mapping[str, Any], names: Mapping[str, str]) -> str:
    who = names.get(one["recipient"], one["recipient"] or "nobody")
    return "  ".join([one["at"], one["step"], who, said_of(one)])


def _count(many: int, what: str) -> str | None:
    return f"{many} {what}{'s' if many > 1 else ''}" if many else None


def _entry(entry: Mapping[str, Any]) -> str:
    more = [
        str(entry[name]) for name in ("urgency", "by", "until", "code", "reason") if name in entry
    ]
    settled = ["settled: told to nobody"] if entry.get("settled") else []
    return "  ".join([entry["at"], entry["step"], *more, *settled])


def _list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)


def _summary(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": rule["name"],
        "family": rule["family"],
        "needs": rule["needs"],
        "tells": sorted({role for roles in rule["tell"].values() for role in roles}),
        "title": rule["title"],
    }


def _console() -> Console:
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
