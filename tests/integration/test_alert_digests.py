"""So many notices a day, and the rest in one digest when the day is over in the clinic's zone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.alerts import digests
from services.alerts.ledger import LEDGER, UNDELIVERABLE
from services.alerts.outbox import untold
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alert_rules import Cancelled, Mild
from tests.support.alerting import AlertsWorld, cancellations
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.receiver import Receiver, a_receiver

DIGEST = "rapport.alert.digest"
OPENED = "rapport.alert.opened"
CAP = 5
BOSS = "th_boss"


RULES = (Cancelled(), Mild())


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=RULES)
        made.arm()
        yield made
        made.close()


def an_alert(client: int, at: datetime, **stated: Any) -> Envelope:
    """Return what opens an alert of a client at attention: each of another therapist's absence."""
    who = {"client": f"cl_{client}", "therapist": f"th_{client}"}
    return an.a_session_cancelled(
        f"x{client}", at=at, by="therapist", recorded_at=at, **who, **stated
    )


def alerts(world: AlertsWorld, count: int, at: datetime, first: int = 0) -> list[Envelope]:
    """Open alerts of so many clients, a minute apart; return what opened them."""
    made = [an_alert(first + n, at + n * timedelta(minutes=1)) for n in range(count)]
    world.tell(*made)
    return made


def got(world: AlertsWorld, receiver: Receiver) -> list[dict[str, Any]]:
    """Return the bodies of everything that reached the receiver."""
    world.deliver()
    return [message.body for message in receiver.messages]


def kinds(bodies: list[dict[str, Any]]) -> list[str]:
    """Return the types of messages."""
    return [body["type"] for body in bodies]


def alert_of(world: AlertsWorld, client: int) -> str:
    """Return the alert of a client."""
    (found,) = [one["id"] for one in world.shown() if one["client"] == f"cl_{client}"]
    return str(found)


def statuses(world: AlertsWorld) -> list[str]:
    """Return what became of telling recipients, messages of many alerts aside."""
    return sorted(status for step, status in world.told() if step != "digest")


def test_as_many_as_the_cap_are_told_at_once(world: AlertsWorld, receiver: Receiver) -> None:
    """Exactly at the cap nothing is held, and no digest follows."""
    world.a_recipient("boss", receiver.url)
    alerts(world, CAP, an.on(1))
    assert kinds(got(world, receiver)) == [OPENED] * CAP
    world.live(2)
    assert kinds(got(world, receiver)) == [OPENED] * CAP


def test_one_more_comes_in_the_digest_of_its_day(world: AlertsWorld, receiver: Receiver) -> None:
    """The sixth of a day waits until the day is over, and is then told once, by its id."""
    world.a_recipient("boss", receiver.url)
    alerts(world, CAP + 1, an.on(1))
    assert kinds(got(world, receiver)) == [OPENED] * CAP
    world.clock.set(an.on(1, 23, 45))
    world.tick()
    world.tick()
    assert kinds(got(world, receiver)) == [OPENED] * CAP
    world.tick(0.25)
    world.tick(0.25)
    told = got(world, receiver)
    assert kinds(told) == [OPENED] * CAP + [DIGEST]
    day = an.on(1).date().isoformat()
    assert told[-1]["data"] == {"day": day, "alerts": [alert_of(world, CAP)]}
    assert statuses(world) == ["sent"] * (CAP + 1)
    world.live(2)
    assert len(got(world, receiver)) == CAP + 1


@pytest.mark.parametrize("composed", [False, True])
def test_a_digest_names_nobody_who_wants_no_alerts(
    world: AlertsWorld, receiver: Receiver, composed: bool
) -> None:
    """Who withdrew consent to alerts before it went out is not named; the others are."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    alerts(world, 2, an.on(1))
    if composed:
        world.live(1)
    at = world.clock.now()
    world.tell(replace(an.a_consent("withdrawn", at, "alerts", client="cl_0"), recorded_at=at))
    world.live(2)
    (told,) = got(world, receiver)
    assert told["data"]["alerts"] == [alert_of(world, 1)]


def test_the_next_day_has_its_own_share(world: AlertsWorld, receiver: Receiver) -> None:
    """What was told yesterday takes nobody's place today."""
    world.a_recipient("boss", receiver.url)
    alerts(world, CAP, an.on(1))
    alerts(world, CAP, an.on(2), first=CAP)
    assert kinds(got(world, receiver)) == [OPENED] * 2 * CAP


