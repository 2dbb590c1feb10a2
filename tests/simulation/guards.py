"""What the simulation must notice: guards of the product, each taken out of a copy of it.

``make simulation ARGS=--guards``. A simulation that passes says little unless it fails where
something that it is about is missing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.config import child_environment
from tests.faults.guards import ROOT, Edit, Guard

WITHIN: Final = 400
"""Seeds within which the lack of a guard must show."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a hunt without a guard came to.

    Attributes:
        seed: The first that failed; None where none did.
        after: How many seeds it took.
        reason: What did not hold.
    """

    guard: Guard
    seed: int | None = None
    after: int = 0
    reason: str = ""


def hunt(guard: Guard, first: int, within: int = WITHIN) -> Found:
    """Run seeds in a process whose product lacks a guard, until one fails."""
    with tempfile.TemporaryDirectory(prefix="rapport-guards-") as folder:
        copy = guard.removed(Path(folder))
        run = subprocess.run(
            [sys.executable, "-m", "tests.simulation.hunt", str(first), str(within)],
            cwd=copy,
            env=child_environment({"PYTHONPATH": f"{copy}:{ROOT}"}),
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(run.stdout)
    return Found(guard) if found is None else Found(guard, **found)


def hunts(first: int) -> Iterator[Found]:
    """Hunt without each guard in turn."""
    for guard in GUARDS:
        yield hunt(guard, first)


RUNNER: Final = "shared/stream/runner.py"
OUTBOX: Final = "services/alerts/outbox.py"
DELIVERIES: Final = "services/alerts/deliveries.py"
TAKING_BACK: Final = "services/alerts/taking_back.py"
VOICE: Final = "services/alerts/voice.py"

GUARDS: Final = (
    Guard(
        "position-compared-before-it-is-set",
        "shared/storage/positions.py",
        '    positions.c.next_offset == bindparam("expected"),\n',
        "",
    ),
    Guard(
        "position-in-the-transaction-of-its-effect",
        RUNNER,
        "            positions.advance(db, name, self._positions, ends)\n",
        "            positions.advance(db, name, self._positions, ends)\n"
        "        with self._database.write() as db:\n",
    ),
    Guard(
        "read-again-what-was-not-saved",
        RUNNER,
        "                self._consumer.seek(place, self._positions[place].next_offset)\n",
        "                pass\n",
    ),
    Guard(
        "what-is-transient-is-never-parked",
        RUNNER,
        "            self._save(batch)\n        except TRANSIENT:\n            raise\n",
        "            self._save(batch)\n",
        also=(Edit(RUNNER, "except (*TRANSIENT, TooManyParked):", "except TooManyParked:"),),
    ),
    Guard(
        "acknowledged-only-when-the-stream-has-it",
        "services/ingest/ingest.py",
        "                self._publisher.publish(prepared.records, self._deadline_s)\n",
        "                try:\n"
        "                    self._publisher.publish(prepared.records, self._deadline_s)\n"
        "                except StreamUnavailable:\n"
        "                    pass\n",
    ),
    Guard(
        "sent-before-it-is-settled",
        DELIVERIES,
        "        outcome = self._sender.send(",
        "        with self._database.write() as db:\n"
        "            outbox.delivered(db, row, self._me, now)\n"
        "        outcome = self._sender.send(",
    ),
    Guard(
        "published-before-it-is-settled",
        DELIVERIES,
        "        try:\n            self._publisher.publish(",
        "        with self._database.write() as db:\n"
        "            for row in rows:\n"
        "                outbox.delivered(db, row, self._me, now)\n"
        "        try:\n            self._publisher.publish(",
    ),
    Guard(
        "an-earlier-step-first",
        OUTBOX,
        "        ~_an_earlier_one_is_pending(),\n",
        "",
    ),
    Guard(
        "a-claim-runs-out",
        OUTBOX,
        '    LEDGER.c.held_until <= bindparam("present"),\n',
        "",
    ),
    Guard(
        "nothing-judged-below-the-mark",
        "services/alerts/watcher.py",
        "            reached = marks.reached(db, self.name, ends)\n",
        "            marks.reached(db, self.name, ends)\n",
    ),
    Guard(
        "recipients-of-this-organisation",
        "shared/storage/accounts.py",
        "select(table).where(table.c.organisation == organisation).order_by(table.c.name)\n"
        "        with self.db.read() as db:\n            rows = db.execute(query).all()\n"
        "        return [self._recipient(row)",
        "select(table).order_by(table.c.name)\n"
        "        with self.db.read() as db:\n            rows = db.execute(query).all()\n"
        "        return [self._recipient(row)",
    ),
    Guard(
        "the-first-registration-wins",
        "shared/storage/registry.py",
        "            db.execute(insert_or_nothing(db, kept.registry), rows)\n",
        "            for row in rows:\n"
        "                db.execute(kept.registry.delete().where(\n"
        "                    kept.registry.c.hmac == row['hmac']))\n"
        "            db.execute(insert_or_nothing(db, kept.registry), rows)\n",
    ),
    Guard(
        "one-effect-per-step-on-the-topic",
        DELIVERIES,
        'id=f"{row.alert}/{row.step}",',
        'id=f"{row.alert}/{row.step}/{row.attempts}",',
    ),
    Guard(
        "who-was-tried-may-have-been-told",
        TAKING_BACK,
        "LEDGER.c.status == PENDING, LEDGER.c.attempts == 0, LEDGER.c.holder.is_(None)",
        "LEDGER.c.status == PENDING",
    ),
    Guard(
        "another-speaks-where-one-is-taken-back",
        VOICE,
        "        taking_back.speak_for_themselves(db, whose, step.alert, meanwhile=meanwhile)\n",
        "",
    ),
    Guard(
        "what-is-taken-back-speaks-for-nobody",
        "services/alerts/shares.py",
        "        ~_TAKEN_BACK,\n",
        "",
    ),
    Guard(
        "a-digest-when-its-day-is-over",
        "services/alerts/ticker.py",
        "            digests.compose(db, present)\n",
        "            pass\n",
    ),
    Guard(
        "settled-with-its-message",
        OUTBOX,
        '        notices.settle(db, due.organisation, due.alert, values["status"], '
        'values["settled_at"])\n',
        "        pass\n",
    ),
    Guard(
        "it-holds-again",
        "services/alerts/steps.py",
        "    released = released or _holds_again(held, known, new, around)\n",
        "",
    ),
)
