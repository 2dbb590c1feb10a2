"""``rapport rebuild``: build read models anew beside those that serve, compare, and switch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import click
from sqlalchemy import Connection

from services.alerts import tables
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.rebuild import Candidate as Alerts
from services.cli.common import FAILED, Office, json_option, show, show_one, with_office
from services.cli.memory import frugal
from services.cli.process import wait_for, work
from services.cli.rebuild_progress import Meter
from services.cli.serve import COLLECT_AFTER
from services.projections import read_models
from services.projections.rebuild import Candidate as Timelines
from shared.errors import Busy, StreamUnavailable
from shared.storage import generations, positions
from shared.storage.comparing import Difference
from shared.storage.engine import Borrowing
from shared.storage.generations import LEASE, Generation
from shared.storage.table_sets import TableSet
from shared.stream import succession
from shared.stream.engines import open_stream
from shared.stream.rebuilding import Accept, Candidate, Outcome, Rebuilding

INTERRUPTED: Final = 130
REST_S: Final = 0.1
"""Own: SQLite has one writer, and who waits for it looks every tenth of a second. Without a rest
the services beside a rebuild would wait for seconds."""

FINISH_TRIES: Final = 10
"""How often the last step is tried while the services save more than it can read meanwhile."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A set that can be rebuilt.

    Attributes:
        aliases: Other names that people may use for it.
        candidate: Office and generation → what fills it.
    """

    tables: TableSet
    aliases: tuple[str, ...]
    candidate: Callable[[Office, int], Candidate]


KINDS: Final = (
    Kind(
        read_models.TIMELINES,
        ("projections", "facts", "caseload", "concerns", "boundary_events"),
        lambda _, generation: Timelines(generation),
    ),
    Kind(
        tables.judged_by(EVERY_RULE),
        ("rules",),
        lambda office, generation: Alerts(generation, EVERY_RULE, office.accounts.recipients),
    ),
)


@click.command()
@click.argument("name", metavar="[SET]", required=False)
@click.option("--dry-run", is_flag=True, help="Build and compare; switch not.")
@click.option("--switch", is_flag=True, help="Switch whatever is different.")
@click.option("--rollback", is_flag=True, help="Go back to the generation that was kept.")
@click.option("--discard", is_flag=True, help="Drop what is being built.")
@click.option("--drop-old", is_flag=True, help="Drop the generation that was kept.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True,
              help="Differences that are listed; all are counted.")  # fmt: skip
@json_option
@with_office
def rebuild(
    office: Office,
    name: str | None,
    dry_run: bool,
    switch: bool,
    rollback: bool,
    discard: bool,
    drop_old: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Build a SET of read models anew from the stream, while the services run.

    SET is timelines (facts, caseload, boundary events …) or alerts. The new one is built beside
    the one that serves, compared with it client by client, and switched to when nothing is
    different; otherwise the differences are listed, and --switch or --discard decides. The old
    one is kept for --rollback. Interrupted at any point, the same command goes on. Without SET,
    every set is shown.

    \b
    Examples:
      rapport rebuild timelines
      rapport rebuild alerts --dry-run
      rapport rebuild timelines --rollback
    """
    chosen = sum([dry_run, switch, rollback, discard, drop_old])
    if chosen > 1:
        raise click.UsageError("--dry-run, --switch, --rollback, --discard, --drop-old: take one")
    if name is None:
        if chosen:
            raise click.UsageError(f"name the SET: {_every_name()}")
        show([row for kind in KINDS for row in _state(office, kind)], as_json=as_json)
        return
    kind = _named(name)
    frugal(COLLECT_AFTER)
    generations.prepare(office.db, kind.tables)
    if discard or drop_old:
        _drop(office, kind, "building" if discard else "previous", as_json=as_json)
    else:
        run = _Run(office, kind, as_json=as_json, limit=limit)
        accept: Accept = "nothing" if dry_run else "anything" if switch else "the same"
        run.report(run.rolled_back() if rollback else run.rebuilt(accept))


