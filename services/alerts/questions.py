"""What the watcher asks the database at every judgement, each question made once per table.

Making a question costs up to ten times what asking it does: a fact that is judged alone asks a
dozen, which took half of its time (measured).
"""

from functools import cache
from typing import Any

from sqlalchemy import Delete, Insert, Select, Table, bindparam, func, select
from sqlalchemy.sql.dml import ReturningInsert

from shared.storage.engine import upserting
from shared.storage.replacing import about


@cache
def onward(dialect: str, clock: Table) -> ReturningInsert[Any]:
    """Move the present of partitions on, never back; return it."""
    made = upserting(dialect, clock)
    later = func.max if dialect == "sqlite" else func.greatest
    latest = later(clock.c.until, made.excluded.until)
    return made.on_conflict_do_update(
        index_elements=[clock.c.partition], set_={"until": latest}
    ).returning(clock.c.partition, clock.c.until)


@cache
def due(clients: Table, clock: Table) -> Select[Any]:
    """Ask who of some partitions (``places``) is to be judged by the present there."""
    return (
        select(clients.c.organisation, clients.c.client, clients.c.partition)
        .join(clock, clock.c.partition == clients.c.partition)
        .where(
            clients.c.partition.in_(bindparam("places", expanding=True)),
            clients.c.due_at <= clock.c.until,
        )
    )


@cache
def heard(dialect: str, senders: Table) -> Insert:
    """Keep when a source last sent something, unless something newer is known."""
    made = upserting(dialect, senders)
    newer = made.excluded.recorded_at
    return made.on_conflict_do_update(
        index_elements=senders.primary_key,
        set_={"recorded_at": newer},
        where=senders.c.recorded_at < newer,
    )


@cache
def alerts_of_clients(inbox: Table) -> Select[Any]:
    """Ask for every alert that is shown of ``some`` clients."""
    return select(inbox.c.alert).where(*about(inbox))


@cache
def none_of_alerts(table: Table) -> Delete:
    """Delete every row about ``some`` alerts of one organisation."""
    return table.delete().where(
        table.c.organisation == bindparam("whose"),
        table.c.alert.in_(bindparam("some", expanding=True)),
    )
