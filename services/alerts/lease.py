"""Work that one process does at a time, and a number that the next holder goes on from."""

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select

from services.alerts.tables import LEASES
from shared.clock import to_micros
from shared.storage.engine import Database, insert_or_nothing

LENGTH: Final = timedelta(seconds=60)
"""Own: after so long without renewal another takes over. A renewal is due at half of it."""


class Lease:
    """One worker's claim on a name. What it guards must be harmless when done twice."""

    def __init__(self, database: Database, name: str) -> None:
        """Claim nothing yet."""
        self._database = database
        self._name = name
        self._me = uuid.uuid4().hex
        self._until: datetime | None = None
        self.value = 0

    def hold(self, now: datetime) -> bool:
        """Take or renew it where that is possible; return whether it is held.

        Raises:
            DatabaseUnavailable: when a renewal is due and the database does not answer.
        """
        # Earlier than when it was taken means that the clock was set back: ask again.
        if self._until is not None and self._until - LENGTH <= now < self._until - LENGTH / 2:
            return True
        self._until = now + LENGTH if self._claim(now) else None
        return self._until is not None

    def keep(self, value: int) -> None:
        """Leave a number for the next holder."""
        with self._database.write() as db:
            db.execute(
                LEASES.update()
                .where(LEASES.c.name == self._name, LEASES.c.holder == self._me)
                .values(value=value)
            )
        self.value = value

    def release(self) -> None:
        """Give it up, so that another need not wait for its expiry."""
        if self._until is None:
            return
        with self._database.write() as db:
            db.execute(
                LEASES.update()
                .where(LEASES.c.name == self._name, LEASES.c.holder == self._me)
                .values(held_until=0)
            )
        self._until = None

    def _claim(self, now: datetime) -> bool:
        row = {"name": self._name, "holder": "", "held_until": 0, "value": 0}
        with self._database.write() as db:
            db.execute(insert_or_nothing(db, LEASES).values(row))
            taken = db.execute(
                LEASES.update()
                .where(
                    LEASES.c.name == self._name,
                    or_(
                        LEASES.c.holder == self._me,
                        LEASES.c.held_until <= to_micros(now),
                        # Much further off than a lease is long: set by a clock that was wrong.
                        # A little: taken by another while we waited with our present in hand.
                        LEASES.c.held_until > to_micros(now + 2 * LENGTH),
                    ),
                )
                .values(holder=self._me, held_until=to_micros(now + LENGTH))
            )
            if taken.rowcount != 1:
                return False
            self.value = db.execute(
                select(LEASES.c.value).where(LEASES.c.name == self._name)
            ).scalar_one()
        return True
