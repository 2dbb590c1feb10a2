"""What must hold after every single action, and who has work: cheap, beside the product."""

import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from services.cli.catching_up import ALERTS, TIMELINES, Consumer
from shared.clock import to_micros
from tests.simulation.installation import Installation
from tests.simulation.processes import TICK_EVERY

VERSION: Final = "PRAGMA data_version"
ENDS: Final = "SELECT topic, number, ends FROM partitions"
POSITIONS: Final = "SELECT consumer, topic, partition, next_offset FROM positions"
MICROSECOND: Final = timedelta(microseconds=1)
WRITTEN: Final = "SELECT count(*) FROM ledger_steps"
LEDGER: Final = "SELECT count(*), count(settled_at) FROM ledger"
DUE: Final = """
SELECT 1 FROM ledger AS one WHERE status = 'pending' AND due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM ledger AS earlier
    WHERE earlier.alert = one.alert AND earlier.channel = one.channel
    AND earlier.recipient = one.recipient AND earlier.number < one.number
    AND earlier.status IN ('pending', 'collected')
) LIMIT 1
"""
CLAIMABLE: Final = DUE.replace(
    "due_at <= ?", "due_at <= ? AND (holder IS NULL OR held_until <= ?)"
)
TICKED: Final = "SELECT max(value) FROM alerts_leases_v1 WHERE name = 'ticker'"

READERS: Final[Mapping[str, Consumer]] = {"projections": TIMELINES, "alerts": ALERTS}
"""Which kind of process reads for which consumer."""


class Checks:
    """Watches what may only grow."""

    def __init__(self, installation: Installation) -> None:
        """Look at the beginning."""
        self._installation = installation
        self._database = _opened(installation.folder / "rapport.db")
        self._stream = _opened(installation.folder / "stream.db")
        self._seen = self._versions()
        self._before: dict[tuple[Any, ...], int] = self._measured()

    def close(self) -> None:
        """Stop watching."""
        self._database.close()
        self._stream.close()

    def during(self) -> None:
        """See that no position, no partition and nothing in the ledger has gone back."""
        seen = self._versions()
        if seen == self._seen:
            return
        self._seen, now = seen, self._measured()
        for name, value in self._before.items():
            assert now.get(name, -1) >= value, f"{name} went back from {value} to {now.get(name)}"
        self._before = now

    def ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self._database.execute(question, values).fetchall()

    def forget(self) -> None:
        """Let everything begin anew: somebody has emptied the tables on purpose."""
        self._before = self._measured()

    def ends(self) -> dict[tuple[Any, ...], int]:
        """Return how long each partition is."""
        return {name: value for name, value in self._before.items() if name[0] == "end"}

    def work(self) -> set[tuple[str, str]]:
        """Return (kind of process, worker) of those who would find something to do now."""
        now = to_micros(self._installation.clock.now())
        found = {(kind, "runner") for kind in READERS if self._lags(kind)}
        if self.ask(DUE, now):
            found.add(("alerts", "deliverer"))
        if (self.ask(TICKED)[0][0] or 0) <= now - TICK_EVERY // MICROSECOND:
            found.add(("alerts", "ticker"))
        return found

    def claimable(self) -> bool:
        """Return whether a message is due that no deliverer holds, be it a dead one."""
        now = to_micros(self._installation.clock.now())
        return bool(self.ask(CLAIMABLE, now, now))

    def _lags(self, kind: str) -> bool:
        reader = READERS[kind]
        return any(
            end > self._before.get(("position", reader.name, *name[1:]), 0)
            for name, end in self._before.items()
            if name[0] == "end" and name[1] in reader.topics
        )

    def _versions(self) -> tuple[int, ...]:
        """Return two numbers that change with every commit of anybody else."""
        return tuple(db.execute(VERSION).fetchone()[0] for db in (self._database, self._stream))

    def _measured(self) -> dict[tuple[Any, ...], int]:
        found: dict[tuple[Any, ...], int] = {
            ("position", *row[:3]): row[3] for row in self.ask(POSITIONS)
        }
        found |= {("end", *row[:2]): row[2] for row in self._stream.execute(ENDS)}
        (found["steps", ""],) = self.ask(WRITTEN)[0]
        found["ledger", ""], found["settled", ""] = self.ask(LEDGER)[0]
        return found


def _opened(path: Any) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