def test_each_recipient_has_a_share_of_their_own(world: AlertsWorld, receiver: Receiver) -> None:
    """Two recipients are each told as many, and each has a digest of their own."""
    world.deliver_by(daily_cap=1)
    for name in ("one", "two"):
        world.a_recipient(name, f"{receiver.url}/{name}")
    alerts(world, 2, an.on(1))
    world.live(2)
    bodies = got(world, receiver)
    assert sorted(kinds(bodies)) == [DIGEST] * 2 + [OPENED] * 2
    paths = [one.path for one in receiver.messages if one.body["type"] == DIGEST]
    assert sorted(paths) == ["/hook/one", "/hook/two"]
    ids = {one.id for one in receiver.messages if one.body["type"] == DIGEST}
    assert len(ids) == 2


def test_a_clinic_sets_its_own(world: AlertsWorld, receiver: Receiver) -> None:
    """With a cap of nothing everything comes in the digest, at the clinic that wished so."""
    world.arm(clinic="oak")
    world.deliver_by(clinic="oak", daily_cap=0)
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(1), clinic="oak"), an_alert(2, an.on(1)))
    (told,) = got(world, receiver)
    assert told["data"]["alert"] == alert_of(world, 2)
    world.live(2)
    assert got(world, receiver)[-1]["data"]["alerts"] == [alert_of(world, 1)]