@dataclass(slots=True)
class _Run:
    """One run of the command."""

    office: Office
    kind: Kind
    as_json: bool
    limit: int
    meter: Meter = field(default_factory=Meter)
    tries: int = 0

    def rebuilt(self, accept: Accept) -> Outcome:
        """Build the next generation, or go on with one that was begun."""
        name = self.kind.tables.name
        click.echo(f"Rebuilding {name} ({self.kind.tables.code}).", err=True)
        with self.office.db.write() as db:
            kept = generations.in_state(db, name, "previous")
            new = generations.begin(db, self.kind.tables)
            succession.forget_dropped(db)
            gone = kept is not None and generations.in_state(db, name, "previous") is None
            old = generations.in_state(db, name, "active")
        if kept is not None and gone:
            click.echo(f"Generation {kept.number}, kept until now, was dropped.", err=True)
        return self._brought_up(old, new, accept, compare=True)

    def rolled_back(self) -> Outcome:
        """Let the generation that was kept catch up, and serve again."""
        name = self.kind.tables.name
        with self.office.db.read() as db:
            old = generations.in_state(db, name, "active")
            kept = generations.in_state(db, name, "previous")
        if kept is None:
            raise click.UsageError(f"no generation of {name} was kept; see: rapport rebuild")
        if kept.code != self.kind.tables.code:
            raise click.UsageError(
                f"generation {kept.number} was made by another version ({kept.code});"
                " run this with that version of Rapport"
            )
        return self._brought_up(old, kept, "anything", compare=False)

    def report(self, outcome: Outcome) -> None:
        """Say what came of it; exit code 1 where differences wait for a decision."""
        self._list(outcome)
        name = self.kind.tables.name
        if outcome.switched:
            click.echo(
                f"Switched. The old generation is kept; to go back: rapport rebuild {name}"
                " --rollback",
                err=True,
            )
        elif outcome.differences:
            click.echo(
                f"Differences: {len(outcome.differences)}. Nothing was switched. To accept them:"
                f" rapport rebuild {name} --switch; to drop what was built: rapport rebuild"
                f" {name} --discard",
                err=True,
            )
            raise click.exceptions.Exit(FAILED)
        else:
            click.echo(f"No difference. To switch: rapport rebuild {name}", err=True)

    def _brought_up(
        self, old: Generation | None, new: Generation, accept: Accept, *, compare: bool
    ) -> Outcome:
        if old is None:
            raise click.UsageError(f"no generation of {new.name} serves; start the services once")
        with self._rebuilding(old, new, compare=compare) as rebuilding:
            _claim(rebuilding, self.office)
            try:
                with self.meter.shown():
                    self._work(self._stepped(rebuilding))
                return self._finished(rebuilding, accept)
            except KeyboardInterrupt:
                click.echo("Interrupted; run the same command again to go on.", err=True)
                raise click.exceptions.Exit(INTERRUPTED) from None

    @contextmanager
    def _rebuilding(
        self, old: Generation, new: Generation, *, compare: bool
    ) -> Iterator[Rebuilding]:
        settings = self.office.settings
        with ExitStack() as opened:
            database = Borrowing(settings.database)
            opened.callback(database.close)
            stream = open_stream(settings)
            opened.callback(stream.close)
            with suppress(StreamUnavailable):  # The first step waits for it.
                stream.create_topics()
            candidate = self.kind.candidate(self.office, new.number)
            clock = self.office.clock
            made = Rebuilding(database, stream, candidate, old, new, clock, compare=compare)
            opened.callback(made.close)
            yield made

    def _stepped(self, rebuilding: Rebuilding) -> Callable[[datetime], bool]:
        def step(now: datetime) -> bool:
            self.meter.look(rebuilding)
            return rebuilding.step(now)

        return step

    def _finished(self, rebuilding: Rebuilding, accept: Accept) -> Outcome:
        outcomes: list[Outcome] = []

        def step(now: datetime) -> bool:
            while rebuilding.step(now):
                pass
            try:
                outcomes.append(rebuilding.finish(now, accept))
            except Busy:
                self.tries += 1
                if self.tries == FINISH_TRIES:
                    raise
            return not outcomes

        self._work(step)
        return outcomes[0]

    def _work(self, step: Callable[[datetime], bool]) -> None:
        one_writer = self.office.db.dialect == "sqlite"
        work(step, self.office.clock, _say_waiting, rest_s=REST_S if one_writer else 0.0)

    def _list(self, outcome: Outcome) -> None:
        shown = outcome.differences[: self.limit]
        if self.as_json:
            summary: dict[str, Any] = {
                "set": self.kind.tables.name,
                "switched": outcome.switched,
                "settled": outcome.settled,
                "differences": len(outcome.differences),
                "listed": [asdict(one) for one in shown],
                **self.meter.summary(),
            }
            show_one(summary, as_json=True)
            return
        for one in shown:
            click.echo(_line(one))
        if len(shown) < len(outcome.differences):
            more = len(outcome.differences) - len(shown)
            click.echo(f"… and {more} more; see --limit.", err=True)
        click.echo(self.meter.said(), err=True)
        if outcome.settled:
            click.echo(f"Steps settled, told to nobody: {outcome.settled}.", err=True)


def _named(name: str) -> Kind:
    for kind in KINDS:
        if name in (kind.tables.name, *kind.aliases):
            return kind
    raise click.UsageError(f"there is no set {name!r}; there are: {_every_name()}")


def _every_name() -> str:
    return ", ".join(kind.tables.name for kind in KINDS)


def _claim(rebuilding: Rebuilding, office: Office) -> None:
    """Take the right to build; one that was killed keeps it for some seconds."""
    if not wait_for(lambda: rebuilding.claim(office.clock.now()), LEASE.total_seconds() + 2):
        click.echo("Another rapport rebuild is at work on this set; let it end, or end it.",
                   err=True)  # fmt: skip
        raise click.exceptions.Exit(FAILED)


def _drop(office: Office, kind: Kind, state: generations.State, *, as_json: bool) -> None:
    name = kind.tables.name
    with office.db.write() as db:
        found = generations.in_state(db, name, state)
        if found is None:
            raise click.UsageError(f"no generation of {name} is {state}; see: rapport rebuild")
        if not generations.claim(db, found, "", office.clock.now()):
            raise click.UsageError("another rapport rebuild is at work on it; end that first")
        generations.drop(db, found)
        succession.forget_dropped(db)
    if as_json:
        show_one({"set": name, "dropped": found.number}, as_json=True)
    click.echo(f"Generation {found.number} of {name} was dropped.", err=True)


def _state(office: Office, kind: Kind) -> Sequence[Mapping[str, Any]]:
    generations.prepare(office.db, kind.tables)
    with office.db.read() as db:
        every = [one for one in generations.every(db, kind.tables.name) if one.state != "dropped"]
        read = {one.number: _records_read(db, one) for one in every}
    return [
        {
            "set": one.name,
            "generation": one.number,
            "state": one.state if one.state != "building" else f"building: {one.stage}",
            "records_read": read[one.number],
            "made_by": "this version" if one.code == kind.tables.code else one.code,
        }
        for one in every
    ]


def _records_read(db: Connection, one: Generation) -> int:
    return sum(at.next_offset for at in positions.all_of(db, one.consumer).values())


def _say_waiting() -> None:
    click.echo("The stream or the database does not answer; waiting for it.", err=True)


def _line(one: Difference) -> str:
    return f"{one.client or 'concerning many'}  {one.what}: {one.change}"
