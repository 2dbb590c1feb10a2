"""Watch what is asked of a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, make_url

from shared.storage.engine import Database

_TRANSACTIONS: Final = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")


@contextmanager
def watched(database: Database) -> Iterator[list[str]]:
    """Yield a list that every statement put to a database is added to, transactions aside."""
    put: list[str] = []

    def _listen(db: Connection, _: Any, statement: str, *__: Any) -> None:
        if db.engine.url == make_url(database.url) and not statement.startswith(_TRANSACTIONS):
            put.append(statement)

    event.listen(Engine, "before_cursor_execute", _listen)
    try:
        yield put
    finally:
        event.remove(Engine, "before_cursor_execute", _listen)


def writing(statements: list[str]) -> list[str]:
    """Return those that write."""
    return [one for one in statements if one.startswith(("INSERT", "UPDATE", "DELETE"))]
