"""What the watcher asks the database at every judgement, each question made once per table.

Making a question costs up to ten times what asking it does: a fact that is judged alone asks a
dozen, which took half of its time (measured).
"""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Delete, Select, Table, bindparam, select


@cache
def until(clock: Table) -> Select[Any]:
    """Ask for the present of a partition (``place``)."""
    return select(clock.c.until).where(clock.c.partition == bindparam("place"))


@cache
def due(clients: Table) -> Select[Any]:
    """Ask who of a partition (``place``) is to be judged by ``now``."""
    return (
        select(clients.c.organisation, clients.c.client)
        .where(clients.c.partition == bindparam("place"), clients.c.due_at <= bindparam("now"))
        .order_by(clients.c.organisation, clients.c.client)
    )


@cache
def sent_at(senders: Table) -> Select[Any]:
    """Ask when a ``source`` last sent something for a clinic (``where``) in a ``place``."""
    return select(senders.c.recorded_at).where(
        senders.c.organisation == bindparam("whose"),
        senders.c.sender == bindparam("source"),
        senders.c.clinic == bindparam("where"),
        senders.c.partition == bindparam("place"),
    )


@cache
def shown_numbers(inbox: Table) -> Select[Any]:
    """Ask for the number of every alert that is shown of ``some`` clients."""
    return select(inbox.c.alert, inbox.c.number).where(*_about(inbox))


@cache
def alerts_of_clients(inbox: Table) -> Select[Any]:
    """Ask for every alert that is shown of ``some`` clients."""
    return select(inbox.c.alert).where(*_about(inbox))


@cache
def none_of_alerts(table: Table) -> Delete:
    """Delete every row about ``some`` alerts of one organisation."""
    return table.delete().where(
        table.c.organisation == bindparam("whose"),
        table.c.alert.in_(bindparam("some", expanding=True)),
    )


@cache
def of_clients(table: Table) -> Select[Any]:
    """Ask for every row about ``some`` clients of one organisation."""
    return select(table).where(*_about(table))


@cache
def none_of_clients(table: Table) -> Delete:
    """Delete every row about ``some`` clients of one organisation."""
    return table.delete().where(*_about(table))


def _about(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        table.c.organisation == bindparam("whose"),
        table.c.client.in_(bindparam("some", expanding=True)),
    )
