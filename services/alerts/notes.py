"""Short notes on alerts, by which people organise the work. Kept, sealed, erasable.

A note is the one free text that Rapport takes, so it goes nowhere: it is on no topic, in no log,
metric or address, and lies sealed in a table of its own. Who may see the alert may read it, and
erase it; then nothing is left of it but what a backup holds. It is no place for anything that was
said in a session.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    exists,
    func,
    select,
)

from shared.clock import Clock, format_time, from_micros, to_micros
from shared.errors import RapportError
from shared.ids import opaque_id
from shared.storage.engine import insert
from shared.storage.kept import ID, KEPT
from shared.storage.sealing import Sealer

LENGTH_LIMIT: Final = 280
"""Own: room for who does what until when, and for no story."""

PER_ALERT: Final = 50
"""Own: more than people who organise something need; then they talk."""

_REFUSED: Final = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffd-\uffff"
PATTERN: Final = rf"^[^\s{_REFUSED}][^{_REFUSED}]*(?!\n)$"
"""One line that begins with something to read; nothing that steers a terminal, or turns a line
around. The last group is for Python, whose ``$`` stands before a line's end as well."""

NOTES = Table(
    "alert_notes",
    KEPT,
    Column("organisation", ID, nullable=False),
    Column("alert", String(36), nullable=False),
    Column("id", ID, nullable=False),
    Column("author", ID, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),
    PrimaryKeyConstraint("organisation", "alert", "id"),
)
"""Of no generation, as the ledger: an alert keeps its id, whatever it is rebuilt from."""


class TooManyNotes(RapportError):
    """This alert has as many notes as one may have; erase one that is done with first."""


class Notes:
    """Writes and reads notes, in transactions of whoever knows who may see the alert."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        """Take what seals them, and what says when they were written."""
        self._sealer = sealer
        self._clock = clock

    def of(self, db: Connection, organisation: str, alert: str) -> list[dict[str, Any]]:
        """Return the notes on an alert, the oldest first.

        Raises:
            SealBroken: when one does not open.
        """
        asked = (
            select(NOTES)
            .where(NOTES.c.organisation == organisation, NOTES.c.alert == alert)
            .order_by(NOTES.c.written_at, NOTES.c.id)
        )
        return [
            {
                "id": row.id,
                "by": row.author,
                "at": format_time(from_micros(row.written_at)),
                "text": self._opened(organisation, alert, row.id, row.sealed),
            }
            for row in db.execute(asked)
        ]

    def write(
        self, db: Connection, organisation: str, alert: str, by: str, text: str
    ) -> dict[str, Any]:
        """Keep a note; return it as it is shown.

        Args:
            db: The transaction that saw whether ``by`` may see the alert.
            organisation: Whose alert.
            alert: Its id.
            by: Opaque reference of the person, or of the key where it belongs to nobody.
            text: What ``is_short`` takes.

        Raises:
            TooManyNotes: when the alert has as many as it may have.
        """
        asked = select(func.count(), func.max(NOTES.c.written_at)).where(
            NOTES.c.organisation == organisation, NOTES.c.alert == alert
        )
        many, latest = db.execute(asked).one()
        if many >= PER_ALERT:
            raise TooManyNotes
        note = opaque_id("no")
        # Two of one moment are still one after the other.
        at = max(to_micros(self._clock.now()), (latest or 0) + 1)
        row = {
            "organisation": organisation,
            "alert": alert,
            "id": note,
            "author": by,
            "written_at": at,
            "sealed": self._sealer.seal(text.encode(), _context(organisation, alert, note)),
        }
        insert(db, NOTES, [row])
        return {"id": note, "by": by, "at": format_time(from_micros(at)), "text": text}

    def whole(self, db: Connection, organisation: str, alert: Mapping[str, Any]) -> dict[str, Any]:
        """Return an alert as it is shown by itself: with its notes, and how many there are."""
        notes = self.of(db, organisation, alert["id"])
        return {**alert, **_counts(alert, len(notes)), "notes": notes}

    def verify(self, db: Connection, organisation: str) -> int:
        """Open every note of an organisation; return how many there are.

        Raises:
            SealBroken: when one does not open.
        """
        rows = db.execute(select(NOTES).where(NOTES.c.organisation == organisation)).all()
        for row in rows:
            self._opened(organisation, row.alert, row.id, row.sealed)
        return len(rows)

    def _opened(self, organisation: str, alert: str, note: str, sealed: str) -> str:
        return self._sealer.open(sealed, _context(organisation, alert, note)).decode()


def erase(db: Connection, organisation: str, alert: str, note: str) -> bool:
    """Erase a note; return whether there was one."""
    mine = NOTES.c.organisation == organisation, NOTES.c.alert == alert, NOTES.c.id == note
    return db.execute(NOTES.delete().where(*mine)).rowcount == 1


def counted(
    db: Connection, organisation: str, alerts: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return alerts as a list shows them: with how many comments and notes each has."""
    some = list(alerts)
    many = _how_many(db, organisation, [one["id"] for one in some])
    return [{**one, **_counts(one, many.get(one["id"], 0))} for one in some]


def noted(steps: Table) -> ColumnElement[bool]:
    """Return whether there is a note on the alert of a row."""
    mine = NOTES.c.organisation == steps.c.organisation, NOTES.c.alert == steps.c.alert
    return exists().where(*mine)


def is_short(text: str) -> bool:
    """Return whether a text may be a note: one line of at most ``LENGTH_LIMIT`` characters."""
    return len(text) <= LENGTH_LIMIT and re.match(PATTERN, text) is not None


def _counts(alert: Mapping[str, Any], notes: int) -> dict[str, int]:
    comments = sum(entry["step"] == "commented" for entry in alert["history"])
    return {"comment_count": comments, "note_count": notes}


def _how_many(db: Connection, organisation: str, alerts: Collection[str]) -> dict[str, int]:
    asked = (
        select(NOTES.c.alert, func.count().label("many"))
        .where(NOTES.c.organisation == organisation, NOTES.c.alert.in_(alerts))
        .group_by(NOTES.c.alert)
    )
    return {row.alert: row.many for row in db.execute(asked)}


def _context(organisation: str, alert: str, note: str) -> str:
    """Return the context that a note is sealed under: it opens nowhere else."""
    return json.dumps(["note", organisation, alert, note])
