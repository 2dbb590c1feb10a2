"""Reading clients who were merged: timelines, the caseload, what a bound key may see."""

import random
from contextlib import closing
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from services.projections import read_models
from services.projections.projector import CONSUMER
from shared.alliance.history import fold
from shared.alliance.mergers import mergers, together
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from shared.errors import DatabaseUnavailable
from shared.storage.engine import Database
from shared.storage.table_sets import FIRST
from shared.stream import parking
from shared.stream.codec import decode, key_of
from shared.stream.parking import Entry
from shared.stream.partitioning import partition_of
from shared.stream.ports import EVENTS
from tests.support import events as an
from tests.support.projected import PARTITIONS, World, an_alert_step
from tests.support.rebuilt import rebuilt, rows

ANN, BEN, CAT = "c-ann", "c-ben", "c-cat"
EVE = "th_eve"


def merger(client: str, into: str, day: int = 20, **stated: Any) -> Envelope:
    """Return that a client was merged into another."""
    return an.a_merger(into, an.on(day), client=client, **stated)


def held(session: str, day: int, client: str, **stated: Any) -> Envelope:
    """Return a session of a client."""
    return an.a_session_held(session, an.on(day), client=client, **stated)


def sessions(shown: dict[str, Any]) -> list[str]:
    """Return which sessions a timeline shows."""
    return [one["session"] for one in shown["sessions"]]


def test_both_histories_are_read_where_the_client_goes_on(world: World) -> None:
    """The one timeline holds both, whichever came later; the other says where to look."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN), held("s3", 30, ANN))
    ben, ann = world.timeline(BEN), world.timeline(ANN)
    assert sessions(ben) == ["s1", "s2", "s3"]
    assert sessions(ann) == []
    assert (ann["merged_into"], ben["merged_into"]) == (world.client(BEN), None)
    for shown in (ann, ben):
        [one] = shown["mergers"]
        assert (one["client"], one["into"]) == (world.client(ANN), world.client(BEN))
        assert one["in_effect"]
    assert world.caseload() == [BEN]


def test_a_client_of_whom_nothing_came_is_read(world: World) -> None:
    """Merged into a reference that was never spoken of, a client goes on there."""
    world.tell(held("s1", 1, ANN), merger(ANN, BEN))
    assert sessions(world.timeline(BEN)) == ["s1"]
    assert world.caseload() == [BEN]


def test_a_merger_taken_back_parts_them(world: World) -> None:
    """Both are in the caseload again, each with its own."""
    said = merger(ANN, BEN)
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), said, an.a_retraction(said))
    assert [sessions(world.timeline(one)) for one in (ANN, BEN)] == [["s1"], ["s2"]]
    assert world.timeline(ANN)["merged_into"] is None
    assert sorted(world.caseload()) == [ANN, BEN]


def test_a_corrected_merger_moves_everything(world: World) -> None:
    """What was read at the wrong one is read at the right one, and at neither twice."""
    said = merger(ANN, BEN)
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), held("s3", 3, CAT), said)
    world.tell(an.a_correction(said, into=CAT))
    assert [sessions(world.timeline(one)) for one in (ANN, BEN, CAT)] == [
        [], ["s2"], ["s1", "s3"]
    ]  # fmt: skip
    assert sorted(world.caseload()) == [BEN, CAT]


def test_a_circle_is_shown_and_has_no_effect(world: World) -> None:
    """Everybody in it is read by themselves, and both timelines say why."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN), merger(BEN, ANN))
    for one, session in ((ANN, "s1"), (BEN, "s2")):
        shown = world.timeline(one)
        assert sessions(shown) == [session]
        assert shown["merged_into"] is None
        assert {each["without_effect_because"] for each in shown["mergers"]} == {"circle"}
    assert sorted(world.caseload()) == [ANN, BEN]


def test_time_travel_shows_them_apart(world: World) -> None:
    """Asked what was known, or what held, before the merger, each is read by itself."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN))
    for query in ("?known_at=2026-01-20T00:00:00Z", "?valid_at=2026-01-20T00:00:00Z"):
        assert sessions(world.timeline(ANN, query)) == ["s1"]
        assert sessions(world.timeline(BEN, query)) == ["s2"]


def test_the_page_and_the_drawing_say_so(world: World) -> None:
    """Whoever looks at a merged client is sent to the other; there it says who was merged."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN))
    for form in ("html", "svg"):
        path = f"/v1/clients/{world.client(ANN)}/timeline.{form}"
        assert world.client(BEN) in world.get(path).text
        path = f"/v1/clients/{world.client(BEN)}/timeline.{form}"
        assert world.client(ANN) in world.get(path).text


