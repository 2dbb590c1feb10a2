"""Positions and facts, on SQLite and PostgreSQL: the bookmark, the fence, one effect per event."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from shared.clock import EPOCH
from shared.envelope import Envelope, Event, encode_value
from shared.errors import DatabaseUnavailable, PositionConflict
from shared.storage import facts, positions
from shared.storage.engine import Database
from shared.storage.facts import Arrival
from shared.storage.positions import Position

METADATA = MetaData()
FACTS = facts.facts_table(METADATA, "facts_test")
PLACE = ("rapport.events", 3)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield an empty database with the tables under test."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'rapport.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    opened = Database(url)
    with opened.write() as db:
        METADATA.create_all(db)
        positions.REBUILDABLE.create_all(db)
    yield opened
    opened.close()


def an_arrival(
    sender_id: str = "1",
    *,
    content: str = "same",
    organisation: str = "org_1",
    client: str | None = "cl_1",
    partition: int = 3,
) -> Arrival:
    """Return an event as it comes from the stream."""
    event = Event("session.held", "urn:x", sender_id, EPOCH, client, {"clinic": "c"})
    envelope = Envelope(organisation, "src_1", event, content, EPOCH + timedelta(days=1))
    return Arrival(partition, envelope, encode_value(envelope))


def test_a_first_start_begins_at_the_beginning(database: Database) -> None:
    """A consumer that was never here starts at offset 0, and stays where it was put."""
    assert positions.load(database, "c.v1", *PLACE) == Position(0, 0)
    with database.write() as db:
        positions.advance(db, "c.v1", {PLACE: Position(0, 0)}, {PLACE: Position(7, 99)})
    assert positions.load(database, "c.v1", *PLACE) == Position(7, 99)


def test_a_second_consumer_is_fenced(database: Database) -> None:
    """Who expects another position than the stored one saves nothing at all."""
    start = positions.load(database, "c.v1", *PLACE)
    with database.write() as db:
        positions.advance(db, "c.v1", {PLACE: start}, {PLACE: Position(5, 0)})

    def as_the_second() -> None:
        with database.write() as db:
            facts.store(db, FACTS, [an_arrival()])
            positions.advance(db, "c.v1", {PLACE: start}, {PLACE: Position(6, 0)})

    with pytest.raises(PositionConflict):
        as_the_second()
    with database.read() as db:
        assert facts.of_client(db, FACTS, "org_1", "cl_1") == []


def test_one_partition_of_another_fences_the_whole_batch(database: Database) -> None:
    """Of several positions all are moved, or none where one stands elsewhere than expected."""
    places = [("rapport.events", number) for number in range(3)]
    start = {place: positions.load(database, "c.v1", *place) for place in places}
    to = {place: Position(5, 0) for place in places}
    with database.write() as db:
        positions.advance(db, "c.v1", start, {places[1]: Position(4, 0)})
    with pytest.raises(PositionConflict), database.write() as db:
        positions.advance(db, "c.v1", start, to)
    found = [positions.load(database, "c.v1", *place).next_offset for place in places]
    assert found == [0, 4, 0]
    with database.write() as db:
        positions.advance(db, "c.v1", start | {places[1]: Position(4, 0)}, to)
    assert [positions.load(database, "c.v1", *place) for place in places] == list(to.values())


def test_one_effect_per_event(database: Database) -> None:
    """The first of an id stays; the same again and other content under it have no effect."""
    with database.write() as db:
        first = facts.store(db, FACTS, [an_arrival(), an_arrival()])
        again = facts.store(db, FACTS, [an_arrival(), an_arrival(content="other")])
        kept = facts.of_client(db, FACTS, "org_1", "cl_1")
    assert (len(first.new), len(first.duplicates), len(first.conflicts)) == (1, 1, 0)
    assert (len(again.new), len(again.duplicates), len(again.conflicts)) == (0, 1, 1)
    assert kept == [an_arrival()]


def test_many_at_once_are_told_apart_like_few(database: Database) -> None:
    """Of a large batch, what is new, repeated within it, there before or in conflict is said."""
    before = [an_arrival(str(number), client=f"cl_{number % 7}") for number in range(50)]
    fresh = [an_arrival(str(number), client=f"cl_{number % 7}") for number in range(50, 450)]
    shared = [an_arrival("m", client=None, partition=number) for number in range(3)]
    with database.write() as db:
        assert len(facts.store(db, FACTS, before).new) == 50
        batch = [*before[:20], *fresh, *shared, fresh[5], an_arrival("60", client="cl_4")]
        batch += [an_arrival("61", client="cl_5", content="other")]
        found = facts.store(db, FACTS, batch)
        everything = facts.store(db, FACTS, [an_arrival(f"x{n}") for n in range(300)])
        kept = facts.of_client(db, FACTS, "org_1", "cl_4")
    assert list(found.new) == [*fresh, *shared]
    assert list(found.duplicates) == [*before[:20], fresh[5], an_arrival("60", client="cl_4")]
    assert [one.envelope.event.id for one in found.conflicts] == ["61"]
    assert len(everything.new) == 300
    assert sorted(kept, key=repr) == sorted(
        (one for one in [*before, *fresh] if one.envelope.client == "cl_4"), key=repr
    )


def test_the_same_id_elsewhere_is_another_event(database: Database) -> None:
    """Other client, other organisation, other partition of a fact for many: all are kept."""
    arrivals = [
        an_arrival(),
        an_arrival(client="cl_2"),
        an_arrival(organisation="org_2"),
        an_arrival(client=None, partition=0),
        an_arrival(client=None, partition=1),
    ]
    with database.write() as db:
        assert len(facts.store(db, FACTS, arrivals).new) == 5
        by_client = facts.of_clients(db, FACTS, "org_1", ["cl_1", "cl_2", "cl_3"])
        assert [len(by_client[name]) for name in ("cl_1", "cl_2", "cl_3")] == [1, 1, 0]
        assert len(facts.of_many(db, FACTS, "org_1", 1)) == 1


def test_what_fails_leaves_nothing(database: Database) -> None:
    """An error in the middle of a transaction takes every row with it."""

    def fail_midway() -> None:
        with database.write() as db:
            facts.store(db, FACTS, [an_arrival()])
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail_midway()
    with database.read() as db:
        assert facts.of_client(db, FACTS, "org_1", "cl_1") == []


def test_a_database_that_is_away_says_so() -> None:
    """A connection that nobody answers is unavailable, which is worth a retry."""
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable), away.read():
        pass
    assert away.healthy() is False
