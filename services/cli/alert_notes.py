"""``rapport alerts note`` and ``erase-note``: short notes, by which people organise the work."""

import click
from sqlalchemy import Connection

from services.alerts import inbox, notes, tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.inbox import Viewer
from services.alerts.notes import LENGTH_LIMIT, Notes, is_short
from services.cli.common import Office, json_option, organisation_option, show_one, with_office

NO_ALERT = "there is no such alert; see: rapport alerts list --state every"


@click.command("note")
@click.argument("alert", metavar="ALERT")
@click.option("--by", metavar="REF", required=True, help="Who writes, as senders refer to them.")
@organisation_option
@json_option
@with_office
def write(office: Office, alert: str, by: str, organisation: str | None, as_json: bool) -> None:
    """Write a short note on ALERT: one line, asked for or read from standard input.

    Notes organise the work: who does what until when. They are no place for what was said in a
    session, for a diagnosis or a name. A note is kept sealed, is told to nobody and stands on no
    topic; whoever may see the alert may read it, and erase it.

    \b
    Examples:
      rapport alerts note 5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55 --by lead-7
      echo "I call the clinic on Monday" | rapport alerts note 5b0a9d0e-… --by lead-7
    """
    whose = office.organisation(organisation).id
    person = office.person(whose, by)
    viewer = Viewer(whose, None, person)
    tables.prepare(office.db, EVERY_RULE)
    with office.db.read() as db:
        _must_be_seen(db, viewer, alert)
    # An argument would stand in the shell's history, and in the list of processes.
    text: str = click.prompt("Note", err=True).strip()
    if not is_short(text):
        raise click.UsageError(f"a note is one line of at most {LENGTH_LIMIT} characters")
    with office.db.write() as db:
        _must_be_seen(db, viewer, alert)
        kept = Notes(office.sealer, office.clock).write(db, whose, alert, person or "", text)
    show_one(kept, as_json=as_json)


@click.command("erase-note")
@click.argument("alert", metavar="ALERT")
@click.argument("note", metavar="NOTE")
@organisation_option
@with_office
def erase(office: Office, alert: str, note: str, organisation: str | None) -> None:
    """Erase a NOTE on ALERT, for everybody; `rapport alerts show` names its notes.

    \b
    Example:
      rapport alerts erase-note 5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55 no_3f9c2b7a1d4e5f6071829304
    """
    whose = office.organisation(organisation).id
    tables.prepare(office.db, EVERY_RULE)
    with office.db.write() as db:
        _must_be_seen(db, Viewer(whose), alert)
        if not notes.erase(db, whose, alert, note):
            raise click.UsageError("there is no such note; see: rapport alerts show ALERT")
    click.echo("Erased; backups hold it until they are gone.", err=True)


def _must_be_seen(db: Connection, viewer: Viewer, alert: str) -> None:
    if inbox.one(db, viewer, alert) is None:
        raise click.UsageError(NO_ALERT)
