"""The projections, from records on the stream to answers over HTTP, on both databases."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, text

from services.projections import read_models
from services.projections.projector import CONSUMER
from services.projections.read_model import Batch, Chart
from services.projections.read_models.caseload import Caseload
from shared.envelope import Envelope
from shared.errors import DatabaseUnavailable
from shared.storage import positions
from shared.storage.facts import FOLDED_AT_ONCE, Arrival
from shared.storage.table_sets import FIRST, Catalogue
from shared.stream.codec import encode
from shared.stream.ports import EVENTS
from tests.support import events as an
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.poison import NoTables
from tests.support.projected import PARTITIONS, World, an_alert_step


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    return url_of(request, tmp_path)


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    """Yield a world in which nothing has happened."""
    with migrated(url) as db:
        made = World(db, tmp_path)
        yield made
        made.close()


def a_course() -> list[Envelope]:
    """Return a course of therapy with everything in it, amendments and clinic-wide facts too."""
    held = an.a_session_held("s2", an.on(14))
    return [
        an.a_clinic_configured(),
        an.a_care_event("started", an.on(0), agreed_interval_days=7),
        an.a_session_scheduled("s1", an.on(7)),
        an.a_session_held("s1", an.on(7)),
        an.a_rating(38, at=an.on(7, 11), session="s1"),
        held,
        an.a_correction(held, minutes=None, client_arrival="late"),
        an.a_rating(30, at=an.on(14, 11), session="s2"),
        an.a_session_cancelled("s3", at=an.on(20), by="therapist"),
        an.a_rupture_noted(at=an.on(15)),
        an.a_rupture_repaired(at=an.on(22)),
        an.a_boundary_noted(at=an.on(16), concerns="th_eve"),
        an.a_boundary_assessed(at=an.on(17)),
        an.a_therapist_away("2026-02-02", "2026-02-09", cover=an.COVER),
        an.a_retraction(an.a_session_missed("s9", at=an.on(9))),
    ]


def body(timeline: dict[str, object]) -> bytes:
    """Return the bytes of a timeline that must be equal: all but when it was judged."""
    return orjson.dumps({name: said for name, said in timeline.items() if name != "judged_at"})


def counted(name: str) -> float:
    """Return a counter of the projections."""
    return REGISTRY.get_sample_value(name, {"consumer": CONSUMER}) or 0.0


def rows(world: World) -> int:
    """Return how many rows the read models hold in all."""
    with world.db.read() as db:
        return sum(
            db.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()  # noqa: S608 - ours.
            for model in read_models.of(FIRST)
            for table in model.tables
        )


def stood(world: World) -> Sequence[int]:
    """Return the offsets that the projections have reached."""
    with world.db.read() as db:
        return [at.next_offset for at in positions.all_of(db, CONSUMER).values()]


def test_what_happened_is_on_the_timeline(world: World) -> None:
    """Sessions, ratings, ruptures, boundary events and amendments published are read back."""
    world.tell(*a_course())
    timeline = world.timeline()
    assert [one["state"] for one in timeline["sessions"]] == ["held", "held", "cancelled"]
    assert timeline["sessions"][1]["client_arrival"] == "late"
    assert [one["scores"]["total"]["value"] for one in timeline["ratings"]] == [38, 30]
    assert [one["state"] for one in timeline["ruptures"]] == ["repaired"]
    assert [one["severity"] for one in timeline["boundary_events"]] == [1]
    assert len(timeline["waiting_amendments"]) == 1
    assert timeline["clinic"] == an.CLINIC
    assert timeline["simulated"] is False


def test_a_timeline_is_a_function_of_the_set(world: World, tmp_path: Path) -> None:
    """Shuffled and doubled, in batches of any size, the same facts give the same bytes."""
    course = a_course()
    world.tell(*course)
    first = body(world.timeline())
    for seed in range(3):
        chance = random.Random(seed)
        again = [*course, *chance.choices(course, k=8)]
        chance.shuffle(again)
        other = world.begun_again(tmp_path / str(seed), batch_limit=chance.choice((1, 3, 1_000)))
        other.tell(*again)
        assert body(other.timeline()) == first
        other.close()


def test_the_same_records_again_change_no_row(world: World, tmp_path: Path) -> None:
    """A read model filled twice from the same records holds the same rows."""
    world.tell(*a_course())
    world.alert(an_alert_step(client=world.client()))
    before = rows(world)
    with world.db.write() as db:
        db.execute(positions.positions.update().values(next_offset=0))
    world.runner.close()
    world.runner = world.another_runner()
    world.project()
    assert rows(world) == before
    assert sum(stood(world)) > 0


def test_what_fails_midway_leaves_nothing(world: World) -> None:
    """When the database goes away midway, neither rows nor position of the batch are there."""
    world.tell(an.a_session_held("s1", an.on(7)))
    before, place = rows(world), stood(world)
    world.runner.close()
    world.runner = world.another_runner(more=[Away()])
    with pytest.raises(DatabaseUnavailable):
        world.tell(*a_course())
    assert (rows(world), stood(world)) == (before, place)
    world.runner.close()
    world.runner = world.another_runner()
    world.project()
    assert [one["session"] for one in world.timeline()["sessions"]] == ["s1", "s2", "s3"]


def test_a_second_consumer_is_fenced(world: World) -> None:
    """Who believes to own a partition that another has moved on saves nothing, then goes on."""
    world.tell(an.a_session_held("s1", an.on(7)))
    stale = world.runner
    late = encode(world.placed(an.a_session_held("s2", an.on(14))), EVENTS)
    world.publisher.publish([late], 10.0)
    with world.db.write() as db:
        moved = positions.positions.update().values(
            next_offset=positions.positions.c.next_offset + 1
        )
        db.execute(moved.where(positions.positions.c.next_offset > 0))
    before = rows(world)
    while stale.step(world.clock.now()):
        pass
    assert rows(world) == before
    assert [one["session"] for one in world.timeline()["sessions"]] == ["s1"]


def test_duplicates_conflicts_and_late_events_are_counted(world: World) -> None:
    """The same again, other content under one id, and what came late: counted, one effect."""
    names = [f"rapport_{what}_events_total" for what in ("duplicate", "conflicting", "late")]
    before = [counted(name) for name in names]
    held = an.a_session_held("s1", an.on(7), id="1")
    other = an.a_session_held("s1", an.on(8), id="1")
    late = an.a_rating(30, at=an.on(7), recorded_at=an.on(9))
    backfilled = an.a_rating(31, at=an.on(8), recorded_at=an.on(30), backfill=True)
    world.tell(held, held, other, other, late, backfilled)
    assert [counted(name) - was for name, was in zip(names, before, strict=True)] == [1, 2, 1]
    timeline = world.timeline()
    assert timeline["sessions"][0]["started_at"] == "2026-01-12T10:00:00Z"
    assert [one["contents"] for one in timeline["conflicts"]] == [1]
    assert timeline["conflicts"][0]["event"] == world.placed(held).id


def test_conflicts_come_in_fold_order(world: World) -> None:
    """By rank, source and id, never by opaque ids: those are random."""
    made = [an.a_rating(n, at=an.on(7), id=f"r{n}") for n in range(1, 8)]
    made += [an.a_session_missed("s1", at=an.on(7), id="x")]
    world.tell(*made, *(replace(one, content=f"{one.content}!") for one in made))
    found = [one["event"] for one in world.timeline()["conflicts"]]
    assert found == [world.placed(one).id for one in (made[-1], *made[:-1])]


def test_steps_of_an_alert_in_any_order(world: World) -> None:
    """The newest step wins, whatever the order and however often the steps come."""
    client = world.client()
    world.tell(an.a_session_held("s1", an.on(7)))
    opened = an_alert_step(client=client, at=an.on(20), urgency="attention")
    escalated = an_alert_step(
        step="escalated", client=client, at=an.on(20), number=2, urgency="urgent"
    )
    again = replace(opened, recorded_at=an.on(40))
    world.alert(escalated, opened, again, escalated)
    assert [one["urgency"] for one in world.timeline()["alerts"]] == ["urgent"]


def test_alerts_as_they_were_known(world: World) -> None:
    """Asked what was known at an earlier time, an alert stands as it did then."""
    client = world.client()
    world.tell(an.a_session_held("s1", an.on(7)))
    world.alert(
        an_alert_step(client=client, at=an.on(20)),
        an_alert_step(step="resolved", client=client, at=an.on(30), number=2, state="resolved"),
    )

    def states(query: str) -> list[str]:
        return [one["state"] for one in world.timeline(query=query)["alerts"]]

    assert states("") == ["resolved"]
    assert states("?known_at=2026-01-28T00:00:00Z") == ["open"]
    assert states("?known_at=2026-01-20T00:00:00Z") == []
    assert states("?valid_at=2026-01-20T00:00:00Z") == []


def test_what_was_known_and_what_was_valid(world: World) -> None:
    """Both times of a query leave out what was recorded, or occurred, later."""
    world.tell(
        an.a_session_held("s1", an.on(7)),
        an.a_session_held("s2", an.on(14), recorded_at=an.on(40)),
    )

    def held(query: str) -> list[str]:
        return [one["session"] for one in world.timeline(query=query)["sessions"]]

    assert held("") == ["s1", "s2"]
    assert held("?known_at=2026-02-01T00:00:00%2B01:00") == ["s1"]
    assert held("?valid_at=2026-01-13T00:00:00Z") == ["s1"]
    assert held("?valid_at=2026-01-01T00:00:00Z") == []


def test_the_last_tick_says_until_when_it_was_judged(world: World) -> None:
    """``judged_at`` is the newest tick of the client's partition, and no fact of anybody."""
    ticks = [an.an_event("clock.ticked", an.on(day), {}, client=None) for day in (30, 20)]
    world.tell(an.a_session_held("s1", an.on(7)), *ticks)
    assert world.timeline()["judged_at"] == "2026-02-04T10:00:00Z"


