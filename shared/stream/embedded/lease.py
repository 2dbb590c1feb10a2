"""The lease of a group: its holder owns all partitions until it lets it expire."""

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from shared.clock import EPOCH, Clock, to_micros
from shared.errors import DatabaseUnavailable
from shared.storage.engine import Database, upsert
from shared.stream.embedded.tables import LEASES

NOBODY: Final = ""

# Every poll asks; making a question costs more than asking it.
_OF_GROUP: Final = select(LEASES).where(LEASES.c.group == bindparam("whose"))


class Lease:
    """One consumer's claim on its group."""

    def __init__(self, database: Database, group: str, clock: Clock, length_s: float) -> None:
        """Claim nothing yet.

        Args:
            database: Should give up soon on a locked file: a renewal can wait for the next poll.
            group: The group.
            clock: Decides about expiry; all that share a group share its time.
            length_s: After how many seconds without renewal another may take over.
        """
        self._database = database
        self._group = group
        self._clock = clock
        self._length = timedelta(seconds=length_s)
        self._me = uuid.uuid4().hex
        self._until = EPOCH

    def held(self) -> bool:
        """Return whether it is held now; nobody else can hold it before it has expired.

        After the clock was set back it is held no longer: others have seen through it as well.
        """
        return self._until - self._length <= self._clock.now() < self._until

    def hold(self) -> bool:
        """Take or renew it where that is possible; return whether it was taken anew.

        Taken anew means that another may have held it meanwhile: nothing remembered from before
        counts. A renewal is due at half its length, so that one missed renewal is harmless.

        Raises:
            DatabaseUnavailable: when the file cannot be written and the lease has expired.
        """
        if self.held() and self._clock.now() < self._until - self._length / 2:
            return False
        try:
            return self._claim()
        except DatabaseUnavailable:
            if self.held():
                return False
            raise

    def release(self) -> None:
        """Give it up, so that another need not wait for its expiry."""
        self._until = EPOCH
        mine = (LEASES.c.group == self._group) & (LEASES.c.holder == self._me)
        with self._database.write() as db:
            db.execute(update(LEASES).where(mine).values(holder=NOBODY, expires_at=0))

    def _claim(self) -> bool:
        # Whoever only stands by reads, and leaves the file's one write lock to the others.
        now = self._clock.now()
        with self._database.read() as db:
            free = self._holder(db, now) in {NOBODY, self._me}
        if free:
            with self._database.write() as db:
                holder = self._holder(db, now)
                if holder in {NOBODY, self._me}:
                    self._until = now + self._length
                    row = {"holder": self._me, "expires_at": to_micros(self._until)}
                    upsert(db, LEASES, ["group"], {"group": self._group, **row})
                    return holder != self._me
        self._until = EPOCH
        return False

    def _holder(self, db: Connection, now: datetime) -> str:
        """Return who holds it: ourselves even after expiry, as nobody else took it since.

        An end that is further off than twice the length was set by a clock that was wrong since:
        whoever set it may be dead, and nobody waits for hours. One that is a little further off
        than the length was set by another after we had looked at our clock.
        """
        row = db.execute(_OF_GROUP, {"whose": self._group}).one_or_none()
        if row is None:
            return NOBODY
        holder: str = row.holder
        lasts = to_micros(now) < row.expires_at <= to_micros(now + 2 * self._length)
        return holder if lasts or holder == self._me else NOBODY
