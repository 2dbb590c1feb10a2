"""``rapport boundary``: the boundary register, and the steps of a boundary event's life.

A step is an event of a registered source and takes the way of every other one: through ingest,
which validates it, to the stream. So there is one way in, and a clinic's own system and somebody
at a keyboard are told apart by their source alone.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, Final

import click

from services.cli.boundary_drawing import show_list, show_one_life
from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    person_option,
    show_one,
    with_office,
)
from services.cli.timeline import Time
from services.ingest.adapter import Draft, Reading, inside
from services.ingest.admission import Authority
from services.ingest.bootstrap import build
from services.ingest.ingest import Sender
from services.projections import read_models
from services.projections.register import Register
from services.projections.register_api import OPEN, SEVERITIES
from services.projections.timelines import Viewer
from shared.alliance.boundaries import STATES, name_of
from shared.clock import format_time
from shared.envelope import TYPE_PREFIX
from shared.events import EVENT_TYPES
from shared.events.fields import Value
from shared.events.schema import ListOf, instance
from shared.ids import derived_id, opaque_id
from shared.storage.accounts import CONFIDED
from shared.stream.engines import EMBEDDED

SHOWN: Final = 200

role_option = click.option(
    "--role", type=click.Choice(CONFIDED), help="Show protected reporters, as this role may."
)
_STEP_OPTIONS: Final = (
    click.option(
        "--at", type=Time(), help="When (RFC 3339); now if left out. With it, repeating is safe."
    ),
    click.option(
        "--source", "source_name", required=True, metavar="NAME", help="The source it is sent as."
    ),
    organisation_option,
    json_option,
)


def step_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what every step needs: an office, its time, its source."""
    return functools.reduce(
        lambda made, option: option(made), reversed(_STEP_OPTIONS), with_office(command)
    )


def _words(name: str, field: str) -> click.Choice[str]:
    """Return the words that a field of an event type may hold, as its schema says."""
    said: Value = instance(EVENT_TYPES[name].schema).fields[field]  # type: ignore[assignment]
    choice = said.each if isinstance(said, ListOf) else said
    return click.Choice(choice.json_schema()["enum"])


@click.group()
def boundary() -> None:
    """Read the boundary register, and record what is done about a boundary event.

    A boundary event is noted, assessed by a named role, acted on, and closed; perhaps reopened.
    Facts come first: whether it was a crossing or a violation is a later judgement.

    \b
    Examples:
      rapport boundary list --overdue
      rapport boundary show 5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55
      rapport boundary assess 5b0a9d0e-… --as crossing --severity 1 --by supervisor --source desk
      rapport boundary close 5b0a9d0e-… --outcome not_upheld --source desk
    """


