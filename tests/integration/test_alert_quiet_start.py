"""A clinic may begin quietly: nobody is told for some days, then what there would have been."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts.gauges import Gauges
from services.alerts.ledger import UNDELIVERABLE
from services.alerts.outbox import untold
from services.alerts.told import of_recipient
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alert_rules import Cancelled, Mild
from tests.support.alerting import AlertsWorld, held, sample
from tests.support.databases import DIALECTS, migrated, sqlite_url, url_of
from tests.support.receiver import Receiver

REPORT = "rapport.alert.report"
OPENED = "rapport.alert.opened"
DAYS = 10


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world whose clinic sends its first event on day 1, and starts quietly."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        made.deliver_by(quiet_days=DAYS)
        made.arm()
        made.tell(an.a_session_scheduled("s0", an.on(50), at=an.on(1), recorded_at=an.on(1)))
        made.tick()
        yield made
        made.close()


def an_alert(client: int, at: datetime, **stated: Any) -> Envelope:
    """Return what opens an alert of a client at attention: each of another therapist's absence."""
    who = {"client": f"cl_{client}", "therapist": f"th_{client}"}
    return an.a_session_cancelled(
        f"x{client}-{at:%d%H}", at=at, by="therapist", recorded_at=at, **{**who, **stated}
    )


def got(world: AlertsWorld, receiver: Receiver) -> list[dict[str, Any]]:
    """Return the bodies of everything that reached the receiver."""
    world.deliver()
    return [message.body for message in receiver.messages]


def alert_of(world: AlertsWorld, client: int) -> str:
    """Return the alert of a client."""
    (found,) = [one["id"] for one in world.shown() if one["client"] == f"cl_{client}"]
    return str(found)


def passed(world: AlertsWorld, until: datetime) -> None:
    """Let time pass in ticks up to a moment, and one more."""
    while world.clock.now() < until:
        world.tick(min(0.25, (until - world.clock.now()) / timedelta(days=1)))
    world.tick(0.02)


def test_a_quiet_start_ends_with_a_report(world: AlertsWorld, receiver: Receiver) -> None:
    """Nobody is told for ten days; then how many notices there would have been, and what holds."""
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(3)), an_alert(2, an.on(4)))
    world.tell(*(an_alert(3, an.on(5, 9 + n)) for n in range(3)))
    world.tell(held(6, client="cl_2", therapist="th_2"))
    passed(world, an.on(1, 0) + timedelta(days=DAYS, minutes=-30))
    assert got(world, receiver) == []
    passed(world, an.on(1, 10) + timedelta(days=DAYS, minutes=30))
    passed(world, world.clock.now() + timedelta(minutes=30))
    (told,) = got(world, receiver)
    assert told["type"] == REPORT
    assert told["data"] == {
        "clinic": an.CLINIC,
        "alerts": [alert_of(world, 1), alert_of(world, 3)],
        "would_have_been": {"urgent": 1, "attention": 2},
    }
    world.live(2)
    assert len(got(world, receiver)) == 1


@pytest.mark.parametrize(("minutes", "at_once"), [(-1, 0), (0, 1)])
def test_the_first_moment_after_it_is_told(
    world: AlertsWorld, receiver: Receiver, minutes: int, at_once: int
) -> None:
    """Just before its end it is quiet; from the end on everything is told as it comes."""
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(1) + timedelta(days=DAYS, minutes=minutes)))
    assert len(got(world, receiver)) == at_once


def test_it_begins_with_what_a_clinic_sends(world: AlertsWorld, receiver: Receiver) -> None:
    """Configured long before its systems are connected, it is quiet from their first event on."""
    world.arm(clinic="oak")
    world.clock.set(an.on(30))
    world.tick()
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(30, 12), clinic="oak"), an_alert(2, an.on(30, 12)))
    world.tick(0.02)
    world.tell(an_alert(3, an.on(40, 11), clinic="oak"))
    world.tell(an_alert(4, an.on(40, 13), clinic="oak"))
    told = [one["data"]["alert"] for one in got(world, receiver)]
    assert told == [alert_of(world, 2), alert_of(world, 4)]


