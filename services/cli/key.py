"""``rapport key``: who may call the API, and what for."""

import click

from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    show,
    show_one,
    with_office,
)
from shared.clock import format_time
from shared.storage.accounts import CONFIDED, RIGHTS


@click.group()
def key() -> None:
    """Make, list and revoke the keys of the API.

    \b
    Examples:
      rapport key create --right publish --source ehr
      rapport key create --right read --right act --clinic elm --person dr-lee
    """


@key.command()
@click.option(
    "--right", "rights", type=click.Choice(RIGHTS), multiple=True, required=True, help="Repeat it."
)
@click.option("--clinic", "clinics", multiple=True, help="Bind it to a clinic; repeat it.")
@click.option(
    "--person", metavar="REF", help="Whose it is: boundary matters about them stay hidden."
)
@click.option("--source", metavar="NAME", help="What its events come through; for publish.")
@click.option(
    "--role",
    type=click.Choice(CONFIDED),
    help="What it is held as: may know who reported a boundary event, even where protected.",
)
@organisation_option
@json_option
@with_office
def create(
    office: Office,
    rights: tuple[str, ...],
    clinics: tuple[str, ...],
    person: str | None,
    source: str | None,
    role: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Make a key; its token is printed once, and only its hash is kept."""
    whose = office.organisation(organisation)
    if "publish" in rights and source is None:
        raise click.UsageError("--right publish needs --source NAME: its events come through it")
    key_id, token = office.enrolment.create_key(
        whose.id,
        rights,
        clinics=clinics,
        person=office.person(whose.id, person),
        source=None if source is None else office.source(whose.id, source).id,
        role=role,
    )
    click.echo("Keep the token now: it is not shown again.", err=True)
    if person is None and not {"read", "act"}.isdisjoint(rights):
        click.echo("It is nobody's: no boundary matter is kept from it. See --person.", err=True)
    row = {
        "id": key_id,
        "rights": sorted(rights),
        "clinics": sorted(clinics) or None,
        "role": role,
        "token": token,
    }
    show_one(row, as_json=as_json)


@key.command("list")
@organisation_option
@json_option
@with_office
def list_(office: Office, organisation: str | None, as_json: bool) -> None:
    """List the keys, revoked ones among them."""
    whose = office.organisation(organisation)
    names = {one.id: one.name for one in office.accounts.sources(whose.id)}
    rows = [
        {
            "id": one.id,
            "rights": list(one.rights),
            "clinics": None if one.clinics is None else list(one.clinics),
            "person": one.person,
            "role": one.role,
            "source": None if one.source is None else names[one.source],
            "created_at": format_time(one.created_at),
            "revoked_at": None if one.revoked_at is None else format_time(one.revoked_at),
        }
        for one in office.enrolment.keys(whose.id)
    ]
    show(rows, as_json=as_json)


@key.command()
@click.argument("key_id", metavar="KEY")
@organisation_option
@with_office
def revoke(office: Office, key_id: str, organisation: str | None) -> None:
    """Revoke KEY (rk_…, without its secret); within a minute it opens nothing."""
    office.enrolment.revoke_key(office.organisation(organisation).id, key_id)
    click.echo("Revoked; within a minute it opens nothing.", err=True)
