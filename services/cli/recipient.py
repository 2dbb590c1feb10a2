"""``rapport recipient``: who is told of alerts, and where."""

import json

import click

from services.alerts import tables, told
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.told import said_of
from services.alerts.webhook import Message, Sender
from services.cli.common import (
    FAILED,
    Office,
    json_option,
    organisation_option,
    show,
    show_one,
    with_office,
)
from shared.clock import format_time
from shared.ids import opaque_id
from shared.storage.accounts import ROLES

SAID = {
    "delivered": "Delivered: they answered with 2xx.",
    "failed": "Not delivered: nobody answered there, or with another status than 2xx.",
    "blocked": "Not sent: the address leads into a private network, or is not https.",
}

ACKNOWLEDGED = {True: "yes", False: "not yet", None: "nobody's own"}
"""Whether somebody has acknowledged a notice; nobody can for a recipient that is no person's."""


@click.group()
def recipient() -> None:
    """Say who is told of alerts.

    An organisation needs one with the role governance: whom an alert concerns is never told of it
    (boundary matters), and governance is told where nobody else is left. For the same reason a
    recipient is one person: name them with --person, and use no shared inbox.

    \b
    Examples:
      rapport recipient add board --role governance --url https://example.org/board
      rapport recipient add lead-elm --role leadership --clinic elm --person dr-lee \\
          --alternate board --url https://example.org/lead
    """


@recipient.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--url", required=True, help="Where signed webhooks go; https.")
@click.option("--clinic", "clinics", multiple=True, help="Told of this clinic alone; repeat it.")
@click.option("--person", metavar="REF", help="Who reads there, as senders refer to them.")
@click.option("--alternate", metavar="NAME", help="Who is told of what concerns this one.")
@organisation_option
@json_option
@with_office
def add(
    office: Office,
    name: str,
    role: str,
    url: str,
    clinics: tuple[str, ...],
    person: str | None,
    alternate: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Register NAME; print once the secret that messages to it are signed with."""
    if url.startswith("http://") and not office.settings.allow_private_webhooks:
        raise click.UsageError("--url must be https:// (see RAPPORT_ALLOW_PRIVATE_WEBHOOKS)")
    whose = office.organisation(organisation)
    recipient_id, secret = office.recipients.add(
        whose.id,
        name,
        role=role,
        url=url,
        clinics=clinics,
        person=office.person(whose.id, person),
        alternate=None if alternate is None else office.recipient(whose.id, alternate).id,
    )
    click.echo("Keep the secret now: it is not shown again.", err=True)
    show_one({"id": recipient_id, "name": name, "role": role, "secret": secret}, as_json=as_json)


@recipient.command("list")
@organisation_option
@json_option
@with_office
def list_(office: Office, organisation: str | None, as_json: bool) -> None:
    """List the recipients; their addresses stay sealed but for the host."""
    every = office.accounts.recipients(office.organisation(organisation).id)
    names = {one.id: one.name for one in every}
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "role": one.role,
            "clinics": None if one.clinics is None else sorted(one.clinics),
            "person": one.person,
            "alternate": None if one.alternate is None else names[one.alternate],
            "host": one.host,
            "disabled": one.disabled,
        }
        for one in every
    ]
    show(rows, as_json=as_json)


@recipient.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@organisation_option
@json_option
@with_office
def notices(
    office: Office, name: str, limit: int, organisation: str | None, as_json: bool
) -> None:
    """Say what became of the latest notices for NAME: why one was not told at once, too.

    Each with what it said, of whom by their opaque id, and whether NAME has acknowledged it since.
    What concerns the person who reads there is not in the list: it may be shown to them.

    \b
    Example:
      rapport recipient notices lead-elm --limit 10
    """
    found = office.recipient(office.organisation(organisation).id, name)
    tables.prepare(office.db, EVERY_RULE)
    with office.db.read() as db:
        latest = told.of_recipient(db, found.organisation, found.id, limit, found.person)
    if as_json:
        click.echo(json.dumps(latest, indent=2))
        return
    show(
        [
            {
                "at": one["at"],
                "step": one["step"],
                "urgency": one["urgency"],
                "title": one["title"],
                "about": one["client"],
                "acknowledged": ACKNOWLEDGED[one["acknowledged"]],
                "what": said_of(one),
                "alert": one["alert"],
            }
            for one in latest
        ],
        as_json=False,
    )


@recipient.command()
@click.argument("name")
@organisation_option
@with_office
def remove(office: Office, name: str, organisation: str | None) -> None:
    """Remove NAME; what still waits for it is told to nobody."""
    found = office.recipient(office.organisation(organisation).id, name)
    office.recipients.remove(found.organisation, found.id)
    click.echo(f"Removed {found.id}.", err=True)


@recipient.command()
@click.argument("name")
@organisation_option
@with_office
def test(office: Office, name: str, organisation: str | None) -> None:
    """Send NAME a signed message of type rapport.test, by the way that alerts go.

    Exit code 1 when it was not taken.
    """
    found = office.recipient(office.organisation(organisation).id, name)
    now = office.clock.now()
    body = {"type": "rapport.test", "timestamp": format_time(now), "data": {}}
    message = Message(opaque_id("test"), json.dumps(body).encode())
    sender = Sender(allow_private=office.settings.allow_private_webhooks)
    outcome = sender.send(found.url, found.secret, message, now)
    click.echo(SAID[outcome], err=True)
    if outcome != "delivered":
        raise click.exceptions.Exit(FAILED)
