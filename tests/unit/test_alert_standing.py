"""Where an alert stands, at the borders: the end of a snooze, and an escalation."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.alerts.alert import Action, snooze_end, standing
from tests.support import events as an

TICK = timedelta(microseconds=1)
DAY = date(2026, 1, 20)


def an_action(
    name: str, at: datetime, by: str = "th_ada", until: date | None = None, word: str | None = None
) -> Action:
    """Return what somebody did, recorded when it was done."""
    return Action(f"alert.{name}", "a1", by, at, at, until, word)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles"])
def test_a_snooze_ends_with_its_last_day_in_the_clinics_zone(zone: str) -> None:
    """Hidden through the last moment of that day there, open from the first of the next."""
    snoozed = an_action("snoozed", an.on(5), until=DAY)
    end = snooze_end(DAY, zone)
    assert end.astimezone(UTC) != datetime(2026, 1, 21, tzinfo=UTC) or zone == "UTC"
    before = standing(None, [snoozed], an.on(1), end - TICK, zone)
    assert (before.state, before.snoozed_until, before.wakes_at) == ("snoozed", DAY, end)
    after = standing(None, [snoozed], an.on(1), end, zone)
    assert (after.state, after.snoozed_until, after.wakes_at) == ("open", None, None)


def test_a_day_of_23_hours_ends_with_its_23rd() -> None:
    """Where the clocks go forward the day is shorter, and so is the snooze."""
    spring = date(2026, 3, 29)
    length = snooze_end(spring, "Europe/Berlin") - snooze_end(
        spring - timedelta(days=1), "Europe/Berlin"
    ).astimezone(UTC)
    assert length == timedelta(hours=23)


def test_an_escalation_ends_what_was_done_before_it() -> None:
    """What was recorded a moment earlier counts no more; at that moment, or after it, it does."""
    escalated_at, until = an.on(8), an.on(9)
    for name, state in (("snoozed", "snoozed"), ("resolved", "resolved")):
        for at, expected in (
            (escalated_at - TICK, "open"),
            (escalated_at, state),
            (escalated_at + TICK, state),
        ):
            done = an_action(name, at, until=DAY if name == "snoozed" else None)
            assert standing(None, [done], escalated_at, until, "UTC").state == expected


def test_the_latest_snooze_counts() -> None:
    """Who snoozes again until an earlier day means it."""
    longer = an_action("snoozed", an.on(5), until=date(2026, 3, 1))
    shorter = an_action("snoozed", an.on(6), until=DAY)
    end = snooze_end(DAY, "UTC")
    assert standing(None, [longer, shorter], an.on(1), end, "UTC").state == "open"
    assert standing(None, [shorter, longer], an.on(1), end, "UTC").state == "snoozed"


def test_what_has_cleared_is_hidden_by_no_snooze() -> None:
    """Resolved is resolved, whatever somebody wished to hide before."""
    snoozed = an_action("snoozed", an.on(5), until=DAY)
    assert standing(an.on(6), [snoozed], an.on(1), an.on(7), "UTC").state == "resolved"


def test_each_acknowledges_for_themselves_and_once() -> None:
    """In the order in which they first did; it closes nothing and outlasts an escalation."""
    done = [
        an_action("acknowledged", an.on(day), by)
        for day, by in ((2, "th_eve"), (3, "th_ada"), (4, "th_eve"))
    ]
    stands = standing(None, done, an.on(8), an.on(9), "UTC")
    assert (stands.state, stands.acknowledged_by) == ("open", ("th_eve", "th_ada"))