class Away(NoTables):
    """A read model whose database has gone."""

    def apply(self, db: Connection, batch: Batch) -> None:
        """Find nobody there."""
        raise DatabaseUnavailable


def test_what_concerns_many_counts_as_soon_as_it_is_stored(world: World) -> None:
    """Who has read what concerns many reads it again once there is more of it."""
    world.tell(an.a_clinic_configured(), an.a_care_event("started", an.on(0)))
    assert _absences(world) == []
    world.tell(an.a_therapist_away("2026-02-02", "2026-02-09"))
    assert len(_absences(world)) == 1
    assert len(_absences(world)) == 1


def _absences(world: World) -> list[object]:
    return [span for phase in world.timeline()["phases"] for span in phase["away"]]


def test_thousands_of_clients_are_read_a_few_at_a_time(world: World) -> None:
    """What concerns a clinic concerns thousands; their facts at once would fill the memory."""
    many = [f"cl_{number:05}" for number in range(2 * FOLDED_AT_ONCE + 1)]
    with world.db.write() as db:
        pages = [*read_models.of(FIRST).facts.charts(db, world.organisation, many)]
    assert [len(page) for page in pages] == [FOLDED_AT_ONCE, FOLDED_AT_ONCE, 1]
    assert [chart.client for page in pages for chart in page] == many


def test_what_was_seen_folds_nobody(world: World) -> None:
    """That a clinic was seen to send something arms rules; no row of a caseload depends on it."""
    world.tell(an.a_session_held("s1", an.on(7)))
    asked: list[str] = []

    def charts(db: Connection, whose: str, clients: Collection[str]) -> Iterator[list[Chart]]:
        asked.extend(clients)
        yield from read_models.of(FIRST).facts.charts(db, whose, clients)

    clinic = {"clinic": an.CLINIC}
    for type, data in (("feed.seen", {"type": "session.held"}), ("clinic.configured", {})):
        event = an.an_event(type, an.on(8), {**clinic, **data}, client=None, sender="rapport")
        arrivals = [Arrival(one, world.placed(event), b"") for one in range(PARTITIONS)]
        with world.db.write() as db:
            Caseload(Catalogue(FIRST), charts).apply(db, Batch("test", (), (), arrivals))
        assert asked == ([] if type == "feed.seen" else [world.client()])
