"""What is remembered of an organisation's facts about many is what the database holds now."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from services.alerts import tables
from services.alerts.organisations import Organisations
from shared.envelope import Envelope, encode_value
from shared.storage import facts, shared_facts
from shared.storage.engine import Database
from shared.storage.facts import Arrival
from shared.storage.table_sets import FIRST
from tests.support import events as an
from tests.support import rebuildable
from tests.support.databases import DIALECTS, migrated, url_of

TABLES = tables.of(FIRST)
PLACE = 2

AWAY = [an.a_therapist_away("2026-01-05", None, at=an.on(n), therapist=f"th_{n}") for n in (1, 2)]


class _Broken(Exception):
    """Ends a transaction."""


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a database in which no fact is stored."""
    with migrated(url_of(request, tmp_path)) as made:
        rebuildable.prepare(made)
        yield made


def stored(db: Connection, *envelopes: Envelope, partition: int = PLACE) -> None:
    """Store facts as the watcher does."""
    arrivals = [Arrival(partition, one, encode_value(one)) for one in envelopes]
    new = facts.store(db, TABLES.facts, arrivals).new
    shared_facts.note(db, TABLES.shared, new)


def away(db: Connection, read: Organisations) -> set[str]:
    """Return who is known to be away."""
    return set(read.of(db, an.ORGANISATION, PLACE).around.away)


def test_what_has_not_changed_is_not_read_again(database: Database) -> None:
    """As long as no fact about many comes, the same thing stands for them."""
    read = Organisations(TABLES)
    with database.write() as db:
        stored(db, AWAY[0])
        before = read.of(db, an.ORGANISATION, PLACE)
        stored(db, an.a_rating(30))
        stored(db, AWAY[0])
        assert read.of(db, an.ORGANISATION, PLACE) is before


def test_what_another_process_stores_is_seen(database: Database) -> None:
    """A fact that was stored by somebody else counts at the next judgement."""
    read = Organisations(TABLES)
    with database.write() as db:
        stored(db, AWAY[0])
        assert away(db, read) == {"th_1"}
    with database.write() as db:
        stored(db, AWAY[1])
    with database.write() as db:
        assert away(db, read) == {"th_1", "th_2"}


def test_what_was_rolled_back_is_forgotten(database: Database) -> None:
    """What was read in a transaction that came to nothing stands for nothing, whatever follows."""
    read = Organisations(TABLES)

    def tried() -> None:
        with database.write() as db:
            stored(db, AWAY[0])
            assert away(db, read) == {"th_1"}
            raise _Broken

    with pytest.raises(_Broken):
        tried()
    with database.write() as db:
        stored(db, AWAY[1])
        assert away(db, read) == {"th_2"}


def test_partitions_are_read_apart(database: Database) -> None:
    """Each partition knows of what it holds itself."""
    read = Organisations(TABLES)
    with database.write() as db:
        stored(db, AWAY[0])
        stored(db, AWAY[1], partition=0)
        assert away(db, read) == {"th_1"}
        assert set(read.of(db, an.ORGANISATION, 0).around.away) == {"th_2"}


def test_the_sum_does_not_depend_on_the_order(database: Database) -> None:
    """However facts came, together or one by one, the same facts have the same sum."""
    with database.write() as db:
        stored(db, AWAY[0])
        stored(db, AWAY[1], AWAY[0])
        stored(db, *reversed(AWAY), partition=0)
        first, second = db.scalars(select(TABLES.shared.c.sum))
    assert first == second


def test_no_more_is_remembered_than_there_is_room_for(database: Database) -> None:
    """What was asked for longest ago is forgotten first; what is asked for is always answered."""
    read = Organisations(TABLES, most_facts=1)
    with database.write() as db:
        stored(db, AWAY[0])
        stored(db, AWAY[1], partition=0)
        before = read.of(db, an.ORGANISATION, PLACE)
        read.of(db, an.ORGANISATION, 0)
        again = read.of(db, an.ORGANISATION, PLACE)
        assert again is not before
        assert again.facts == before.facts