def test_what_is_urgent_about_boundaries_is_told_at_once(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Rapport is not a crisis service, but holds no boundary matter or risk back."""
    world.a_recipient("boss", receiver.url)
    at = an.on(3)
    world.tell(an.a_boundary_noted(at=at, recorded_at=at))
    (told,) = got(world, receiver)
    assert told["data"]["urgency"] == "urgent"


def test_without_the_wish_nothing_is_quiet(world: AlertsWorld, receiver: Receiver) -> None:
    """Taken back it ends at once for what is new; the report of what waits comes as announced."""
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(3)))
    world.deliver_by(quiet_days=0)
    world.tell(an_alert(2, an.on(4)))
    (told,) = got(world, receiver)
    assert told["data"]["alert"] == alert_of(world, 2)
    world.live(DAYS)
    assert got(world, receiver)[-1]["data"]["alerts"] == [alert_of(world, 1)]


def test_a_report_names_nothing_that_was_taken_back(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """It counts neither what proved wrong nor what was told by itself since."""
    world.a_recipient("boss", receiver.url)
    wrong = an_alert(1, an.on(3))
    world.tell(wrong, an_alert(2, an.on(4)))
    world.tell(an.a_retraction(wrong, at=an.on(5), recorded_at=an.on(5)))
    world.live(DAYS)
    (told,) = got(world, receiver)
    assert told["data"]["alerts"] == [alert_of(world, 2)]
    assert told["data"]["would_have_been"] == {"urgent": 0, "attention": 1}


def test_whoever_read_the_report_learns_what_was_wrong(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A correction follows to those who were named the alert."""
    world.a_recipient("boss", receiver.url)
    wrong = an_alert(1, an.on(3))
    world.tell(wrong)
    world.live(DAYS)
    assert len(got(world, receiver)) == 1
    at = world.clock.now()
    world.tell(an.a_retraction(wrong, at=at, recorded_at=at))
    assert got(world, receiver)[-1]["type"] == "rapport.alert.retracted"


def test_each_reads_what_is_theirs(tmp_path: Path, receiver: Receiver) -> None:
    """Another clinic's leader has no report, and nobody one of what concerns them."""
    with migrated(sqlite_url(tmp_path)) as db:
        world = AlertsWorld(db, tmp_path, rules=(Cancelled(), Mild()))
        world.deliver_by(quiet_days=DAYS)
        world.arm()
        world.a_recipient("there", receiver.url, clinics=["oak"])
        world.a_recipient("concerned", receiver.url, person="th_1")
        world.tell(
            an.a_boundary_noted(at=an.on(2), concerns="th_1", therapist="th_1", client="cl_1"),
            an_alert(2, an.on(4)),
        )
        world.live(2 * DAYS)
        (told,) = got(world, receiver)
        assert told["data"]["alerts"] == [alert_of(world, 2)]
        assert told["data"]["would_have_been"] == {"urgent": 0, "attention": 1}
        with db.read() as reading:
            assert untold(reading, world.organisation)[UNDELIVERABLE] == 1
        world.close()


def test_what_has_come_to_concern_its_reader_is_left_out(
    tmp_path: Path, receiver: Receiver
) -> None:
    """A report that names it is not sent: another says the rest, and no longer counts."""
    with migrated(sqlite_url(tmp_path)) as db:
        world = AlertsWorld(db, tmp_path, rules=(Cancelled(), Mild()))
        world.deliver_by(quiet_days=DAYS)
        world.arm()
        world.a_recipient("boss", receiver.url, person="th_boss")
        noted = an.a_boundary_noted(at=an.on(2))
        world.tell(noted, an_alert(2, an.on(4)))
        world.live(2 * DAYS)
        at = world.clock.now()
        world.tell(an.a_correction(noted, concerns="th_boss", at=at, recorded_at=at))
        (told,) = got(world, receiver)
        assert told["data"] == {"clinic": an.CLINIC, "alerts": [alert_of(world, 2)]}
        world.close()


def test_what_was_over_at_the_report_and_holds_again_is_told(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """The report counted it and named it to nobody: once it proves to hold, it is news."""
    world.a_recipient("boss", receiver.url)
    ended = held(6, client="cl_1", therapist="th_1")
    world.tell(an_alert(1, an.on(3)), replace(ended, recorded_at=an.on(6)))
    passed(world, an.on(1, 10) + timedelta(days=DAYS + 1))
    assert [one["data"]["alerts"] for one in got(world, receiver)] == [[]]
    at = world.clock.now()
    world.tell(an.a_retraction(ended, at=at, recorded_at=at))
    told = [one["data"].get("alert") for one in got(world, receiver)]
    assert told[1:] == [one["id"] for one in world.shown() if one["rule"] == "test-cancelled"]


def test_what_waits_to_be_told_together_is_counted(world: AlertsWorld) -> None:
    """One for the report, one for the summary, one for another clinic's digest; no matter is."""
    world.a_recipient("boss")
    world.deliver_by("oak", quiet_days=0, daily_cap=1)
    world.arm(clinic="oak")
    world.tell(an_alert(1, an.on(3)), replace(an_alert(2, an.on(-20)), recorded_at=an.on(3)))
    world.tell(*(an_alert(n, an.on(3), clinic="oak") for n in (3, 4)))
    world.tell(an.a_boundary_noted(at=an.on(-20), backfill=True, recorded_at=an.on(3)))
    Gauges(world.db).refresh()
    for until in ("digest", "report", "summary"):
        assert sample("rapport_notices_held_back", until=until) == 1


def test_each_clinic_has_an_end_of_its_own(world: AlertsWorld, receiver: Receiver) -> None:
    """Where one begins later its report comes later."""
    world.arm(clinic="oak")
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(3)), an_alert(2, an.on(6), clinic="oak"))
    world.live(6)
    assert [one["data"]["clinic"] for one in got(world, receiver)] == [an.CLINIC]
    world.live(5)
    assert [one["data"]["clinic"] for one in got(world, receiver)] == [an.CLINIC, "oak"]


