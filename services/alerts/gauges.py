"""What the metrics say of the alerts as a whole, read from the database now and then."""

from datetime import datetime, timedelta
from typing import Final, get_args

from sqlalchemy import func, select

from services.alerts import outbox
from services.alerts.ledger import UNDELIVERABLE, WITHOUT_RECIPIENT
from services.alerts.rule import Family, Urgency
from services.alerts.tables import shown
from shared import metrics
from shared.storage.engine import Database

EVERY: Final = timedelta(seconds=15)


class Gauges:
    """A worker: keeps the gauges of the alerts service true."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database
        self._read_at: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Read the figures where that is due.

        Raises:
            DatabaseUnavailable: when the database does not answer; step again later.
        """
        if self._read_at is not None and now - self._read_at < EVERY:
            return False
        self._read_at = now
        self.refresh()
        return False

    def refresh(self) -> None:
        """Read the figures now."""
        with self._database.read() as db:
            tables = shown(db)
            inbox = tables.inbox.c
            alive = db.execute(
                select(inbox.family, inbox.urgency, func.count())
                .where(inbox.state == "open", inbox.family != metrics.KEPT_QUIET)
                .group_by(inbox.family, inbox.urgency)
            ).all()
            suspended = db.scalar(select(func.sum(tables.clients.c.suspended)))
            oldest, untold = outbox.oldest(db), outbox.untold(db)
            held_back = outbox.held_back(db)
        found = {(row[0], row[1]): row[2] for row in alive}
        for family in set(get_args(Family)) - {metrics.KEPT_QUIET}:
            for urgency in get_args(Urgency):
                metrics.OPEN_ALERTS.labels(family, urgency).set(found.get((family, urgency), 0))
        metrics.RULES_SUSPENDED.set(int(suspended or 0))
        metrics.OUTBOX_OLDEST.set(oldest.timestamp() if oldest else 0)
        for kind, n in held_back.items():
            metrics.HELD_BACK.labels(kind).set(n)
        metrics.UNDELIVERABLE.set(untold[UNDELIVERABLE])
        metrics.WITHOUT_RECIPIENT.set(untold[WITHOUT_RECIPIENT])

    def close(self) -> None:
        """Do nothing: the database is another's."""
