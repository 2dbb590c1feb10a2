"""Parking, redrive, eviction and quarantine, on both engines of the stream and both databases."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import Refused
from shared.stream import quarantine
from shared.stream.codec import encode
from shared.stream.parking import MANY
from shared.stream.ports import EVENTS, Outgoing
from shared.stream.redrive import Redrive
from tests.support import events as an
from tests.support.databases import migrated, sqlite_url
from tests.support.engines import EmbeddedEngine, Engine, KafkaEngine
from tests.support.poison import parked_rows, spoiled, states
from tests.support.tallying import NAME, PATIENCE_S, Pausing, TallyWorld, facts

ANNA, BEN, CAT = an.CLIENT, "cl_ben", "cl_cat"
PAIRS = [
    pytest.param(("embedded", "sqlite"), id="embedded-sqlite"),
    pytest.param(("kafka", "postgresql"), marks=[pytest.mark.kafka, pytest.mark.postgres],
                 id="kafka-postgresql"),
]  # fmt: skip


@pytest.fixture(params=PAIRS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TallyWorld]:
    """Yield the smallest consumer on an engine and a database."""
    kind, dialect = request.param
    if kind == "kafka":
        engine: Engine = KafkaEngine(request.getfixturevalue("kafka_broker").address)
    else:
        engine = EmbeddedEngine(tmp_path / "stream.db")
    engine.stream.create_topics()
    url = sqlite_url(tmp_path)
    with migrated(url if dialect == "sqlite" else request.getfixturevalue("postgres_url")) as db:
        made = TallyWorld(engine.stream, db)
        yield made
        made.close()
    engine.stream.close()


def of_many(name: str) -> Outgoing:
    """Return a fact that concerns many, in the partition of Anna."""
    return encode(an.a_therapist_away("2026-02-02", "2026-02-09", id=name), EVENTS)


def test_the_later_records_of_a_client_queue_in_order(world: TallyWorld) -> None:
    """Behind a head everything of its client waits; everybody else is handled."""
    world.fragile.events.add("a2")
    world.publish(*facts(ANNA, "a1", "a2"), *facts(BEN, "b1"))
    world.settle()
    world.publish(*facts(ANNA, "a3", "a4"), *facts(BEN, "b2"))
    world.settle()
    assert (world.seen(ANNA), world.seen(BEN)) == (["a1"], ["b1", "b2"])
    assert states(world.db) == [(ANNA, state) for state in ("parked", "queued", "queued")]
    (still,) = world.retry()
    assert (still.handled, still.left, still.error) == (0, 3, "Bug")
    world.fragile.events.clear()
    (done,) = world.retry()
    assert (done.handled, done.left, world.retry()) == (3, 0, [])
    assert world.judged()[ANNA] == world.seen(ANNA) == ["a1", "a2", "a3", "a4"]


def test_a_fact_of_many_that_fails_for_one_client(world: TallyWorld) -> None:
    """It counts for everybody else at once, and for that client when retried."""
    partition = world.stream.partitions(EVENTS)
    shared = [replace(of_many("m1"), partition=number) for number in range(partition)]
    world.publish(*facts(ANNA, "a1"), *facts(BEN, "b1"))
    world.settle()
    world.fragile.clients.add(ANNA)
    world.publish(*shared)
    world.settle()
    assert world.judged() == {ANNA: ["a1"], BEN: ["b1", "m1"]}
    assert {client for client, _ in states(world.db)} == {ANNA}
    world.publish(*facts(ANNA, "a2"), *facts(BEN, "b2"))
    world.settle()
    assert world.judged()[BEN] == ["b1", "b2", "m1"]
    world.publish(*facts(CAT, "c1"))
    world.settle()
    world.fragile.clients.add(CAT)
    world.publish(*(replace(of_many("m2"), partition=number) for number in range(partition)))
    world.settle()
    world.fragile.clients.clear()
    assert all(one.left == 0 for one in world.retry())
    assert world.judged() == {
        ANNA: ["a1", "a2", "m1", "m2"], BEN: ["b1", "b2", "m1", "m2"], CAT: ["c1", "m1", "m2"]
    }  # fmt: skip


def test_a_fact_of_many_that_fails_for_all(world: TallyWorld) -> None:
    """It is parked as what concerns many; the clients themselves go on."""
    world.fragile.events.add("m1")
    world.publish(*facts(ANNA, "a1"), of_many("m1"), of_many("m2"))
    world.settle()
    world.publish(*facts(ANNA, "a2"))
    world.settle()
    assert states(world.db) == [(MANY, "parked"), (MANY, "queued")]
    assert world.judged()[ANNA] == ["a1", "a2"]
    world.fragile.events.clear()
    world.retry()
    assert world.judged()[ANNA] == ["a1", "a2", "m1", "m2"]


def test_what_nobody_can_decode_goes_to_the_quarantine(world: TallyWorld) -> None:
    """Raw as found, with where it was found; its client goes on, and it can be listed."""
    good = facts(ANNA, "a1", "a2")
    bad = [
        replace(encode(good[0], EVENTS), value=b"\xff\xfe no JSON"),
        replace(encode(good[0], EVENTS), value=b""),
        replace(encode(good[0], EVENTS), value=b"[1, 2]"),
        replace(encode(good[0], EVENTS), headers=()),
        spoiled(good[0], ce_type=None),
        spoiled(good[0], ce_subject=None),
        spoiled(good[0], ce_organisation=b"\xc3\x28"),
        spoiled(good[0], ce_time=b"0001-01-01T00:00:00+14:00"),
        spoiled(good[0], ce_recordedtime=b"yesterday"),
        spoiled(good[0], ce_dataschema=b"/schemas/session.held/one"),
    ]
    world.publish(good[0], *bad, good[1])
    world.settle()
    assert world.seen(ANNA) == ["a1", "a2"]
    assert states(world.db) == []
    found = list(quarantine.contents(world.stream))
    assert sorted(one.value for one in found) == sorted(one.value for one in bad)
    for record in found:
        assert dict(record.headers)[quarantine.CONSUMER] == NAME.encode()
        place = dict(record.headers)[quarantine.FOUND_AT].decode()
        assert place.startswith(f"{EVENTS}/")
    assert list(quarantine.contents(world.stream)) == found


def test_what_a_newer_release_wrote_waits_for_it(world: TallyWorld) -> None:
    """A type or a version that is not known here is parked, whatever its data."""
    strange = replace(facts(ANNA, "a1")[0].event, type="tea.poured")
    later = replace(facts(BEN, "b1")[0].event, version=9)
    world.publish(
        replace(facts(ANNA, "a1")[0], event=strange), replace(facts(BEN, "b1")[0], event=later)
    )
    world.settle()
    assert [(row.client, row.error) for row in parked_rows(world.db)] == [
        (ANNA, "Unreadable"), (BEN, "Unreadable")
    ]  # fmt: skip
    assert [one.left for one in world.retry()] == [1, 1]
    assert [row.attempts for row in parked_rows(world.db)] == [2, 2]


def test_an_evicted_record_is_left_out_for_ever(world: TallyWorld) -> None:
    """By whom and why is kept; the queue goes on when retried; reading again leaves it out."""
    world.fragile.events.add("a2")
    world.publish(*facts(ANNA, "a1", "a2", "a3"))
    world.settle()
    (queue,) = world.queues()
    assert (world.evict(queue.head), world.evict(queue.head)) == (True, False)
    assert world.seen(ANNA) == ["a1"]
    world.publish(*facts(ANNA, "a1", "a2", "a3", "a4")[3:])
    world.settle()
    (done,) = world.retry()
    assert (done.handled, done.left) == (3, 0)
    assert world.judged()[ANNA] == ["a1", "a3", "a4"]
    (row,) = parked_rows(world.db)
    assert (row.state, row.held, row.evicted_by, row.evicted_because) == (
        "evicted", False, "jo", "wrong"
    )  # fmt: skip
    world.fragile.events.clear()
    world.read_again("tally.v2")
    assert world.judged("tally.v2") == world.judged()
    world.read_again("another.v1")
    assert world.judged("another.v1")[ANNA] == ["a1", "a2", "a3", "a4"]


def test_what_concerns_others_is_not_evicted_for_one(world: TallyWorld) -> None:
    """A fact of many that fails for one client alone cannot be left out: it counts for others."""
    world.publish(*facts(ANNA, "a1"))
    world.settle()
    world.fragile.clients.add(ANNA)
    world.publish(*(replace(of_many("m1"), partition=n)
                    for n in range(world.stream.partitions(EVENTS))))  # fmt: skip
    world.settle()
    (queue, *_) = world.queues()
    with pytest.raises(Refused, match="concerns others"):
        world.evict(queue.head)
    assert {state for _, state in states(world.db)} == {"parked"}


def test_the_consumer_waits_for_a_record_that_is_tried(world: TallyWorld) -> None:
    """Nothing can queue behind the last record while it leaves: a retried queue stays empty."""
    world.fragile.events.add("a1")
    world.publish(*facts(ANNA, "a1"))
    world.settle()
    world.fragile.events.clear()
    pausing = Pausing(world.fragile)
    (queue,) = world.queues()
    trying = threading.Thread(target=lambda: Redrive(world.db, pausing, world.clock).retry(queue))
    trying.start()
    assert pausing.inside.wait(PATIENCE_S)
    world.publish(*facts(ANNA, "a1", "a2")[1:])
    reading = threading.Thread(target=world.settle)
    reading.start()
    reading.join(2.0)
    assert reading.is_alive()
    pausing.go_on.set()
    for thread in (trying, reading):
        thread.join(PATIENCE_S)
    assert parked_rows(world.db) == []
    assert world.judged()[ANNA] == ["a1", "a2"]


def test_a_redrive_beside_the_running_consumer(world: TallyWorld) -> None:
    """Two who retry while the consumer reads the same client's records lose nothing."""
    world.fragile.events.add("a000")
    world.publish(*facts(ANNA, "a000", "a001"))
    world.settle()
    world.fragile.events.clear()
    names = [f"a{n:03}" for n in range(2, 120)]
    stop = threading.Event()
    broken: list[BaseException] = []

    def retrying() -> None:
        try:
            while not stop.is_set():
                world.retry()
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=retrying) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(0, len(names), 10):
        world.publish(*facts(ANNA, *names[start : start + 10]))
        world.settle()
    stop.set()
    for thread in threads:
        thread.join(60)
    world.retry()
    assert broken == []
    assert world.judged()[ANNA] == ["a000", "a001", *names]
    assert parked_rows(world.db) == []
