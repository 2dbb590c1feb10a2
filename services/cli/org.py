"""``rapport org``: organisations, the tenants that never see each other."""

import click

from services.cli.common import Office, json_option, show, show_one, with_office


@click.group()
def org() -> None:
    """Make and list organisations.

    Everything else (clinics, sources, keys, recipients, every fact) belongs to exactly one.

    \b
    Example:
      rapport org create "North Valley Therapy"
    """


@org.command()
@click.argument("name")
@json_option
@with_office
def create(office: Office, name: str, as_json: bool) -> None:
    """Make an organisation called NAME."""
    organisation = office.enrolment.create_organisation(name)
    show_one({"id": organisation.id, "name": organisation.name}, as_json=as_json)


@org.command("list")
@json_option
@with_office
def list_(office: Office, as_json: bool) -> None:
    """List the organisations."""
    every = office.accounts.organisations()
    show([{"id": one.id, "name": one.name} for one in every], as_json=as_json)