def test_what_is_urgent_is_told_at_once_all_the_same(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Beyond the cap too; what was held of the same alert is not told again by the digest."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    assert got(world, receiver) == []
    world.tell(*cancellations(2, first=1.1))
    (told,) = got(world, receiver)
    assert (told["type"], told["data"]["urgency"]) == ("rapport.alert.escalated", "urgent")
    world.live(2)
    assert len(got(world, receiver)) == 1
    assert statuses(world) == ["covered", "sent"]


def test_what_is_urgent_takes_no_place(world: AlertsWorld, receiver: Receiver) -> None:
    """Five that are not urgent are told on a day, however many urgent ones are."""
    world.a_recipient("boss", receiver.url)
    world.tell(*(an.a_session_cancelled(f"u{n}", at=an.on(1, 9, n), by="therapist",
                                        recorded_at=an.on(1, 10)) for n in range(3)))  # fmt: skip
    alerts(world, CAP, an.on(1, 11))
    assert kinds(got(world, receiver)) == [OPENED] * (CAP + 1)


def test_a_correction_is_told_at_once_all_the_same(world: AlertsWorld, receiver: Receiver) -> None:
    """Whoever was told learns that it was wrong, though the day's share is used up."""
    world.deliver_by(daily_cap=1)
    world.a_recipient("boss", receiver.url)
    (first, _) = alerts(world, 2, an.on(1))
    world.deliver()
    world.tell(an.a_retraction(first, at=an.on(1, 11), recorded_at=an.on(1, 11)))
    assert kinds(got(world, receiver)) == [OPENED, "rapport.alert.retracted"]


def test_what_is_taken_back_frees_nothing_that_was_sent(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A notice that went out counts though it was taken back; one that did not, does not."""
    world.deliver_by(daily_cap=1)
    world.a_recipient("boss", receiver.url)
    (first,) = alerts(world, 1, an.on(1))
    world.deliver()
    world.tell(an.a_retraction(first, at=an.on(1, 11), recorded_at=an.on(1, 11)))
    alerts(world, 1, an.on(1, 12), first=1)
    assert kinds(got(world, receiver)) == [OPENED, "rapport.alert.retracted"]
    (third,) = alerts(world, 1, an.on(2), first=2)
    world.tell(an.a_retraction(third, at=an.on(2, 11), recorded_at=an.on(2, 11)))
    alerts(world, 1, an.on(2, 12), first=3)
    (told,) = got(world, receiver)[2:]
    assert told["data"]["alert"] == alert_of(world, 3)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (datetime(2026, 3, 28, 23, 59, tzinfo=UTC), datetime(2026, 3, 29, 0, 0, tzinfo=UTC)),
        (datetime(2026, 3, 29, 22, 59, tzinfo=UTC), datetime(2026, 3, 29, 23, 0, tzinfo=UTC)),
        (datetime(2026, 6, 9, 22, 59, tzinfo=UTC), datetime(2026, 6, 9, 23, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 23, 59, tzinfo=UTC), datetime(2026, 10, 26, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_day_is_one_of_the_clinics_calendar(
    world: AlertsWorld, receiver: Receiver, before: datetime, after: datetime
) -> None:
    """The last minute of London's day has yesterday's share, the first of the next its own."""
    world.deliver_by(daily_cap=1)
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, before - timedelta(hours=2)), an_alert(2, before))
    assert len(got(world, receiver)) == 1
    world.tell(an_alert(3, after))
    assert len(got(world, receiver)) == 2
    world.live(1)
    digest = got(world, receiver)[-1]
    assert digest["type"] == DIGEST
    assert digest["data"]["alerts"] == [alert_of(world, 2)]
    assert digest["timestamp"] >= after.isoformat()[:16]


def test_what_is_taken_back_before_the_digest_is_not_named(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A held alert that proves wrong is told to nobody; the digest names the rest."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.tell(an.a_retraction(wrong, at=an.on(1, 12), recorded_at=an.on(1, 12)))
    world.live(2)
    (digest,) = got(world, receiver)
    assert digest["data"]["alerts"] == [alert_of(world, 1)]


def test_what_is_taken_back_before_it_is_tried_is_taken_out(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A digest that nobody has tried to send says the rest, under another id."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.live(2)
    at = world.clock.now()
    world.tell(an.a_retraction(wrong, at=at, recorded_at=at))
    (digest,) = got(world, receiver)
    assert digest["data"]["alerts"] == [alert_of(world, 1)]
    assert sorted(status for _, status in world.told()) == [
        "cancelled", "cancelled", "sent", "sent"
    ]  # fmt: skip


def test_who_was_told_by_a_digest_learns_that_it_was_wrong(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Once it was tried it may have been read: the correction follows it, and never overtakes."""
    receiver.mood = "failing"
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.live(2)
    tried = len(got(world, receiver))
    at = world.clock.now()
    world.tell(an.a_retraction(wrong, at=at, recorded_at=at))
    receiver.mood = "fine"
    assert len(got(world, receiver)) == tried
    world.tick(0.25)
    first, second = got(world, receiver)[tried:]
    assert (first["type"], second["type"]) == (DIGEST, "rapport.alert.retracted")
    assert second["data"]["alert"] in first["data"]["alerts"]


def test_nobody_reads_in_a_digest_of_what_concerns_them(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What turns out to concern its reader is left out, and whoever stands in is told of it."""
    world.deliver_by(daily_cap=0)
    with a_receiver() as board:
        world.a_recipient("boss", receiver.url, person=BOSS)
        world.a_recipient("board", board.url, role="governance")
        noted = an.a_boundary_noted(at=an.on(1))
        world.tell(noted)
        alerts(world, 1, an.on(1, 11))
        world.tell(an.a_correction(noted, concerns=BOSS, at=an.on(1, 12)))
        world.live(2)
        (digest,) = got(world, receiver)
        assert digest["data"]["alerts"] == [alert_of(world, 0)]
        told = [one.body for one in board.messages]
        assert kinds(told) == [OPENED]
        assert told[0]["data"]["alert"] == world.the_alert("test-matter")["id"]


@pytest.mark.parametrize("tried", [False, True])
def test_it_is_looked_at_again_when_the_digest_goes_out(
    world: AlertsWorld, receiver: Receiver, tried: bool
) -> None:
    """A digest that names what has come to concern its reader is not sent, but the rest is."""
    receiver.mood = "failing"
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url, person=BOSS)
    noted = an.a_boundary_noted(at=an.on(1))
    world.tell(noted)
    alerts(world, 1, an.on(1, 11))
    world.live(2)
    if tried:
        world.deliver()
    before = len(receiver.messages)
    at = world.clock.now()
    world.tell(an.a_correction(noted, concerns=BOSS, at=at, recorded_at=at))
    receiver.mood = "fine"
    world.tick(0.25)
    (digest,) = got(world, receiver)[before:]
    assert digest["data"]["alerts"] == [alert_of(world, 0)]
    with world.db.read() as db:
        assert untold(db, world.organisation)[UNDELIVERABLE] == 1


def test_a_summary_of_history_is_looked_at_again_too(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What a summary names and has come to concern its reader is left out of it."""
    world.clock.set(an.on(17))
    world.a_recipient("boss", receiver.url, person=BOSS)
    noted = an.a_boundary_noted(recorded_at=an.on(17), backfill=True)
    late = replace(an_alert(1, an.on(1)), recorded_at=an.on(17))
    world.tell(noted, late)
    world.live(2)
    at = world.clock.now()
    world.tell(an.a_correction(noted, concerns=BOSS, at=at, recorded_at=at))
    (summary,) = got(world, receiver)
    assert summary["type"] == "rapport.alert.summary"
    assert summary["data"]["alerts"] == [alert_of(world, 1)]


def test_a_digest_for_somebody_who_is_gone_is_given_up(world: AlertsWorld) -> None:
    """What it named is given up with it: nothing waits for ever."""
    world.deliver_by(daily_cap=0)
    boss = world.a_recipient("boss")
    alerts(world, 1, an.on(1))
    world.live(2)
    world.office.recipients.remove(world.organisation, boss)
    world.deliver()
    assert [status for _, status in world.told()] == ["given_up", "given_up"]


def test_reading_again_tells_nothing(world: AlertsWorld, receiver: Receiver) -> None:
    """The stream read anew, what was held, and what was told in digests, stays as it was."""
    world.deliver_by(daily_cap=1)
    world.a_recipient("boss", receiver.url)
    alerts(world, 3, an.on(1))
    world.live(2)
    alerts(world, 3, an.on(4), first=3)
    told, before = len(got(world, receiver)), world.ledger()
    world.begun_again(batch_limit=1)
    world.settle()
    world.tick()
    assert world.ledger() == before
    assert len(got(world, receiver)) == told
    world.live(2)
    assert len(got(world, receiver)) == told + 1


def test_two_who_compose_write_one_digest(world: AlertsWorld) -> None:
    """Whoever dies before the end has written nothing; the next writes the same, once."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss")
    alerts(world, 2, an.on(1))
    names: list[set[str]] = []
    for keeps in (False, True, True):
        with world.db.write() as db:
            digests.compose(db, an.on(3))
            names.append({row.alert for row in db.execute(_digests())})
            if not keeps:
                db.rollback()
    first, second, third = names
    assert len(first) == 1
    assert first == second == third


def _digests() -> Any:
    return select(LEDGER.c.alert).where(LEDGER.c.step == "digest")


def test_a_day_in_two_zones_is_over_where_it_ends_last(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Whoever reads for clinics in two zones has one digest for both."""
    far = an.a_clinic_configured("far", sends=["sessions"], timezone="America/New_York")
    world.tell(replace(far, recorded_at=an.on(0)))
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(1, 20)), an_alert(2, an.on(1, 20), clinic="far"))
    world.clock.set(an.on(2, 1))
    world.tick()
    world.tick(0.02)
    assert got(world, receiver) == []
    world.live(1)
    (digest,) = got(world, receiver)
    assert len(digest["data"]["alerts"]) == 2


def test_an_alert_says_what_became_of_telling_it(world: AlertsWorld, receiver: Receiver) -> None:
    """Held, then sent in its digest; that changes the whole tag, and puts no action off."""
    world.deliver_by(daily_cap=0)
    boss = world.a_recipient("boss", receiver.url)
    alerts(world, 1, an.on(1))
    path, key = f"/v1/alerts/{alert_of(world, 0)}", world.a_key("read", "act")
    before = world.get(path, key)
    assert before.json is not None
    (held,) = before.json["deliveries"]
    day = an.on(1).date().isoformat()
    assert (held["recipient"], held["status"], held["day"]) == (boss, "held", day)
    world.live(2)
    world.deliver()
    after = world.get(path, key | {"If-None-Match": before.headers["ETag"]})
    assert after.json is not None
    (sent,) = after.json["deliveries"]
    assert (sent["status"], sent["message"], sent["day"]) == ("sent", "digest", day)
    done = world.post(f"{path}/acknowledge", {}, key | {"If-Match": before.headers["ETag"]})
    assert done.status_code == 202
