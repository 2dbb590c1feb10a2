"""What making an account has in common: check a value, refuse with its place, insert once."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Table

from shared.errors import Fault, Refused
from shared.storage.engine import insert_or_nothing

_REF = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def check_ref(field: str, text: str | None) -> None:
    """Refuse what is no ref, by contract.md; None is left out and fine."""
    if text is not None and not _REF.fullmatch(text):
        raise refused(
            field, "needs 1 to 64 of the characters A–Z a–z 0–9 . _ : -", "not_a_reference"
        )


def check_one_of(field: str, text: str, allowed: Collection[str]) -> None:
    """Refuse what is not among the allowed words."""
    if text not in allowed:
        message = f"must be one of {', '.join(allowed)}"
        raise refused(field, message, "not_allowed", allowed)


def refused(field: str, message: str, code: str, allowed: Collection[str] = ()) -> Refused:
    """Return the refusal of one field."""
    return Refused([Fault(f"/{field}", message, code, tuple(allowed))])


def insert_new(db: Connection, table: Table, **values: Any) -> None:
    """Insert a row under a random id; the only thing that can be taken already is its name.

    Raises:
        Refused: when the name is taken.
    """
    statement = insert_or_nothing(db, table).values(**values)
    # Without the option only UPDATE and DELETE keep their count on every driver.
    if db.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 0:
        raise refused("name", "is taken; choose another", "taken")
