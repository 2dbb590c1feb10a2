"""How much each recipient is told on a day: so many notices, and the rest in one digest.

A day is one of the clinic's calendar. What is urgent, and corrections, belong to no day: they are
told at once, and take nobody's place.
"""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from services.alerts.alert import URGENT, snooze_end
from services.alerts.decided import Decided
from services.alerts.ledger import GIVEN_UP, HELD, LEDGER, PENDING, SENT, WEBHOOK, Entry
from shared.clock import to_micros

LOCK: Final = 0x5241_5003
"""Names the advisory locks of PostgreSQL that are taken here (``RAP`` in ASCII, then 3)."""

_TOLD: Final = select(func.count()).where(
    LEDGER.c.organisation == bindparam("whose"),
    LEDGER.c.recipient == bindparam("whom"),
    LEDGER.c.day == bindparam("on"),
    LEDGER.c.channel == WEBHOOK,
    LEDGER.c.status.in_((PENDING, SENT, GIVEN_UP)),
    LEDGER.c.message.is_(None),
)


class Shares:
    """Counts, within one transaction, what recipients are told on their days."""

    def __init__(self, db: Connection) -> None:
        """Count nothing yet."""
        self._db = db
        self._counted: dict[tuple[str, str, str], int] = {}
        self._alone: set[str] = set()

    def entry(self, step: Decided, recipient: str) -> Entry:
        """Return whether somebody is told of a step at once, or in the day's digest."""
        if step.body["urgency"] == URGENT:
            return Entry(PENDING)
        zone, cap = step.subject.zone, step.terms.daily_cap
        day = day_of(step.decided_at, zone)
        place = (step.subject.organisation, recipient, day.isoformat())
        if self._count(place) >= cap:
            return Entry(HELD, day.isoformat(), to_micros(snooze_end(day, zone)))
        self._counted[place] += 1
        return Entry(PENDING, day.isoformat())

    def _count(self, place: tuple[str, str, str]) -> int:
        if place not in self._counted:
            self._wait_for(place[0])
            asked = dict(zip(("whose", "whom", "on"), place, strict=True))
            self._counted[place] = self._db.execute(_TOLD, asked).scalar_one()
        return self._counted[place]

    def _wait_for(self, organisation: str) -> None:
        """Let nobody else count for an organisation meanwhile; SQLite has one writer anyway."""
        if self._db.dialect.name == "postgresql" and organisation not in self._alone:
            self._db.execute(select(func.pg_advisory_xact_lock(LOCK, number(organisation))))
            self._alone.add(organisation)


def day_of(moment: datetime, zone: str) -> date:
    """Return the date that a moment has in a clinic's zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def number(organisation: str) -> int:
    """Return the number of an organisation's lock; two that share one only wait more often."""
    return int.from_bytes(organisation.encode()[-4:], signed=True)
