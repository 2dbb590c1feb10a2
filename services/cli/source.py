"""``rapport source``: the systems that send."""

import click

from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    show,
    show_one,
    with_office,
)
from services.ingest.adapters import ADAPTERS
from shared.clock import format_time
from shared.storage.accounts import VERIFICATIONS
from shared.storage.enrolment import RETIRE_AFTER_HOURS, SILENT_AFTER_HOURS

SHOWN_ONCE = "Keep the secret now: it is not shown again."


@click.group()
def source() -> None:
    """Register sending systems, and change their webhook secrets.

    \b
    Example:
      rapport source create ehr --clinic elm
    """


@source.command()
@click.argument("name")
@click.option(
    "--adapter",
    type=click.Choice([adapter.name for adapter in ADAPTERS]),
    default="cloudevents",
    show_default=True,
    help="Whose words it speaks.",
)
@click.option(
    "--verification",
    type=click.Choice(VERIFICATIONS),
    default=VERIFICATIONS[0],
    show_default=True,
    help="How its webhooks are signed.",
)
@click.option("--clinic", help="The clinic of its facts where a payload names none.")
@click.option(
    "--silent-after-hours",
    type=click.IntRange(1, 8_784),
    default=SILENT_AFTER_HOURS,
    show_default=True,
    help="Without a record for so long, it is called silent.",
)
@organisation_option
@json_option
@with_office
def create(
    office: Office,
    name: str,
    adapter: str,
    verification: str,
    clinic: str | None,
    silent_after_hours: int,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Register a sending system as NAME; print its webhook's address, and its secret once."""
    whose = office.organisation(organisation)
    source_id, secret = office.enrolment.create_source(
        whose.id,
        name,
        adapter=adapter,
        verification=verification,
        clinic=clinic,
        silent_after_hours=silent_after_hours,
    )
    click.echo(SHOWN_ONCE, err=True)
    _show_secret(office, source_id, name, secret, as_json=as_json)


@source.command()
@click.argument("name")
@click.option(
    "--keep-hours",
    type=click.IntRange(0, 720),
    default=RETIRE_AFTER_HOURS,
    show_default=True,
    help="For how long the old secrets still verify; 0 when one has leaked.",
)
@organisation_option
@json_option
@with_office
def rotate(
    office: Office, name: str, keep_hours: int, organisation: str | None, as_json: bool
) -> None:
    """Give the source NAME a new secret; the old ones verify for a while.

    Services remember secrets for up to a minute: only then does the new one verify everywhere.
    """
    found = office.source(office.organisation(organisation).id, name)
    secret = office.enrolment.rotate_source(found.organisation, found.id, keep_hours=keep_hours)
    click.echo(SHOWN_ONCE, err=True)
    click.echo("It verifies within a minute: until then, sign with the old one.", err=True)
    _show_secret(office, found.id, found.name, secret, as_json=as_json)


@source.command("list")
@organisation_option
@json_option
@with_office
def list_(office: Office, organisation: str | None, as_json: bool) -> None:
    """List the sources."""
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "adapter": one.adapter,
            "verification": one.verification,
            "clinic": one.clinic,
            "silent_after_hours": one.silent_after_hours,
            "live_secrets": len(one.secrets),
            "created_at": format_time(one.created_at),
        }
        for one in office.accounts.sources(office.organisation(organisation).id)
    ]
    show(rows, as_json=as_json)


def _show_secret(office: Office, source_id: str, name: str, secret: str, *, as_json: bool) -> None:
    row = {
        "id": source_id,
        "name": name,
        "webhook": f"{office.address}/v1/sources/{source_id}/webhook",
        "secret": secret,
    }
    show_one(row, as_json=as_json)
