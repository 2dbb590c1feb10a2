"""Limits of parking and quarantine, deaths, and databases away: the same on every engine."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import TooManyParked, Unavailable
from shared.storage.positions import positions
from shared.stream import quarantine
from shared.stream.codec import encode
from shared.stream.embedded import EmbeddedStream
from shared.stream.parking import IN_A_ROW, MANY
from shared.stream.ports import EVENTS, Record
from shared.stream.topics import MAX_HEADER_BYTES, MAX_RECORD_BYTES
from tests.simulation.points import Crash, Fault, Points, Strike, WatchedDatabase
from tests.support import events as an
from tests.support.databases import migrated, sqlite_url
from tests.support.poison import parked_rows, spoiled, states
from tests.support.tallying import TallyWorld, facts

ANNA, BEN, CAT = an.CLIENT, "cl_ben", "cl_cat"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[TallyWorld]:
    """Yield the same on the embedded engine and SQLite alone, with clients enough for all."""
    stream = EmbeddedStream(tmp_path / "stream.db", 4)
    stream.create_topics()
    with migrated(sqlite_url(tmp_path)) as db:
        made = TallyWorld(stream, db, clients_known=100_000)
        yield made
        made.close()
    stream.close()


def test_a_retry_stops_at_the_limit_too(tmp_path: Path) -> None:
    """A fact of many that fails for too many clients when tried again parks none of them."""
    names = [f"cl_{n}" for n in range(12)]
    stream = EmbeddedStream(tmp_path / "stream.db", 4)
    stream.create_topics()
    with migrated(sqlite_url(tmp_path)) as db, closing(TallyWorld(stream, db)) as world:
        world.publish(*(one for name in names for one in facts(name, "first")))
        world.fragile.events.add("away")
        world.publish(encode(an.a_therapist_away("2026-02-02", "2026-02-09", id="away"), EVENTS))
        world.settle()
        world.fragile.events.clear()
        world.fragile.clients.update(names)
        with pytest.raises(TooManyParked, match="within an hour"):
            world.retry()
        assert states(db) == [(MANY, "parked")]
    stream.close()


def test_a_failed_retry_takes_no_decision_back(here: TallyWorld) -> None:
    """A record that was left out stays left out, while its client cannot be judged still."""
    here.fragile.events.add("a1")
    here.publish(*facts(ANNA, "a1", "a2"))
    here.settle()
    assert here.evict(here.queues()[0].head)
    here.fragile.events.clear()
    here.fragile.clients.add(ANNA)
    (failed,) = here.retry()
    assert (failed.left, states(here.db)) == (2, [(ANNA, "evicted"), (ANNA, "queued")])
    here.fragile.clients.clear()
    here.retry()
    assert here.seen(ANNA) == ["a2"]


def test_the_same_record_is_parked_once(here: TallyWorld) -> None:
    """Read again from zero, what is parked stays as it is, and what came before it counts."""
    here.fragile.events.add("a2")
    here.publish(*facts(ANNA, "a1", "a2", "a3"))
    here.settle()
    before = parked_rows(here.db)
    here.runner.close()
    with here.db.write() as db:
        db.execute(positions.update().values(next_offset=0))
    here.runner = here.begun()
    here.settle()
    assert parked_rows(here.db) == before
    assert here.seen(ANNA) == ["a1"]


def test_twenty_in_a_row_stop_the_consumer(here: TallyWorld) -> None:
    """The twentieth failure without a success in between is not parked; nothing is lost."""
    names = [f"cl_{n:02}" for n in range(IN_A_ROW + 5)]
    here.fragile.clients |= set(names)
    here.publish(*(one for name in names for one in facts(name, f"of-{name}")))
    with pytest.raises(TooManyParked, match="in a row"):
        here.settle()
    assert len(states(here.db)) == IN_A_ROW - 1
    here.fragile.clients.clear()
    here.settle()
    here.retry()
    assert here.judged() == {name: [f"of-{name}"] for name in names}


def test_a_success_in_between_begins_the_count_anew(here: TallyWorld) -> None:
    """Bad records among good ones are parked, as many as one in a hundred clients may be."""
    names = [f"cl_{n:02}" for n in range(2 * IN_A_ROW)]
    here.fragile.clients |= set(names)
    mixed = [one for name in names
             for one in [*facts(name, f"of-{name}"), *facts("cl_good", f"g-{name}")]]  # fmt: skip
    here.publish(*(replace(encode(one, EVENTS), partition=0) for one in mixed))
    here.settle()
    assert len(states(here.db)) == len(names)
    assert len(here.seen("cl_good")) == len(names)


def test_an_hour_later_more_may_be_parked(tmp_path: Path) -> None:
    """Ten within an hour; an evicted one counts as well."""
    stream = EmbeddedStream(tmp_path / "stream.db", 1)
    stream.create_topics()
    with migrated(sqlite_url(tmp_path)) as db, closing(TallyWorld(stream, db)) as world:
        names = [f"cl_{n:02}" for n in range(12)]
        world.fragile.clients |= set(names)
        for name in names[:10]:
            world.publish(*facts(name, name), *facts("cl_good", f"good-{name}"))
        world.settle()
        (first, *_) = world.queues()
        world.evict(first.head, first.who[1])
        world.publish(*facts(names[10], names[10]))
        with pytest.raises(TooManyParked, match="within an hour"):
            world.settle()
        world.clock.advance(timedelta(hours=2))
        world.settle()
        assert len(states(db)) == 11
    stream.close()


def test_a_decoder_that_decodes_nothing_stops_the_consumer(here: TallyWorld) -> None:
    """A hundred undecodable records in a row are the release's fault; none is passed over."""
    bad = replace(encode(facts(ANNA, "a1")[0], EVENTS), headers=(), partition=0)
    here.publish(*[bad] * (quarantine.IN_A_ROW + 1))
    with pytest.raises(TooManyParked, match="decode"):
        here.settle()
    with here.db.read() as db:
        assert db.execute(positions.select()).first().next_offset == 0  # type: ignore[union-attr]


