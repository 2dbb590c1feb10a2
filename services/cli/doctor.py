"""``rapport doctor``: is everything as it must be, and if not, what to do."""

import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from services.alerts import outbox, tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.ledger import UNDELIVERABLE
from services.alerts.notes import Notes
from services.cli.common import FAILED, Office, make_data_dir, opened, said_plainly, show
from services.projections import read_models
from shared.config import Settings, load
from shared.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    StreamDamaged,
    StreamUnavailable,
)
from shared.storage import generations
from shared.storage.accounts import Organisation
from shared.storage.engine import Database
from shared.storage.migrate import migrate, pending
from shared.storage.sealing import KEY_FILE, SealBroken
from shared.storage.table_sets import TableSet
from shared.stream import parking
from shared.stream.embedded import EmbeddedStream
from shared.stream.engines import open_stream
from shared.stream.ports import Stream

FIX = "run: rapport doctor --fix"
RESTORE = "stop every process, restore the stream's file from a backup, start again"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""What group and others may do with a file; nothing, in the data folder."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it was.
        found: What was found there.
        todo: What to do about it; empty when all is well.
    """

    what: str
    found: str
    todo: str = ""


@click.command()
@click.option("--fix", is_flag=True, help="Create topics, migrate the database, close the folder.")
@click.option(
    "--verify", is_flag=True, help="Also read all of the database and of the embedded stream."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(fix: bool, verify: bool, as_json: bool) -> None:
    """Look whether everything is as it must be; say what to do where it is not.

    Exit code 1 when there is a problem, 2 when the configuration is wrong.

    \b
    Example:
      rapport doctor --fix
    """
    with said_plainly():
        findings = list(_examine(load(), fix=fix, verify=verify))
    rows = [
        {
            "what": one.what,
            "state": "problem" if one.todo else "ok",
            "found": one.found,
            "what to do": one.todo,
        }
        for one in findings
    ]
    show(rows, as_json=as_json)
    if any(one.todo for one in findings):
        raise click.exceptions.Exit(FAILED)


def _examine(settings: Settings, *, fix: bool, verify: bool) -> Iterator[Finding]:
    """Look at everything in the order in which each part stands on the one before."""
    if settings.needs_data_dir:
        if fix:
            make_data_dir(settings)
        if not settings.data_dir.is_dir():
            yield Finding("data folder", f"{settings.data_dir} does not exist", FIX)
            return
        yield from _folder(settings.data_dir, fix=fix)
    yield from _stream(settings, fix=fix, verify=verify)
    database = Database(settings.database)
    try:
        findings = list(_database(database, fix=fix))
    finally:
        database.close()
    yield from findings
    if not any(one.todo for one in findings):
        yield from _accounts(settings, verify=verify)


def _folder(folder: Path, *, fix: bool) -> Iterator[Finding]:
    for path, closed in ((folder, 0o700), (folder / KEY_FILE, 0o600)):
        if not path.exists():
            continue
        if fix:
            path.chmod(closed)
        if path.stat().st_mode & OTHERS:
            yield Finding("data folder", f"others on this machine may read {path}", FIX)
        else:
            yield Finding("data folder", f"{path} is its owner's alone")


def _stream(settings: Settings, *, fix: bool, verify: bool) -> Iterator[Finding]:
    try:
        with closing(open_stream(settings)) as stream:
            yield from _topics(stream, fix=fix)
            # Brokers keep copies, and their batches are checked whenever they are read.
            if verify and isinstance(stream, EmbeddedStream):
                yield from _undamaged(stream)
    except StreamUnavailable as error:
        yield Finding("stream", str(error), "start the brokers, or check RAPPORT_STREAM")
    except StreamDamaged as error:
        yield Finding("stream file", str(error), RESTORE)


def _undamaged(stream: EmbeddedStream) -> Iterator[Finding]:
    damage = stream.damage()
    for one in damage:
        yield Finding("stream file", one, RESTORE)
    if not damage:
        yield Finding("stream file", "is intact")


def _topics(stream: Stream, *, fix: bool) -> Iterator[Finding]:
    if not stream.healthy():
        yield Finding("stream", "does not answer", "start the brokers, or check RAPPORT_STREAM")
        return
    yield Finding("stream", "answers")
    created = stream.create_topics() if fix else ()
    for name in created:
        yield Finding("topics", f"{name} was created")
    problems = stream.check_topics()
    for problem in problems:
        yield Finding("topics", problem, "do what it says")
    if not problems:
        yield Finding("topics", "are as they must be")


def _database(database: Database, *, fix: bool) -> Iterator[Finding]:
    try:
        if fix:
            migrate(database)
        missing = pending(database)
    except DatabaseUnavailable:
        yield Finding("database", "does not answer", "start it, or check RAPPORT_DATABASE")
        return
    except ConfigurationError as error:
        yield Finding("database", str(error), "start the newer version of Rapport")
        return
    yield Finding("database", "answers")
    if missing is not None:
        yield Finding("migrations", f"{missing} is not applied yet", FIX)
    else:
        yield Finding("migrations", "are applied")


def _accounts(settings: Settings, *, verify: bool) -> Iterator[Finding]:
    try:
        with opened(settings) as office:
            yield Finding("secret key", "is the one that this database was sealed with")
            for which in (read_models.TIMELINES, tables.judged_by(EVERY_RULE)):
                yield from _generations(office, which)
            organisations = office.accounts.organisations()
            if not organisations:
                todo = 'make one: rapport org create "…"'
                yield Finding("organisations", "there is none yet", todo)
            for organisation in organisations:
                yield from _organisation(office, organisation)
                if verify:
                    yield from _verified(office, organisation)
            if verify and office.db.dialect == "sqlite":
                yield _intact(office.db)
    except ConfigurationError as error:
        yield Finding("secret key", str(error), "start with the key that belongs to the database")


def _generations(office: Office, which: TableSet) -> Iterator[Finding]:
    generations.prepare(office.db, which)
    with office.db.read() as db:
        active = generations.in_state(db, which.name, "active")
        building = generations.in_state(db, which.name, "building")
        busy = building and generations.is_worked_on(db, building, office.clock.now())
    if active is not None:
        other = active.code != which.code
        by = f"other code made it: {active.code}" if other else "this version made it"
        todo = f"run: rapport rebuild {which.name}" if other else ""
        yield Finding(which.name, f"generation {active.number} serves; {by}", todo)
        with office.db.read() as db:
            clients, records = parking.counts(db, active.consumer)
        if clients:
            found = f"parked: {records} records, of {clients} clients"
            yield Finding(which.name, found, "see why: rapport parked list")
    if building is not None:
        found = f"generation {building.number} is being built ({building.stage})"
        todo = f"go on: rapport rebuild {which.name}; or drop it: … --discard"
        yield Finding(which.name, found, "" if busy else todo)


def _organisation(office: Office, whose: Organisation) -> Iterator[Finding]:
    what = f"organisation {whose.name}"
    sources = office.accounts.sources(whose.id)
    recipients = [one for one in office.accounts.recipients(whose.id) if not one.disabled]
    roles = {one.role for one in recipients}
    yield Finding(what, f"sources: {len(sources)}, recipients: {len(recipients)}")
    mute = [one.name for one in sources if not one.secrets]
    for wrong, found, todo in (
        (not sources, "nothing sends", "register a system: rapport source create …"),
        (mute, f"no live secret: {', '.join(mute)}", "run: rapport source rotate …"),
        (not recipients, "nobody is told", "run: rapport recipient add …"),
        (
            "governance" not in roles,
            "nobody with the role governance: what concerns everybody else reaches nobody",
            "run: rapport recipient add NAME --role governance --url …",
        ),
        (
            untold := _untold(office.db, whose.id),
            f"{untold} alerts could be told to nobody",
            "add a recipient whom they do not concern: rapport recipient add …",
        ),
    ):
        if wrong:
            yield Finding(what, found, todo)


def _untold(database: Database, organisation: str) -> int:
    """Return how many alerts that stand open could be told to nobody."""
    tables.prepare(database, EVERY_RULE)
    with database.read() as db:
        return outbox.untold(db, organisation)[UNDELIVERABLE]


def _verified(office: Office, whose: Organisation) -> Iterator[Finding]:
    what = f"organisation {whose.name}"
    todo = "restore the backup that belongs to this secret key"
    checks: dict[str, Callable[[], object]] = {
        "key of references": lambda: office.registry.content_hash(whose.id, b""),
        "source secrets": lambda: office.accounts.sources(whose.id),
        "recipients": lambda: office.accounts.recipients(whose.id),
        "references": lambda: office.registry.verify(whose.id),
        "notes": lambda: _notes(office, whose),
    }
    for part, read in checks.items():
        try:
            read()
        except SealBroken:
            yield Finding(what, f"{part}: some do not open", todo)
        else:
            yield Finding(what, f"{part}: all open")


def _notes(office: Office, whose: Organisation) -> int:
    """Open every note on an alert; return how many there are."""
    with office.db.read() as db:
        return Notes(office.sealer, office.clock).verify(db, whose.id)


def _intact(database: Database) -> Finding:
    with database.read() as db:
        answer = str(db.exec_driver_sql("PRAGMA quick_check").scalar())
    if answer == "ok":
        return Finding("database file", "is intact")
    return Finding("database file", "is damaged", "restore the backup")
