"""The tables of the watcher that the stream, with the ledger, can fill again.

They are functions of the generation: the next is judged beside the one that serves, in tables of
its own. The ledger, notes and leases belong to no generation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from services.alerts.rule import Rule
from shared.storage import generations
from shared.storage.engine import Database
from shared.storage.facts import facts_table
from shared.storage.positions import REBUILDABLE
from shared.storage.shared_facts import sums_table
from shared.storage.table_sets import Catalogue, TableSet
from shared.storage.ties import ties_table

NAME: Final = "alerts"
"""What these tables are together: they share one position, and stand or fall together."""

CONSUMER: Final = "alerts.v1"
"""Names the positions and the group of the first generation."""

VERSION: Final = 1

JUDGEMENT: Final = 4
"""Rises whenever the same rules come to other alerts.

2 judges merged clients as one; 3 lets a boundary matter move no alert of another kind;
4 says of which other clinic evidence is.
"""

NOW: Final = 0
"""Due at once."""

LEASES = Table(
    "alerts_leases_v1",
    REBUILDABLE,
    Column("name", String(32), primary_key=True),
    Column("holder", String(36), nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("value", BigInteger, nullable=False),
)
"""Work that one process does at a time, and a number that the next holder goes on from."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one generation.

    Attributes:
        generation: Its number.
        facts: Every fact and everything that people did about alerts; never the clock's ticks.
        clock: The present of each partition: its latest tick or recordedtime.
        clients: When each client (or source) is to be judged again; ``NOW`` for one touched.
        phases: Which clients a fact that concerns many of them is about.
        episodes: What holds now, those in shadow too (``told`` counts the steps that are not).
        inbox: The alerts as they are shown.
        concerned: Who must never read an alert.
        senders: When each source last sent something for each clinic, backfill aside.
        seen: Which types were seen from each clinic, and whether the stream says so.
        extracts: What rules about a therapist's caseload need to know of each client.
        shared: A sum over the facts about many clients that each partition holds.
        ties: Which clients any merger ever tied to each other: they are judged as one.
    """

    generation: int
    facts: Table
    clock: Table
    clients: Table
    phases: Table
    episodes: Table
    inbox: Table
    concerned: Table
    senders: Table
    seen: Table
    extracts: Table
    shared: Table
    ties: Table


@cache
def catalogue(generation: int) -> Catalogue:
    """Return where the tables of a generation are declared."""
    return Catalogue(generation)


@cache
def of(generation: int) -> Tables:
    """Return the tables of a generation."""
    declared = catalogue(generation)
    metadata = declared.metadata
    return Tables(
        generation=generation,
        facts=facts_table(metadata, _named(declared, "facts")),
        clock=_clock(metadata, _named(declared, "clock")),
        clients=_clients(metadata, _named(declared, "clients")),
        phases=_phases(metadata, _named(declared, "phases")),
        episodes=_episodes(metadata, _named(declared, "episodes")),
        inbox=_inbox(metadata, _named(declared, "inbox")),
        concerned=_concerned(metadata, _named(declared, "concerned")),
        senders=_senders(metadata, _named(declared, "senders")),
        seen=_seen(metadata, _named(declared, "seen")),
        extracts=_extracts(metadata, _named(declared, "extracts")),
        shared=sums_table(metadata, _named(declared, "shared")),
        ties=ties_table(metadata, _named(declared, "ties")),
    )


def declared(generation: int) -> Catalogue:
    """Return the catalogue of a generation with every table in it."""
    of(generation)
    return catalogue(generation)


def judged_by(rules: Sequence[Rule]) -> TableSet:
    """Return the set as some rules fill it: others, or other versions, come to other alerts."""
    code = ", ".join([f"watcher {JUDGEMENT}", *(f"{one.name} {one.version}" for one in rules)])
    return TableSet(NAME, CONSUMER, code, declared)


def prepare(database: Database, rules: Sequence[Rule]) -> None:
    """Create the tables of the generation that serves, where they are missing."""
    generations.prepare(database, judged_by(rules))


def shown(db: Connection) -> Tables:
    """Return the tables that serve, for questions asked in the same transaction."""
    return of(generations.active(db, NAME))


def number_to_judge(db: Connection, rules: Sequence[Rule]) -> int:
    """Return the generation that these rules may go on judging.

    Raises:
        AnotherVersion: when other rules judged the one that serves: to go on with these would
            tell everybody, as news, what is different about the rules.
    """
    return generations.serving(db, judged_by(rules), "active")


def _named(declared: Catalogue, what: str) -> str:
    return declared.named(f"alerts_{what}", VERSION)


def _clock(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=False),
    )


def _clients(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("due_at", BigInteger),
        Column("suspended", Integer, nullable=False),
        Index(f"{name}_due", "partition", "due_at"),
    )


def _phases(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("care", String(64), primary_key=True),
        Column("therapist", String(40), primary_key=True),
        Column("clinic", String(64), nullable=False),
        Column("partition", Integer, nullable=False),
        Index(f"{name}_clinic", "organisation", "partition", "clinic"),
    )


def _episodes(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
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


def _inbox(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
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
        Index(f"{name}_client", "organisation", "client"),
        Index(f"{name}_order", "organisation", "effective_at", "alert"),
    )


def _concerned(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("alert", String(36), primary_key=True),
        Column("person", String(40), primary_key=True),
    )


def _extracts(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("therapist", String(40), primary_key=True),
        Column("body", LargeBinary, nullable=False),
        Index(f"{name}_therapist", "organisation", "therapist"),
    )


def _senders(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("sender", String(40), primary_key=True),
        Column("clinic", String(64), primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("recorded_at", BigInteger, nullable=False),
    )


def _seen(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("clinic", String(64), primary_key=True),
        Column("type", String(40), primary_key=True),
        Column("seen_at", BigInteger, nullable=False),
        Column("said", Boolean, nullable=False),
        Index(f"{name}_said", "said"),
    )
