"""``rapport parked``: what could not be handled, and what to do about it."""

from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial

import click

from services.alerts import bootstrap as alerts
from services.alerts import tables
from services.cli import parked_rows
from services.cli.common import (
    FAILED,
    Office,
    json_option,
    organisation_option,
    show,
    with_office,
)
from services.cli.parked_rows import EVERYBODY
from services.projections import bootstrap as projections
from services.projections import read_models
from shared.errors import AnotherVersion
from shared.ids import CLIENT
from shared.stream import quarantine, redrive
from shared.stream.engines import open_stream
from shared.stream.handling import Handler
from shared.stream.parking import MANY
from shared.stream.redrive import Queue, Redrive, Retried

consumer_option = click.option("--consumer", metavar="NAME", help="Only of this consumer.")


@click.group()
def parked() -> None:
    """Look after records that could not be handled.

    A record that fails however often it is tried is parked: it is kept as it was found, its
    client's later records wait behind it, and everybody else goes on. Mend or upgrade the
    release, then retry; or leave the record out for ever.

    \b
    Example:
      rapport parked list
      rapport parked show cl_0123456789abcdef01234567
      rapport parked retry cl_0123456789abcdef01234567
    """


@parked.command("list")
@consumer_option
@organisation_option
@json_option
@with_office
def list_parked(
    office: Office, consumer: str | None, organisation: str | None, as_json: bool
) -> None:
    """List every client of whom records wait, with the head of the queue and why it failed.

    \b
    Example:
      rapport parked list --consumer alerts.v1 --json
    """
    found = _queues(office, organisation, None, consumer)
    show([parked_rows.summary(queue) for queue in found], as_json=as_json)
    if not found and not as_json:
        click.echo("Nothing is parked.", err=True)


