"""``rapport timeline``: one client's alliance over time, drawn in the terminal."""

import json
import sys
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    person_option,
    with_office,
)
from services.projections import read_models, terminal
from services.projections.drawing import svg
from services.projections.timelines import Timelines, Viewer
from shared.clock import parse_time
from shared.ids import CLIENT


class Time(click.ParamType[datetime]):
    """A moment, as RFC 3339 writes it."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return parse_time(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("client", metavar="CLIENT")
@organisation_option
@click.option("--valid-at", type=Time(), help="Only what had occurred by then (RFC 3339).")
@click.option("--known-at", type=Time(), help="Only what was recorded by then (RFC 3339).")
@click.option(
    "--svg",
    "picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the drawing there instead of printing anything.",
)
@person_option
@json_option
@with_office
def timeline(
    office: Office,
    client: str,
    organisation: str | None,
    valid_at: datetime | None,
    known_at: datetime | None,
    picture: Path | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Draw the alliance timeline of CLIENT: an opaque id (cl_…), or your own reference.

    It is read from the database: whoever may run this command may see everything in it, with
    --person what that member of staff may see.

    \b
    Examples:
      rapport timeline northside-1-03
      rapport timeline northside-1-03 --known-at 2026-05-03T00:00:00Z
      rapport timeline cl_0123456789abcdef01234567 --svg timeline.svg
    """
    whose = office.organisation(organisation).id
    read_models.prepare(office.db)
    found = Timelines(office.db, office.registry).read(
        Viewer(whose, person=office.reader(whose, person)),
        _opaque(office, whose, client),
        valid_at=valid_at,
        known_at=known_at,
    )
    if found is None:
        raise click.UsageError("there is no such client; the organisation never sent one")
    if picture is not None:
        picture.write_text(svg(found), encoding="utf-8")
    elif as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
        terminal.show(found, console)


def _opaque(office: Office, organisation: str, client: str) -> str:
    """Return the opaque id behind a reference; what is no reference stays as it is."""
    wanted = (CLIENT, client)
    return office.registry.find(organisation, [wanted]).get(wanted, client)
