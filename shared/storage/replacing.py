"""Replace the rows of clients, and write no row that is as it was.

What is found out about a client anew is mostly what was found out before: asking costs one
question, and writing costs PostgreSQL a dead row for each, and its index entries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Delete, Select, Table, bindparam, select

from shared.storage.engine import upsert_all

CHUNK: Final = 500
"""Names in one question to the database."""

Who = tuple[str, str]
"""Organisation and client; every table here has both, as the first columns of its key."""

Values = dict[str, Any]


def replace(db: Connection, table: Table, wanted: Mapping[Who, Sequence[Values]]) -> None:
    """Make the rows of each client what is wanted; touch none that is so already."""
    existing: dict[Who, dict[tuple[Any, ...], Values]] = {who: {} for who in wanted}
    for some in by_organisation(wanted):
        for row in db.execute(_of_clients(table), some).mappings():
            values = dict(row)
            existing[row["organisation"], row["client"]][_key(table, values)] = values
    written: list[Values] = []
    fewer: list[Who] = []
    for who, rows in wanted.items():
        before, now = existing[who], {_key(table, row): row for row in rows}
        if before.keys() <= now.keys():
            written += [row for key, row in now.items() if before.get(key) != row]
        else:
            fewer.append(who)
            written += now.values()
    for some in by_organisation(fewer):
        db.execute(none_of_clients(table), some)
    upsert_all(db, table, written)


def by_organisation(whose: Iterable[Who]) -> Iterator[dict[str, Any]]:
    """Yield what a question about clients asks of: each organisation, so many at once."""
    clients: dict[str, list[str]] = {}
    for organisation, client in whose:
        clients.setdefault(organisation, []).append(client)
    for organisation, named in clients.items():
        for start in range(0, len(named), CHUNK):
            yield {"whose": organisation, "some": named[start : start + CHUNK]}


def about(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return what chooses the rows about ``some`` clients of one organisation, ``whose``."""
    return (
        table.c.organisation == bindparam("whose"),
        table.c.client.in_(bindparam("some", expanding=True)),
    )


@cache
def none_of_clients(table: Table) -> Delete:
    """Delete every row about ``some`` clients of one organisation."""
    return table.delete().where(*about(table))


@cache
def _of_clients(table: Table) -> Select[Any]:
    return select(table).where(*about(table))


def _key(table: Table, row: Values) -> tuple[Any, ...]:
    return tuple(row[name] for name in _key_names(table))


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)
