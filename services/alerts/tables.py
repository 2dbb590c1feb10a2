"""The tables of the watcher that the stream, with the ledger, can fill again."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql, sqlite

from shared.storage.facts import facts_table
from shared.storage.positions import REBUILDABLE

FACTS = facts_table(REBUILDABLE, "alerts_facts_v1")
"""Every fact and everything that people did about alerts; never the ticks of the clock."""

CLOCK = Table(
    "alerts_clock_v1",
    REBUILDABLE,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
)
"""The present of each partition: its latest tick or recordedtime."""

CLIENTS = Table(
    "alerts_clients_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("client", String(40), primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("due_at", BigInteger),
    Column("suspended", Integer, nullable=False),
    Index("alerts_clients_v1_due", "partition", "due_at"),
)
"""When each client (or source) is to be judged again; ``NOW`` for one touched by a fact."""

NOW: Final = 0
"""Due at once."""

PHASES = Table(
    "alerts_phases_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("client", String(40), primary_key=True),
    Column("care", String(64), primary_key=True),
    Column("therapist", String(40), primary_key=True),
    Column("clinic", String(64), nullable=False),
    Column("partition", Integer, nullable=False),
    Index("alerts_phases_v1_clinic", "organisation", "partition", "clinic"),
)
"""Which clients a fact that concerns many of them is about."""

EPISODES = Table(
    "alerts_episodes_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("client", String(40), primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("episode", String(36), primary_key=True),
    Column("care", String(64), nullable=False),
    Column("therapist", String(40), nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("steps", Integer, nullable=False),
    Column("told", Integer, nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("known_at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger),
)
"""What holds now, those in shadow too (``told`` counts the steps that are not)."""

INBOX = Table(
    "alerts_inbox_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("alert", String(36), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("client", String(40), nullable=False),
    Column("clinic", String(64), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("family", String(16), nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("alerts_inbox_v1_client", "organisation", "client"),
    Index("alerts_inbox_v1_order", "organisation", "effective_at", "alert"),
)
"""The alerts as they are shown."""

CONCERNED = Table(
    "alerts_concerned_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("alert", String(36), primary_key=True),
    Column("person", String(40), primary_key=True),
)
"""Who must never read an alert."""

SENDERS = Table(
    "alerts_senders_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("sender", String(40), primary_key=True),
    Column("clinic", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
)
"""When each source last sent something for each clinic, backfill aside."""

LEASES = Table(
    "alerts_leases_v1",
    REBUILDABLE,
    Column("name", String(32), primary_key=True),
    Column("holder", String(36), nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("value", BigInteger, nullable=False),
)
"""Work that one process does at a time, and a number that the next holder goes on from."""


def upsert_all(db: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or replace those that have the same primary key."""
    if not rows:
        return
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key = [column.name for column in table.primary_key.columns]
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    db.execute(statement.on_conflict_do_update(index_elements=key, set_=others), rows)
