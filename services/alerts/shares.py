"""How much each recipient is told: of a group once, so many notices a day, the rest in a digest.

Of one therapist's absence somebody is told by one alert, and by another only where that is more
urgent, or comes a week later. A day is one of the clinic's calendar. What is urgent, and
corrections, belong to no day: they are told at once, and take nobody's place.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, bindparam, exists, func, select

from services.alerts.alert import RANKS, URGENT, snooze_end
from services.alerts.decided import Decided
from services.alerts.ledger import (
    COLLECTED,
    GIVEN_UP,
    GROUPED,
    HELD,
    HUSHED,
    LEDGER,
    OF_ITS_STEP,
    PENDING,
    SENT,
    STEPS,
    WEBHOOK,
    Entry,
)
from shared.clock import from_micros, to_micros
from shared.values import frozen

_TOLD: Final = select(func.count()).where(
    LEDGER.c.organisation == bindparam("whose"),
    LEDGER.c.recipient == bindparam("whom"),
    LEDGER.c.day == bindparam("on"),
    LEDGER.c.channel == WEBHOOK,
    LEDGER.c.status.in_((PENDING, SENT, GIVEN_UP)),
    LEDGER.c.message.is_(None),
)


ONCE_IN: Final = timedelta(days=7)
"""domain.md section 5: for so long one notice speaks for its group."""

_LATER: Final = STEPS.alias("later")
_TAKEN_BACK: Final = exists().where(
    _LATER.c.organisation == STEPS.c.organisation,
    _LATER.c.alert == STEPS.c.alert,
    _LATER.c.number > STEPS.c.number,
    _LATER.c.kind == "retracted",
)
_SPEAKING: Final = (
    select(STEPS.c.alert, STEPS.c.decided_at, STEPS.c.body)
    .join_from(LEDGER, STEPS, OF_ITS_STEP)
    .where(
        LEDGER.c.organisation == bindparam("whose"),
        LEDGER.c.recipient == bindparam("whom"),
        LEDGER.c.group_id == bindparam("which"),
        LEDGER.c.channel == WEBHOOK,
        LEDGER.c.status.in_((PENDING, SENT, HELD, COLLECTED)),
        ~_TAKEN_BACK,
    )
    .order_by(STEPS.c.decided_at, STEPS.c.effective_at, STEPS.c.rule, STEPS.c.alert)
)


@frozen
class _Speaking:
    """A notice that speaks for its group."""

    alert: str
    decided_at: datetime
    urgency: str

    def for_(self, step: Decided) -> bool:
        """Return whether somebody who has it need not be told of a step of the group as well."""
        return (
            self.alert != step.alert
            and RANKS[self.urgency] >= RANKS[step.body["urgency"]]
            and step.decided_at - self.decided_at < ONCE_IN
        )


class Shares:
    """Counts, within one transaction, what recipients are told."""

    def __init__(self, db: Connection) -> None:
        """Count nothing yet."""
        self._db = db
        self._counted: dict[tuple[str, str, str], int] = {}
        self._speaking: dict[tuple[str, str, str], list[_Speaking]] = {}

    def entry(self, step: Decided, recipient: str) -> Entry:
        """Return whether somebody is told of a step at once, in a digest, by another, or not."""
        group = step.body.get("group")
        if step.muted:
            return Entry(HUSHED, group=group)
        if group is None:
            return self._entry(step, recipient)
        speaking = self._speaking_for((step.subject.organisation, recipient, group))
        said = next((one for one in speaking if one.for_(step)), None)
        if said is not None:
            return Entry(GROUPED, group=group, under=said.alert)
        speaking.append(_Speaking(step.alert, step.decided_at, step.body["urgency"]))
        return replace(self._entry(step, recipient), group=group)

    def _entry(self, step: Decided, recipient: str) -> Entry:
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
            asked = dict(zip(("whose", "whom", "on"), place, strict=True))
            self._counted[place] = self._db.execute(_TOLD, asked).scalar_one()
        return self._counted[place]

    def _speaking_for(self, place: tuple[str, str, str]) -> list[_Speaking]:
        if place not in self._speaking:
            asked = dict(zip(("whose", "whom", "which"), place, strict=True))
            self._speaking[place] = [
                _Speaking(
                    row.alert, from_micros(row.decided_at), orjson.loads(row.body)["urgency"]
                )
                for row in self._db.execute(_SPEAKING, asked)
            ]
        return self._speaking[place]


def day_of(moment: datetime, zone: str) -> date:
    """Return the date that a moment has in a clinic's zone."""
    return moment.astimezone(ZoneInfo(zone)).date()