def test_what_is_too_large_for_a_copy_is_left_where_it_was_found(here: TallyWorld) -> None:
    """A foreign record as large as the stream takes is passed over; its copy says where it is."""
    value = b"x" * (MAX_RECORD_BYTES - MAX_HEADER_BYTES + 1)
    found = Record(EVENTS, 2, 7, b"k", value, (), here.clock.now())
    here.publish(quarantine.copy_of(found, "tally.v1", ValueError("no type")))
    (copy,) = quarantine.contents(here.stream)
    said = dict(copy.headers)
    assert (copy.key, copy.value) == (b"k", b"")
    assert said[quarantine.LEFT] == b"left where it was found"
    assert said[quarantine.FOUND_AT] == f"{EVENTS}/2/7".encode()


def test_a_row_of_undecodable_records_may_come_bit_by_bit(here: TallyWorld) -> None:
    """One after the other they stop the consumer as well; one that can be decoded ends the row."""
    bad = replace(encode(facts(ANNA, "a1")[0], EVENTS), headers=(), partition=0)
    good = replace(encode(facts(ANNA, "a2")[0], EVENTS), partition=0)
    for one in (*[bad] * 5, good, *[bad] * (quarantine.IN_A_ROW - 1)):
        here.publish(one)
        here.settle()
    here.publish(bad)
    with pytest.raises(TooManyParked, match="decode"):
        here.settle()


def test_a_database_that_is_away_makes_no_row_of_one_record(here: TallyWorld) -> None:
    """However often one undecodable record is read again, it is copied and counted once."""
    points = Points()
    spoilt = spoiled(facts(ANNA, "a1")[0], ce_type=None)
    here.publish(spoilt)
    here.runner.close()
    with closing(WatchedDatabase(here.db.url, points)) as watched:
        runner = here.begun(db=watched)
        runner.step(here.clock.now())
        here.publish(spoilt)
        for _ in range(quarantine.IN_A_ROW + 1):
            with points.under(Strike([Fault("away", "begin", 1)])), pytest.raises(Unavailable):
                runner.step(here.clock.now())
        here.settle(runner)
        runner.close()
    assert len(list(quarantine.contents(here.stream))) == 2


def test_killed_at_any_call_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Dying before any statement or commit, of consumer or redrive, leads to the same end."""
    nth, reached = 1, True
    while reached:
        folder = tmp_path / str(nth)
        folder.mkdir()
        reached = _killed_once(folder, nth)
        nth += 1
    assert nth > 30


def _killed_once(folder: Path, nth: int) -> bool:
    points = Points()
    strike = Strike([Fault("crash", "any", nth)])
    stream = EmbeddedStream(folder / "stream.db", 2)
    stream.create_topics()
    with migrated(sqlite_url(folder)) as db, closing(TallyWorld(stream, db)) as world:
        watched = WatchedDatabase(sqlite_url(folder), points)
        spoilt = spoiled(facts(BEN, "b0")[0], ce_type=None)
        world.publish(*facts(ANNA, "a1", "a2", "a3"), spoilt, *facts(BEN, "b1"))
        world.fragile.events.add("a2")
        world.runner.close()
        runner = world.begun(db=watched)
        try:
            with points.under(strike):
                world.settle(runner)
                world.fragile.events.clear()
                world.retry(watched)
        except Crash:
            runner.close()
            world.runner = world.begun()
            world.settle()
            world.fragile.events.clear()
            world.retry()
        assert world.judged() == {ANNA: ["a1", "a2", "a3"], BEN: ["b1"]}
        assert parked_rows(db) == []
        assert {one.value for one in quarantine.contents(stream)} == {spoilt.value}
        runner.close()
        watched.close()
    stream.close()
    return strike.hits > 0