def test_history_waits_for_the_end_too(world: AlertsWorld, receiver: Receiver) -> None:
    """A backfill at the start is summed up when the quiet days are over, not a day after it."""
    world.a_recipient("boss", receiver.url)
    world.tell(replace(an_alert(1, an.on(-30)), recorded_at=an.on(2)))
    world.live(DAYS - 2)
    assert got(world, receiver) == []
    world.live(2)
    (told,) = got(world, receiver)
    assert told["type"] == "rapport.alert.summary"


def test_what_was_history_and_rose_is_named_in_one_message(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """The report names it as it stands; no summary tells of its beginning beside that."""
    world.a_recipient("boss", receiver.url)
    long_ago = an_alert(1, an.on(-20))
    world.tell(replace(long_ago, recorded_at=an.on(3)))
    world.tell(*(an_alert(1, an.on(5, 9 + n)) for n in range(2)))
    passed(world, an.on(1, 10) + timedelta(days=DAYS + 2))
    assert [one["type"] for one in got(world, receiver)] == [REPORT]


def test_what_was_quiet_and_rose_in_history_is_named_once_to_each(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Leaders have it in their report; whom only its rise is told to, in their summary."""
    world.deliver_by(quiet_days=3 * DAYS)
    world.tell(an_alert(1, an.on(3)))
    for day in (4, 5):
        world.tell(replace(an_alert(1, an.on(day)), recorded_at=an.on(25)))
    (alert,) = world.shown()
    assert (alert["urgency"], alert["historical"]) == ("urgent", True)
    world.a_recipient("boss", receiver.url)
    board = world.a_recipient("board", role="governance")
    passed(world, an.on(1, 10) + timedelta(days=3 * DAYS + 2))
    assert [(one["type"], one["data"]["alerts"]) for one in got(world, receiver)] == [
        (REPORT, [alert["id"]])
    ]
    with world.db.read() as db:
        kinds = {one["step"] for one in of_recipient(db, world.organisation, board, 10)}
    assert kinds == {"escalated"}


def test_a_report_names_nobody_who_wants_no_alerts(world: AlertsWorld, receiver: Receiver) -> None:
    """Who withdrew consent to alerts meanwhile is in no report, and so in no summary."""
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(3)), an_alert(2, an.on(4)))
    world.tell(replace(an_alert(3, an.on(-20)), recorded_at=an.on(4)))
    for client in ("cl_1", "cl_3"):
        said = an.a_consent("withdrawn", an.on(5), "alerts", client=client)
        world.tell(replace(said, recorded_at=an.on(5)))
    passed(world, an.on(1, 10) + timedelta(days=DAYS + 2))
    (told,) = got(world, receiver)
    assert told["data"]["alerts"] == [alert_of(world, 2)]
    assert told["data"]["would_have_been"] == {"urgent": 0, "attention": 1}


def test_reading_again_tells_nothing(world: AlertsWorld, receiver: Receiver) -> None:
    """The stream read anew, during the quiet days and after them, adds nothing."""
    world.a_recipient("boss", receiver.url)
    world.tell(an_alert(1, an.on(3)))
    for _ in range(2):
        told, before = len(got(world, receiver)), world.ledger()
        world.begun_again(batch_limit=1)
        world.settle()
        world.tick()
        assert (world.ledger(), len(got(world, receiver))) == (before, told)
        world.live(DAYS)
        world.deliver()
    assert len(receiver.messages) == 1