@parked.command("show")
@click.argument("client", metavar="CLIENT")
@click.option("--value", is_flag=True, help="Print key, headers and value of each record too.")
@consumer_option
@organisation_option
@json_option
@with_office
def show_parked(
    office: Office,
    client: str,
    value: bool,
    consumer: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Show every record that waits of CLIENT: an opaque id, your own reference, or `many`.

    `many` are the facts that concern many clients, such as a clinic's settings. The value holds
    what the sender wrote; it is printed only when asked for.

    \b
    Example:
      rapport parked show cl_0123456789abcdef01234567
      rapport parked show many --organisation north --value
    """
    found = _named(office, organisation, client, consumer)
    with office.db.read() as db:
        rows = [row for queue in found for row in redrive.records(db, queue)]
    show([parked_rows.shown(row, value=value) for row in rows], as_json=as_json)


@parked.command("retry")
@click.argument("client", metavar="[CLIENT]", required=False)
@click.option("--all", "everybody", is_flag=True, help="Everybody of whom records wait.")
@consumer_option
@organisation_option
@json_option
@with_office
def retry_parked(
    office: Office,
    client: str | None,
    everybody: bool,
    consumer: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Handle again what waits of CLIENT (or --all), head to tail, with this release.

    Safe while the services run, and to repeat. It stops at the first record that fails again,
    and then exits with 1; whatever was handled stays handled.

    \b
    Examples:
      rapport parked retry cl_0123456789abcdef01234567
      rapport parked retry --all --consumer projections.v1
    """
    if (client is None) != everybody:
        raise click.UsageError("name a client, or everybody with --all")
    if client is None:
        found = _queues(office, organisation, None, consumer)
    else:
        found = _named(office, organisation, client, consumer)
    handlers = _handlers(office)
    left = [queue for queue in found if queue.consumer not in handlers]
    done: list[Retried] = []
    for queue in found:
        if queue.consumer in handlers:
            handler = handlers[queue.consumer]
            done.append(Redrive(office.db, handler, office.clock).retry(queue))
    show([parked_rows.result(one) for one in done], as_json=as_json)
    for name in sorted({queue.consumer for queue in left}):
        click.echo(f"{name}: left as it is, this release does not handle it", err=True)
    if any(one.left for one in done):
        click.echo("What is left failed again; see: rapport parked show", err=True)
    if left or any(one.left for one in done):
        raise click.exceptions.Exit(FAILED)


@parked.command("evict")
@click.argument("client", metavar="CLIENT")
@click.option("--record", metavar="TOPIC/PARTITION/OFFSET", help="Which; the head when left out.")
@click.option("--by", "actor", required=True, help="Who decides that; kept.")
@click.option("--reason", required=True, help="Why; kept. Name nobody in it.")
@consumer_option
@organisation_option
@with_office
def evict_parked(
    office: Office,
    client: str,
    record: str | None,
    actor: str,
    reason: str,
    consumer: str | None,
    organisation: str | None,
) -> None:
    """Leave a record of CLIENT out, for ever: now, and whenever it is read again.

    The decision is kept with the record. It handles nothing by itself: what waits behind the
    record is handled by `rapport parked retry`.

    \b
    Example:
      rapport parked evict cl_0123456789abcdef01234567 \\
        --record rapport.events/3/4711 --by j.smith --reason "sent by a faulty export"
    """
    for name, text, longest in (("--by", actor, redrive.LONGEST_ACTOR),
                                ("--reason", reason, redrive.LONGEST_REASON)):  # fmt: skip
        if not text.strip() or len(text) > longest:
            raise click.UsageError(f"{name} must be 1 to {longest} characters")
    found = _named(office, organisation, client, consumer)
    places = _places(office, found, record)
    decided = 0
    with office.db.write() as db:
        for queue, offset in places:
            decided += redrive.evict(
                db, queue, offset, by=actor, reason=reason, now=office.clock.now()
            )
    click.echo("Left out." if decided else "It was left out already.", err=True)
    click.echo(f"The client is held back until: rapport parked retry {client}", err=True)


@parked.command("quarantine")
@json_option
@with_office
def list_quarantine(office: Office, as_json: bool) -> None:
    """List the records that nobody can decode: where each was found, by whom, and why.

    They hold nobody back. They stand on the topic rapport.quarantine for 90 days, as they were
    found.

    \b
    Example:
      rapport parked quarantine
    """
    with closing(open_stream(office.settings)) as stream:
        found = [parked_rows.quarantined(record) for record in quarantine.contents(stream)]
    show(found, as_json=as_json)
    if not found and not as_json:
        click.echo("Nothing is in quarantine.", err=True)


def _queues(
    office: Office, organisation: str | None, client: str | None, consumer: str | None
) -> list[Queue]:
    whose = None if organisation is None else _whose(office, organisation)
    with office.db.read() as db:
        found = redrive.queues(db, organisation=whose, client=client, consumer=consumer)
        return found if consumer is not None else redrive.of_serving(found, db)


def _named(
    office: Office, organisation: str | None, client: str, consumer: str | None
) -> list[Queue]:
    """Return the queues of a client, who must have one."""
    whose = _whose(office, organisation)
    wanted = (CLIENT, client)
    opaque = (
        MANY if client == EVERYBODY else office.registry.find(whose, [wanted]).get(wanted, client)
    )
    found = _queues(office, whose, opaque, consumer)
    if not found:
        raise click.UsageError("nothing is parked of that client; see: rapport parked list")
    return found


def _whose(office: Office, organisation: str | None) -> str:
    """Return an organisation's id; a record may name one that was never registered."""
    with office.db.read() as db:
        known = {queue.who[0] for queue in redrive.queues(db)}
    if organisation in known:
        return organisation
    return office.organisation(organisation).id


def _handlers(office: Office) -> dict[str, Handler]:
    """Return the handlers of what serves, by name, where this release is the one to handle it."""
    read_models.prepare(office.db)
    tables.prepare(office.db, alerts.EVERY_RULE)
    made: list[Handler] = []
    with office.db.read() as db:
        for opened in (projections.handler, partial(alerts.handler, accounts=office.accounts)):
            # Whoever waits for a rebuild keeps nobody else waiting.
            with suppress(AnotherVersion):
                made.append(opened(db))
    return {handler.name: handler for handler in made}


def _places(office: Office, found: Sequence[Queue], record: str | None) -> list[tuple[Queue, int]]:
    """Return which record of which queues is meant."""
    if record is None:
        heads = {(queue.place, queue.head) for queue in found}
        if len(heads) > 1:
            which = ", ".join(f"{place.topic}/{place.number}/{head}" for place, head in heads)
            raise click.UsageError(f"name one with --record: {which}")
        return [(queue, queue.head) for queue in found]
    topic, _, rest = record.partition("/")
    number, _, offset = rest.partition("/")
    if not number.isdecimal() or not offset.isdecimal():
        raise click.UsageError("--record must be TOPIC/PARTITION/OFFSET, as `list` shows it")
    with office.db.read() as db:
        meant = [
            queue
            for queue in found
            if queue.place == (topic, int(number))
            and any(row.offset == int(offset) for row in redrive.records(db, queue))
        ]
    if not meant:
        raise click.UsageError("nothing of that client waits there; see: rapport parked show")
    return [(queue, int(offset)) for queue in meant]