@boundary.command("list")
@click.option("--state", type=click.Choice([*STATES, OPEN]), help="How far its life has come.")
@click.option("--clinic", help="Only of this clinic.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Exactly this severity.")
@click.option("--overdue", is_flag=True, help="Only those whose assessment is overdue.")
@click.option("--limit", type=click.IntRange(1, SHOWN), default=50, show_default=True)
@role_option
@person_option
@organisation_option
@json_option
@with_office
def list_(
    office: Office,
    /,
    limit: int,
    role: str | None,
    person: str | None,
    organisation: str | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """List boundary events, worst first: overdue, open, closed; grave, then old first."""
    whose = office.organisation(organisation).id
    viewer = Viewer(whose, person=office.reader(whose, person), role=role)
    read_models.prepare(office.db)
    filters = {**chosen, "overdue": True if chosen["overdue"] else None}
    page = Register(office.db).page(viewer, filters, limit=limit)
    if as_json:
        click.echo(json.dumps(page["boundary_events"], indent=2, ensure_ascii=False))
        return
    show_list(page)


@boundary.command("show")
@click.argument("id", metavar="ID")
@role_option
@person_option
@organisation_option
@json_option
@with_office
def show(
    office: Office,
    id: str,
    role: str | None,
    person: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Draw the whole life of one boundary event, with its deadline and its patterns."""
    whose = office.organisation(organisation).id
    found = _found(office, whose, id, role, office.reader(whose, person))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    show_one_life(found)


@boundary.command("note")
@click.argument("client", metavar="CLIENT")
@click.option("--clinic", required=True, help="Where it happened.")
@click.option("--therapist", required=True, metavar="REF", help="Whom the client sees there.")
@click.option("--care", help="The course of care; main when left out.")
@click.option("--session", help="The session that it belongs to, by its reference.")
@click.option("--area", required=True, type=_words("boundary.noted", "area"))
@click.option("--about", required=True, type=_words("boundary.noted", "about"))
@click.option("--concerns", metavar="REF", help="Whom it is about, who will never read it.")
@click.option("--reported-by", required=True, type=_words("boundary.noted", "reported_by"))
@click.option(
    "--protect-reporter",
    "reporter_protected",
    is_flag=True,
    default=None,
    help="Show who reported it to governance and safeguarding alone.",
)
@click.option("--severity", type=click.IntRange(0, 4), help="Provisional; Rapport's own scale.")
@click.option("--harm-physical", type=_words("boundary.noted", "harm_physical"))
@click.option("--harm-psychological", type=_words("boundary.noted", "harm_psychological"))
@click.option(
    "--discussed/--not-discussed",
    "discussed_with_client",
    default=None,
    help="Whether it was spoken about with the client.",
)
@click.option("--happened-on", metavar="DATE", help="Such as 2026-05-03.")
@click.option("--ref", "boundary_event", help="Your own reference; made up when left out.")
@step_options
def note(office: Office, client: str, **said: Any) -> None:
    """Note a boundary event of CLIENT (your reference, or cl_…): the facts, and no verdict.

    \b
    Example:
      rapport boundary note c-1024 --clinic north --therapist t-07 --area gifts \\
        --about therapist --concerns t-07 --reported-by client --source desk
    """
    how = {name: said.pop(name) for name in ("at", "source_name", "organisation", "as_json")}
    whose = office.organisation(how["organisation"]).id
    subject = office.registry.reveal(whose, [client]).get(client, client)
    data = {**_given(said), "boundary_event": said["boundary_event"] or opaque_id("b")}
    _tell(office, "boundary.noted", subject, data, how)


@boundary.command("assess")
@click.argument("id", metavar="ID")
@click.option("--as", "assessment", required=True, type=_words("boundary.assessed", "assessment"))
@click.option("--severity", required=True, type=click.IntRange(0, 4), help="Rapport's own scale.")
@click.option(
    "--by", "assessed_by", required=True, type=_words("boundary.assessed", "assessed_by")
)
@click.option(
    "--aggravator", "aggravators", multiple=True, type=_words("boundary.assessed", "aggravators")
)
@step_options
def assess(office: Office, id: str, **said: Any) -> None:
    """Record how a named role judged the boundary event ID; the latest judgement counts."""
    _step(office, id, "boundary.assessed", said)


@boundary.command("act")
@click.argument("id", metavar="ID")
@click.option("--action", required=True, type=_words("boundary.acted_on", "action"))
@step_options
def act(office: Office, id: str, **said: Any) -> None:
    """Record what was done about the boundary event ID."""
    _step(office, id, "boundary.acted_on", said)


@boundary.command("close")
@click.argument("id", metavar="ID")
@click.option("--outcome", required=True, type=_words("boundary.closed", "outcome"))
@click.option("--into", metavar="ID", help="With merged: the one that goes on in its place.")
@step_options
def close(office: Office, id: str, into: str | None, **said: Any) -> None:
    """Record that the boundary event ID was closed, and with what outcome."""
    if (said["outcome"] == "merged") != (into is not None):
        raise click.UsageError("--outcome merged and --into ID belong together")
    _step(office, id, "boundary.closed", said, into)


@boundary.command("reopen")
@click.argument("id", metavar="ID")
@click.option("--reason", required=True, type=_words("boundary.reopened", "reason"))
@step_options
def reopen(office: Office, id: str, **said: Any) -> None:
    """Record that the closed boundary event ID was taken up again."""
    _step(office, id, "boundary.reopened", said)


def _step(
    office: Office, id: str, type: str, said: dict[str, Any], into: str | None = None
) -> None:
    """Tell a step in the life of a boundary event, under the references it was sent with."""
    how = {name: said.pop(name) for name in ("at", "source_name", "organisation", "as_json")}
    whose = office.organisation(how["organisation"]).id
    found = _found(office, whose, id)
    if into is not None:
        other = _found(office, whose, into)
        if other["client"] != found["client"]:
            raise click.UsageError("only boundary events of the same client can be merged")
        said["merged_into"] = other["boundary_event"]
    known = office.registry.reveal(whose, [found["client"], found["therapist"]])
    data = {
        **_given(said),
        "clinic": found["clinic"],
        "therapist": known[found["therapist"]],
        "care": found["care"],
        "boundary_event": found["boundary_event"],
    }
    _tell(office, type, known[found["client"]], data, how)


def _tell(
    office: Office, type: str, subject: str, data: dict[str, Any], how: dict[str, Any]
) -> None:
    """Send one event as its source would; say under which id it stands in the stream."""
    source = office.source(office.organisation(how["organisation"]).id, how["source_name"])
    time = format_time(how["at"] or office.clock.now())
    attributes = {
        "specversion": "1.0",
        "id": derived_id("told", type, subject, time, json.dumps(data, sort_keys=True)),
        "source": f"urn:source:{source.name}",
        "type": f"{TYPE_PREFIX}{type}",
        "time": time,
        "subject": subject,
    }
    parts = build(office.settings)
    try:
        if office.settings.stream == EMBEDDED:
            parts.stream.create_topics()
        sender = Sender(
            source.organisation, source.id, "import", Authority(frozenset({"publish"}))
        )
        reading = Reading((Draft(attributes, data, "", inside("")),))
        (accepted,) = parts.ingest.take(reading, sender).accepted
    finally:
        parts.close()
    told = {
        "id": name_of(source.organisation, accepted.client or "", data["boundary_event"]),
        "event": accepted.id,
        "client": accepted.client,
    }
    show_one(told, as_json=how["as_json"])


def _found(
    office: Office, whose: str, id: str, role: str | None = None, person: str | None = None
) -> dict[str, Any]:
    read_models.prepare(office.db)
    found = Register(office.db).one(Viewer(whose, person=person, role=role), id)
    if found is None:
        raise click.UsageError("there is no such boundary event; see: rapport boundary list")
    return found


def _given(said: dict[str, Any]) -> dict[str, Any]:
    """Return what was said, without what was left out, as JSON has it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value is not None and value != ()  # Severity 0, and False, are words like any other.
    }
