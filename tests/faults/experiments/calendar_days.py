"""Leap day and the changes to and from summer time: working days and deadlines to the minute.

What must come out is counted here once more, by other means than the product's.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.clock import format_time, parse_time
from tests.faults.content import Document
from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.virtual import Moment, lived_by

AROUND: Final = (
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2028, 2, 29)),
    ("America/New_York", date(2027, 3, 14)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
)
"""Where the clock changes by an hour, by half an hour, and a leap day."""

WORKING_DAYS: Final = {2: 5, 3: 2, 4: 0}
"""Severity → working days for the assessment (domain.md, section 5)."""

NOTED: Final = 4
HEARD_EVERY: Final = timedelta(days=3)


@dataclass(frozen=True)
class Noted:
    """A boundary event, and when its assessment falls due."""

    document: Document
    due_at: datetime


def run(world: World) -> Iterable[str]:
    """Note boundary events around each day, and see each deadline come when it must."""
    places = AROUND[:1] if world.short else AROUND
    schedule: list[Moment] = []
    wanted: list[tuple[str, str, str]] = []
    for number, (zone, day) in enumerate(places):
        clinic = f"clinic-{number}"
        noted = [_noted(world.chance, clinic, zone, day, n) for n in range(NOTED)]
        schedule += _schedule(clinic, zone, noted)
        wanted += [(one.document["subject"], *[format_time(one.due_at)] * 2) for one in noted]
    schedule.sort(key=lambda moment: moment.at)
    life = lived_by(world, schedule, world.receiver().url)
    found = [
        (client, effective_at, known_at)
        for client, rule, effective_at, known_at in life.known
        if rule == "boundary-unassessed"
    ]
    for missing in sorted(set(wanted) - set(found)):
        yield f"deadline: {missing} is missing"
    for more in sorted(set(found) - set(wanted)):
        yield f"deadline: {more} is too much"


def _schedule(clinic: str, zone: str, noted: list[Noted]) -> Iterator[Moment]:
    """Yield what is sent of a clinic, and the ticks right before and at each deadline."""
    first = min(parse_time(one.document["time"]) for one in noted)
    at = first - HEARD_EVERY
    while at < max(one.due_at for one in noted):
        # A source that is silent for four days would suspend its deadlines.
        yield Moment(at, (_configured(clinic, zone, at),))
        at += HEARD_EVERY
    for one in noted:
        yield Moment(parse_time(one.document["time"]) + timedelta(minutes=1), (one.document,))
        yield Moment(one.due_at - timedelta(seconds=1))
        yield Moment(one.due_at)


def _noted(chance: random.Random, clinic: str, zone: str, day: date, number: int) -> Noted:
    """Return a boundary event that somebody noted within three days of a day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    at = midnight + timedelta(minutes=chance.randint(-3 * 24 * 60, 2 * 24 * 60))
    severity = chance.choice(sorted(WORKING_DAYS))
    document = {
        "specversion": "1.0",
        "id": f"{clinic}/{number}",
        "source": "urn:calendar",
        "type": "rapport.boundary.noted",
        "time": format_time(at),
        "subject": f"{clinic}-client-{number}",
        "data": {"clinic": clinic, "therapist": "t-1", "boundary_event": f"b-{number}",
                 "area": "time", "about": "therapist", "concerns": "t-1",
                 "reported_by": "supervisor", "severity": severity},
    }  # fmt: skip
    return Noted(document, _due(zone, at, WORKING_DAYS[severity]))


def _due(zone: str, at: datetime, days: int) -> datetime:
    """Return the end of the n-th working day after a moment: found minute by minute.

    The product computes with local dates; this walks through the minutes and looks at the clock
    on the wall.
    """
    minute = at.replace(second=0, microsecond=0)
    wall = minute.astimezone(ZoneInfo(zone))
    left = days
    while True:
        minute += timedelta(minutes=1)
        before, wall = wall, minute.astimezone(ZoneInfo(zone))
        if wall.date() != before.date():
            if left == 0:
                return minute
            left -= wall.weekday() < 5


def _configured(clinic: str, zone: str, at: datetime) -> Document:
    return {
        "specversion": "1.0",
        "id": f"clinic/{clinic}/{format_time(at)}",
        "source": "urn:calendar",
        "type": "rapport.clinic.configured",
        "time": format_time(at),
        "data": {"clinic": clinic, "timezone": zone, "sends": ["boundary"],
                 "working_days": ["mon", "tue", "wed", "thu", "fri"]},
    }  # fmt: skip


EXPERIMENT = Experiment(
    "calendar-days",
    run,
    guards=(
        Guard(
            name="a-day-is-a-day-though-its-clock-changes",
            file="shared/alliance/calendar.py",
            old="        left -= is_working_day(clinic, day)\n"
            "    return day_start(clinic, day + timedelta(days=1))\n",
            new="        left -= is_working_day(clinic, day)\n"
            "    began = day_start(clinic, local_date(clinic, moment))\n"
            "    return began + (day - local_date(clinic, moment) + timedelta(days=1))\n",
            tries=3,
        ),
        Guard(
            name="the-clinic-s-own-zone",
            file="shared/alliance/calendar.py",
            old="    return moment.astimezone(ZoneInfo(clinic.timezone)).date()\n",
            new="    return moment.date()\n",
            tries=3,
        ),
    ),
)