def test_a_matter_is_hidden_whichever_reference_named_it(world: World) -> None:
    """Noted under one reference, and about whom said under the other, it stays closed to them."""
    noted = an.a_boundary_noted("b1", concerns="th_ada", client=ANN)
    about = an.a_correction(noted, concerns=EVE, client=BEN)
    world.tell(held("s1", 1, ANN), noted, held("s2", 2, BEN), about, merger(ANN, BEN))
    assert len(world.timeline(BEN)["boundary_events"]) == 1
    for person in ("th_ada", EVE):
        hers = world.timeline(BEN, person=person)
        assert (hers["boundary_events"], hers["waiting_amendments"]) == ([], [])
    before = "?known_at=2026-01-20T00:00:00Z"
    assert world.timeline(ANN, before, person=EVE)["boundary_events"] == []


def test_a_key_bound_to_a_clinic_follows_its_client(world: World) -> None:
    """It reads, at the other, what happened in its clinic, and finds the merged one."""
    there = {"clinic": "oak", "therapist": EVE}
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN, **there), merger(ANN, BEN, clinic="oak"))
    elm: dict[str, Any] = {"clinics": [an.CLINIC]}
    assert sessions(world.timeline(BEN, **elm)) == ["s1"]
    assert world.timeline(ANN, **elm)["merged_into"] == world.client(BEN)
    assert world.timeline(ANN, **elm)["mergers"] == []
    assert world.caseload(**elm) == [BEN]
    ash = world.key(clinics=["ash"])
    for one in (ANN, BEN):
        assert world.get(f"/v1/clients/{world.client(one)}/timeline", ash).status_code == 404


def test_alerts_of_a_merged_client_count_where_it_is_read(world: World) -> None:
    """An open alert that names the merged reference is on the other's timeline and in its rank."""
    calm = held("s9", 1, CAT)
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), calm, merger(ANN, BEN))
    world.alert(an_alert_step(client=world.client(ANN), urgency="urgent"))
    assert [one["client"] for one in world.timeline(BEN)["alerts"]] == [world.client(ANN)]
    assert world.timeline(ANN)["alerts"] == []
    assert world.caseload() == [BEN, CAT]


def test_what_concerns_a_clinic_reaches_who_was_merged(world: World) -> None:
    """Leave told in every partition counts at the other, whichever partition its key leads to."""
    for number in range(6):
        world.tell(held("s1", 1, f"c-{number}"), merger(f"c-{number}", f"into-{number}"))
    world.tell(an.a_clinic_configured(timezone="Pacific/Auckland"))
    for number in range(6):
        shown = world.timeline(f"into-{number}")
        assert shown["clinics"][0]["timezone"] == "Pacific/Auckland"


@pytest.mark.parametrize("seed", range(6))
def test_any_order_comes_to_the_same(world: World, seed: int) -> None:
    """However records of several partitions come, and however often, the timelines are equal."""
    chance = random.Random(seed)
    names = [ANN, BEN, CAT, "c-dan", "c-eve"]
    whose = [chance.choice(names) for _ in range(12)]
    told = [held(f"s{day}", day, one, id=f"e{day}") for day, one in enumerate(whose)]
    others = [one for one in names if one != whose[1]]
    told += [held("s1", 1, one, id="e1", recorded_at=an.on(50)) for one in others]
    pairs = [chance.sample(names, 2) for _ in range(4)]
    said = [merger(one, other, 20 + n, id=f"m{n}") for n, (one, other) in enumerate(pairs)]
    told += [*said, an.a_correction(said[0], into=chance.choice(names), id="c1")]
    told += [an.a_retraction(said[1], id="r1")]
    told += chance.sample(told, 5)
    chance.shuffle(told)
    for one in told:
        world.tell(one)
    every = [world.placed(one) for one in told]
    found = mergers(every)
    homes = set()
    for name in names:
        client = world.client(name)
        own = together(every, found, client)
        pure = timeline(fold(world.organisation, client, own))
        shown = world.timeline(name)
        assert shown["merged_into"] == (found.into.get(client) and found.read_at(client))
        for part in ("sessions", "phases", "attendance", "standing", "conflicts"):
            assert orjson.dumps(shown[part]) == orjson.dumps(pure[part]), part
        homes |= {name} if pure["phases"] else set()
    assert set(world.caseload()) == homes


def test_the_caseload_keeps_the_secret_across_references(world: World) -> None:
    """An alert on a matter that the other reference says is about somebody ranks not for them."""
    noted = an.a_boundary_noted("b1", concerns="th_ada", client=ANN)
    about = an.a_correction(noted, concerns=EVE, client=BEN)
    world.tell(held("s1", 5, ANN), noted, held("s2", 6, BEN), about, merger(ANN, BEN))
    world.tell(held("s9", 1, CAT))
    step: dict[str, Any] = {"family": "boundary", "evidence": [world.placed(noted)]}
    world.alert(an_alert_step(client=world.client(ANN), urgency="urgent", **step))
    assert world.caseload(person="th_zoe") == [BEN, CAT]
    assert world.caseload(person=EVE) == [CAT, BEN]


