"""So many notices a day, and the rest in one digest when the day is over in the clinic's zone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.alerts import digests
from services.alerts.ledger import LEDGER
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations
from tests.support.capping import (
    CAP,
    DIGEST,
    OPENED,
    RULES,
    alert_of,
    alerts,
    an_alert,
    got,
    kinds,
    statuses,
)
from tests.support.receiver import Receiver


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    with armed(db, tmp_path, RULES) as made:
        yield made


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
