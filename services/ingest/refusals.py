"""What was refused or ignored lately, so that a sender can be helped: never a value."""

import re
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from shared.clock import Clock, to_micros
from shared.errors import DatabaseUnavailable
from shared.ids import opaque_id
from shared.logs import logger
from shared.storage import kept
from shared.storage.engine import Database

KEPT_PER_SOURCE: Final = 1_000
KEPT_FOR: Final = timedelta(days=30)
"""How many are kept, and for how long (design.md, section 4)."""

PER_REQUEST: Final = 20
"""Faults kept of one request (own): the first ones say what is wrong with the sender."""

PAUSE: Final = timedelta(seconds=1)
"""How often, at most, one process writes for one source (own): a broken sender that sends without
pause must not keep the database busy."""

PATIENCE_MS: Final = 100
"""How long an answer may wait for SQLite's write lock (own); then the refusal is not kept."""

POINTER_LENGTH: Final = 200

NAMED_BY_SENDER: Final = frozenset(
    {"unknown_field", "unknown_item", "unknown_scale", "not_a_name", "attribute"}
)
"""Codes of troubles whose pointer ends in a name that the sender chose."""

_OUR_WORDS = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)

log = logger("ingest")


class Trouble(NamedTuple):
    """One thing that was not taken."""

    outcome: Literal["refused", "ignored"]
    pointer: str
    code: str


class Refusals:
    """Keeps what was refused or ignored: best effort, bounded, safe between threads."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Write nothing yet; ``url`` is the database's."""
        # A door of its own: an answer must not wait as long as other writers may.
        self._db = Database(url, busy_timeout_ms=PATIENCE_MS)
        self._clock = clock
        self._written: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def record(self, organisation: str, source: str, troubles: Iterable[Trouble]) -> None:
        """Keep the first troubles of a request, unless some were kept a moment ago.

        Never fails: an answer must not depend on it.
        """
        rows = [
            {
                "organisation": organisation,
                "source": source,
                "id": opaque_id("ref"),
                "at": to_micros(self._clock.now()),
                "outcome": trouble.outcome,
                "pointer": _without_values(trouble),
                "code": trouble.code,
            }
            for trouble in list(troubles)[:PER_REQUEST]
        ]
        if not rows or not self._due(organisation, source):
            return
        try:
            with self._db.write() as db:
                db.execute(insert(kept.refusals), rows)
                self._trim(db, organisation, source)
        except DatabaseUnavailable:
            log.warning("refusals_not_kept", organisation=organisation, sender=source)

    def close(self) -> None:
        """Close the connections."""
        self._db.close()

    def _due(self, organisation: str, source: str) -> bool:
        now = to_micros(self._clock.now())
        with self._lock:
            last = self._written.get((organisation, source))
            if last is not None and 0 <= now - last < PAUSE // timedelta(microseconds=1):
                return False
            self._written[organisation, source] = now
            return True

    def _trim(self, db: Connection, organisation: str, source: str) -> None:
        columns = kept.refusals.c
        here = (columns.organisation == organisation) & (columns.source == source)
        oldest = to_micros(self._clock.now() - KEPT_FOR)
        surplus = (
            select(columns.id)
            .where(here)
            .order_by(columns.at.desc(), columns.id)
            .offset(KEPT_PER_SOURCE)
        )
        gone = (columns.at < oldest) | columns.id.in_(surplus)
        db.execute(delete(kept.refusals).where(here & gone))


def _without_values(trouble: Trouble) -> str:
    """Return a pointer whose steps are words of ours or numbers; a sender's own become ``*``."""
    steps = [
        step if _OUR_WORDS.fullmatch(step) else "*" for step in trouble.pointer.split("/")[1:]
    ]
    if steps and trouble.code in NAMED_BY_SENDER:
        steps[-1] = "*"
    return "".join(f"/{step}" for step in steps)[:POINTER_LENGTH]
