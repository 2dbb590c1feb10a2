"""One at a time: whoever decides what recipients are told, and whoever lets it be told no more.

What is counted towards a day, and which notice speaks for which, is read before it is written: of
two who do it at once each would miss what the other writes, and somebody be told nothing.

A watcher takes it last, for all organisations concerned in one order: who has it waits for no
client and no therapist that another holds. Everybody else takes it first, before any row of the
ledger; who only claims rows leaves out those that somebody has. So nobody waits in a circle.
"""

from typing import Final

from sqlalchemy import Connection, func, select

LOCK: Final = 0x5241_5003
"""Names the advisory locks of PostgreSQL that are taken here (``RAP`` in ASCII, then 3)."""


def alone(db: Connection, organisation: str) -> None:
    """Let nobody else do so for an organisation until the end; SQLite has one writer anyway."""
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(LOCK, number(organisation))))


def number(organisation: str) -> int:
    """Return the number of an organisation's lock; two that share one only wait more often."""
    return int.from_bytes(organisation.encode()[-4:], signed=True)