def test_a_place_is_in_the_partition_of_its_client(world: World) -> None:
    """What concerns a clinic finds who was merged there, though nothing of theirs ever came."""
    for number in range(6):
        world.tell(held("s1", 1, f"c-{number}"))
        # The other's partition is read later, as it is when another process reads it.
        for record in world.records(world.placed(merger(f"c-{number}", f"into-{number}"))):
            world.publish([record])
    places = read_models.of(FIRST).caseload.tables[1]
    with world.db.read() as db:
        found = {row.client: row.partition for row in db.execute(select(places))}
    assert found == {
        client: partition_of(key_of(world.organisation, client), PARTITIONS)
        for client in (world.client(f"into-{number}") for number in range(6))
    }


def test_a_rebuild_comes_to_the_same(world: World) -> None:
    """Read again from the beginning, mergers, corrected and taken back, give the same rows."""
    said, back = merger(ANN, BEN), merger("c-dan", CAT, id="back")
    world.tell(held("s1", 1, ANN), an.a_boundary_noted(concerns=EVE, client=BEN), said)
    world.tell(
        held("s2", 2, "c-dan"), back, an.a_correction(said, into=CAT), an.a_retraction(back)
    )
    names = (ANN, BEN, CAT, "c-dan")
    before = [world.timeline(one) for one in names]
    outcome = rebuilt(world)
    assert (outcome.switched, outcome.differences) == (True, [])
    assert rows(world, 1) == rows(world, 2)
    assert [world.timeline(one) for one in names] == before
    world.tell(held("s3", 30, ANN))
    assert sessions(world.timeline(CAT)) == ["s1", "s3"]


def test_of_two_who_fold_tied_clients_one_waits(world: World) -> None:
    """Each would else miss what the other is about to store, and the last to write would win."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN))
    ann, ben = world.client(ANN), world.client(BEN)
    with closing(Database(world.db.url, busy_timeout_ms=100)) as another, world.db.write() as db:
        assert [*read_models.of(FIRST).facts.charts(db, world.organisation, [ann])]
        with pytest.raises(DatabaseUnavailable):
            folded(another, world.organisation, ben)


def folded(database: Database, organisation: str, client: str) -> None:
    """Read a client's chart as who folds it does, and wait for nobody."""
    with database.write() as db:
        if database.dialect == "postgresql":
            db.execute(text("SET LOCAL lock_timeout = '100ms'"))
        assert [*read_models.of(FIRST).facts.charts(db, organisation, [client])]


def test_who_is_held_back_is_said_and_not_folded(world: World) -> None:
    """What waits of one is missing at the other, which says so; who waits keeps their row."""
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), merger(ANN, BEN))
    before = orjson.loads(world.get("/v1/clients").data)["clients"]
    with closing(world.stream.consumer("test", [EVENTS], lambda _: 0)) as reader:
        records = [one for _ in range(20) for one in reader.poll(1_000, 0.01)]
    whose = [one for one in records if decode(one).client == world.client(BEN)]
    who = (world.organisation, world.client(BEN))
    with world.db.write() as db:
        parking.park(db, CONSUMER, [Entry(whose[0], who, "Bug", "")], world.clock.now())
    world.tell(held("s3", 30, ANN))
    after = orjson.loads(world.get("/v1/clients").data)["clients"]
    assert [one["last_held_at"] for one in after] == [one["last_held_at"] for one in before]
    assert [one["parked"] for one in after] == [True]
    assert world.timeline(BEN)["parked"]["records"] == 1
    assert sessions(world.timeline(BEN)) == ["s1", "s2", "s3"]


def test_an_alert_stands_where_it_was_said_last(world: World) -> None:
    """Told of one, then of the other, then of the first again, it is never on both timelines."""
    said = merger(ANN, BEN)
    world.tell(held("s1", 1, ANN), held("s2", 2, BEN), said)
    ann, ben = world.client(ANN), world.client(BEN)
    for number, client in ((1, ann), (2, ben)):
        step = an_alert_step(step="revised", client=client, number=number, at=an.on(21))
        world.alert(step)
    assert [one["client"] for one in world.timeline(BEN)["alerts"]] == [ben]
    world.tell(an.a_retraction(said))
    world.alert(an_alert_step(step="revised", client=ann, number=3, at=an.on(21)))
    assert [one["client"] for one in world.timeline(ANN)["alerts"]] == [ann]
    assert world.timeline(BEN)["alerts"] == []
