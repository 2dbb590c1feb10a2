"""What every command has in common: settings, database and accounts; errors said plainly."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table

from shared.clock import Clock, SystemClock
from shared.config import Settings, load
from shared.errors import ConfigurationError, RapportError, Refused
from shared.ids import STAFF
from shared.storage.accounts import Accounts, Organisation, Recipient, Source
from shared.storage.engine import Database
from shared.storage.enrolment import Enrolment
from shared.storage.migrate import migrate
from shared.storage.recipients import Recipients
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer, load_secret_key

FAILED: Final = 1
MISCONFIGURED: Final = 2
PIPE_WIDTH: Final = 1_000
"""Columns of a table that goes into a pipe: nothing is wrapped there."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

organisation_option = click.option(
    "--organisation", "-o", metavar="ID|NAME", help="Needed only where there are several."
)
person_option = click.option(
    "--person", metavar="REF", help="Show what this member of staff may see, and no more."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True, slots=True)
class Office:
    """What a command works with; opened once, closed at its end."""

    settings: Settings
    db: Database
    sealer: Sealer
    accounts: Accounts
    enrolment: Enrolment
    recipients: Recipients
    registry: Registry
    clock: Clock

    def organisation(self, name_or_id: str | None) -> Organisation:
        """Return the organisation that was named, or the only one."""
        if name_or_id is not None:
            return self.accounts.organisation(name_or_id)
        every = self.accounts.organisations()
        if not every:
            raise click.UsageError("there is no organisation yet; see: rapport org create --help")
        if len(every) > 1:
            raise click.UsageError("there are several organisations: name one, --organisation …")
        return every[0]

    def source(self, organisation: str, name: str) -> Source:
        """Return a source by name or id."""
        return _named(name, self.accounts.sources(organisation), "source")

    def recipient(self, organisation: str, name: str) -> Recipient:
        """Return a recipient by name or id."""
        return _named(name, self.accounts.recipients(organisation), "recipient")

    def person(self, organisation: str, reference: str | None) -> str | None:
        """Return the opaque id of a member of staff, by the reference that senders use.

        Somebody new may be named before any fact does; so might somebody misspelt.
        """
        if reference is None:
            return None
        wanted = (STAFF, reference)
        if wanted not in self.registry.find(organisation, [wanted]):
            click.echo(
                f"Nobody was named {reference!r} so far: where senders write it otherwise, what "
                "concerns them is not kept from them.", err=True
            )  # fmt: skip
        return self.registry.opaque(organisation, [wanted])[wanted]

    def reader(self, organisation: str, reference: str | None) -> str | None:
        """Return the opaque id of a member of staff who is known already."""
        if reference is None:
            return None
        wanted = (STAFF, reference)
        found = self.registry.find(organisation, [wanted])
        if wanted not in found:
            raise click.UsageError("nobody of the staff is known by this reference")
        return found[wanted]

    @property
    def address(self) -> str:
        """Where this installation listens, as its own machine calls it."""
        host = self.settings.host
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound.
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.port}"


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Office]:
    """Open settings, database (migrated) and accounts; close them at the end.

    Raises:
        ConfigurationError: when the settings are wrong, or the secret key is another one.
        DatabaseUnavailable: when the database does not answer.
    """
    settings = settings or load()
    if settings.needs_data_dir:
        make_data_dir(settings)
    db = Database(settings.database)
    try:
        migrate(db)
        sealer = Sealer(load_secret_key(settings, db))
        clock = SystemClock()
        yield Office(
            settings=settings,
            db=db,
            sealer=sealer,
            accounts=Accounts(db, sealer, clock),
            enrolment=Enrolment(db, sealer, clock),
            recipients=Recipients(db, sealer, clock),
            registry=Registry(db, sealer, clock),
            clock=clock,
        )
    finally:
        db.close()


def make_data_dir(settings: Settings) -> None:
    """Make the data folder, its owner's alone, where there is none.

    Raises:
        ConfigurationError: when it cannot be made.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"RAPPORT_DATA_DIR: {settings.data_dir} cannot be made: {error.strerror}"
        raise ConfigurationError([message]) from error


def with_office(
    command: Callable[Concatenate[Office, _Given], _Result],
) -> Callable[_Given, _Result]:
    """Give a command an open office as its first argument; say its errors plainly."""

    @functools.wraps(command)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        with said_plainly(), opened() as office:
            return command(office, *args, **kwargs)

    return run


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn an error of Rapport into its sentence and an exit code: 2 for configuration, else 1."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise click.exceptions.Exit(MISCONFIGURED) from error
    except Refused as error:
        for fault in error.faults:
            click.echo(f"{fault.pointer.lstrip('/')}: {fault.message}", err=True)
        raise click.exceptions.Exit(FAILED) from error
    except RapportError as error:
        meaning, detail = type(error).__doc__ or "", str(error)
        said = not detail or detail.lower() in meaning.lower()
        click.echo(meaning if said else f"{meaning}\n({detail})".strip(), err=True)
        raise click.exceptions.Exit(FAILED) from error


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows on stdout: a table to read, or JSON."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    if not rows:
        return
    stdout = sys.stdout
    console = Console(
        file=stdout,
        width=None if stdout.isatty() else PIPE_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def show_one(row: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing on stdout: a line for each field, or JSON."""
    if as_json:
        click.echo(json.dumps(row, indent=2, ensure_ascii=False))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value))
    return str(value)


_Named = TypeVar("_Named", Source, Recipient)


def _named(name: str, among: Sequence[_Named], kind: str) -> _Named:
    for one in among:
        if name in (one.name, one.id):
            return one
    raise click.UsageError(f"there is no such {kind}; see: rapport {kind} list")
