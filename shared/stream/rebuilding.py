"""Build a generation beside the one that serves: read from the beginning, fold, follow.

Every part of it is saved with how far it has come, so that it can be killed at any moment and run
again. It reads no further than the generation that serves has read: the one is never ahead of the
other, and both can be brought to stand at the very same record.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, Protocol

from sqlalchemy import Connection

from shared.clock import Clock
from shared.errors import Busy, Overtaken, Superseded
from shared.storage import generations, positions
from shared.storage.comparing import Comparison, Difference, Pair
from shared.storage.engine import Borrowing
from shared.storage.generations import LEASE, Generation, Stage
from shared.stream import parking, succession
from shared.stream.bounded import BoundedStream
from shared.stream.handling import Handler
from shared.stream.parking import Who
from shared.stream.ports import Partition, Stream
from shared.stream.runner import Runner

READ_AT_ONCE: Final = 5_000
"""Own: records of one transaction while nobody is folded."""

FOLLOWED_AT_ONCE: Final = 1_000
NEAR: Final = 1_000
"""Records that are left to be followed live, after everything before them was folded."""

LAST_RECORDS: Final = 5_000
LAST_POLLS: Final = 100
"""What may still be read while nobody else may save anything, and how often asked for (own)."""

LOOKS: Final = 3
"""How often clients that differ are looked at again before everything stands still (own)."""

Accept = Literal["nothing", "the same", "anything"]
"""What is switched to: nothing (a dry run), what is the same as before, or whatever was built."""


Doing = Stage | Literal["comparing"]


class Candidate(Protocol):
    """What a service says of one generation that is to serve next."""

    def reader(self) -> Handler:
        """Return what keeps the records and folds nobody."""

    def follower(self) -> Handler:
        """Return what takes records as the generation that serves does, and tells nobody."""

    def fold(self, db: Connection, cursor: str) -> tuple[str, int]:
        """Fold some clients after ``cursor``, each once.

        Returns:
            The cursor to go on from, and how many were folded; none when all are.
        """

    def clients(self, db: Connection) -> int:
        """Return how many clients there are to be folded."""

    def pairs(self, db: Connection, old: Generation) -> Sequence[Pair]:
        """Return what is compared with another generation, the facts first."""

    def held(self, db: Connection) -> frozenset[Who]:
        """Return who is held back, and who is not folded because of them."""

    def settle(self, db: Connection) -> int:
        """Do what belongs into the transaction of the switch; return how much that was."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        switched: Whether the new generation serves now.
        differences: What it holds otherwise than the old one.
        settled: What the switch had to settle.
    """

    switched: bool
    differences: Sequence[Difference]
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come in a stage: records read, clients folded or compared."""

    doing: Doing
    done: int
    total: int


class Rebuilding:
    """A worker: brings one generation to where the one that serves stands."""

    def __init__(
        self,
        database: Borrowing,
        stream: Stream,
        candidate: Candidate,
        old: Generation,
        new: Generation,
        clock: Clock,
        *,
        compare: bool = True,
        read_at_once: int = READ_AT_ONCE,
    ) -> None:
        """Read nothing yet.

        Args:
            database: Of its own; its last step lends it a transaction.
            stream: What is read.
            candidate: Fills the tables of ``new``.
            old: Serves.
            new: Is built, or was kept and catches up.
            clock: Of the runner.
            compare: Whether the two are compared in the end.
            read_at_once: Records of one transaction while nobody is folded.
        """
        self._database = database
        self._stream = BoundedStream(stream, self._limit)
        self._candidate = candidate
        self._old = old
        self._new = new
        self._clock = clock
        self._me = uuid.uuid4().hex
        self._renew_at: datetime | None = None
        self._runner: Runner | None = None
        self._folded = 0
        self._clients = 0
        self._compare = compare
        self._read_at_once = read_at_once
        self._comparison: Comparison | None = None
        self._looks = 0

    @property
    def stage(self) -> Stage:
        """How far the generation is."""
        return self._new.stage

    @property
    def doing(self) -> Doing:
        """What is being done."""
        return "comparing" if self._comparison is not None else self._new.stage

    def claim(self, now: datetime) -> bool:
        """Take or renew the right to build; False while another command has it.

        Raises:
            Overtaken: when the generation was dropped meanwhile.
        """
        if self._renew_at is not None and now < self._renew_at:
            return True
        try:
            with self._database.write() as db:
                held = generations.claim(db, self._new, self._me, now)
        except Superseded as error:
            raise Overtaken(str(error)) from error
        self._renew_at = now + LEASE / 3 if held else None
        return held

    def step(self, now: datetime) -> bool:
        """Do a bounded piece of work; return False when it may be finished.

        Raises:
            Overtaken: when another command builds, or the generation was dropped.
            Unavailable: when the stream or the database does not answer; step again later.
        """
        if not self.claim(now):
            raise Overtaken(f"another command works on {self._new.name} {self._new.number}")
        if self.stage == "folding":
            return self._fold()
        busy = self._reading().step(now)
        behind = self.behind()
        # Without a record while there are some it has not joined the group yet, which takes
        # seconds: nobody should wait for that in the last step.
        if behind > min(NEAR, self._read_at_once) or (behind and not busy):
            return True
        if self.stage == "reading":
            self._enter("folding")
            return True
        return self._compare and self._look()

    def behind(self) -> int:
        """Return how many offsets the old one is ahead."""
        with self._database.read() as db:
            return _missing(db, self._old, self._new)

    def read(self) -> int:
        """Return how many records the new one has read, as far as offsets tell."""
        with self._database.read() as db:
            return sum(at.next_offset for at in _positions(db, self._new).values())

    def progress(self) -> Progress:
        """Return how far the stage has come."""
        with self._database.read() as db:
            if self.stage == "folding" or self._comparison is not None:
                # Counting them takes a while: once is enough for what only shows how far it is.
                self._clients = self._clients or self._candidate.clients(db)
            if self.stage == "folding":
                return Progress(self.doing, self._folded, self._clients)
            if self._comparison is not None:
                return Progress(self.doing, self._comparison.compared, self._clients)
            total = sum(at.next_offset for at in _positions(db, self._old).values())
            return Progress(self.doing, total - _missing(db, self._old, self._new), total)

    def finish(self, now: datetime, accept: Accept) -> Outcome:
        """Bring both to the same record while nothing moves, compare what is left, and switch.

        Raises:
            Busy: when too much came meanwhile; nothing was switched. Step on, and try again.
            Unavailable: when the stream or the database does not answer; the same.
        """
        with self._database.write() as db:
            generations.lock(db, self._old)
            self._finish_reading(db, now)
            differences = self._differences(db)
            if accept == "nothing" or (differences and accept == "the same"):
                return Outcome(False, differences)
            settled = self._candidate.settle(db)
            generations.switch(db, self._old, self._new)
        return Outcome(True, differences, settled)

    def close(self) -> None:
        """Leave the group, and let another command go on."""
        self._close_runner()
        with self._database.write() as db:
            generations.release(db, self._new, self._me)

    def _finish_reading(self, db: Connection, now: datetime) -> None:
        last = _missing(db, self._old, self._new)
        with self._database.within(db):
            for _ in range(LAST_POLLS if last <= LAST_RECORDS else 0):
                if not last:
                    return
                self._reading().step(now)
                last = _missing(db, self._old, self._new)
        if last:
            raise Busy(f"{last} records more")

    def _differences(self, db: Connection) -> Sequence[Difference]:
        if self._comparison is None:
            return []
        here, there = self._candidate.held(db), parking.held(db, self._old.consumer).clients
        # Who was tried again since it was compared: no position moved with that.
        self._comparison.waiting |= here - there
        return self._comparison.differences(db, here)

    def _look(self) -> bool:
        """Compare some more clients; return whether there are any left to be compared."""
        with self._database.read() as db:
            if self._comparison is None:
                facts, *pairs = self._candidate.pairs(db, self._old)
                self._comparison = Comparison(facts, pairs)
            if self._comparison.step(db):
                return True
            if self._comparison.waiting and self._looks < LOOKS:
                self._looks += 1
                self._comparison.look_again(db, self._candidate.held(db))
                return True
        return False

    def _fold(self) -> bool:
        with self._database.write() as db:
            cursor, count = self._candidate.fold(db, self._new.cursor)
            stage: Stage = "folding" if count else "following"
            generations.advance(db, self._new, stage, cursor if count else "")
        self._folded += count
        self._new = replace(self._new, stage=stage, cursor=cursor if count else "")
        return True

    def _enter(self, stage: Stage) -> None:
        with self._database.write() as db:
            generations.advance(db, self._new, stage, "")
        self._new = replace(self._new, stage=stage, cursor="")
        self._close_runner()

    def _reading(self) -> Runner:
        if self._runner is None:
            reads = self.stage == "reading"
            handler = self._candidate.reader() if reads else self._candidate.follower()
            limit = self._read_at_once if reads else FOLLOWED_AT_ONCE
            self._runner = Runner(
                self._stream, self._database, handler, self._clock, batch_limit=limit
            )
        return self._runner

    def _close_runner(self) -> None:
        if self._runner is not None:
            self._runner.close()
        self._runner = None

    def _limit(self) -> Mapping[Partition, int]:
        with self._database.read() as db:
            limit = {place: at.next_offset for place, at in _positions(db, self._old).items()}
            # Nobody is folded while it reads: whoever cannot be must be known before.
            rows = succession.to_inherit(db, self._old.consumer, self._new.consumer)
        if rows:
            with self._database.write() as db:
                succession.inherit(db, rows)
        return limit


def _positions(db: Connection, of: Generation) -> dict[Partition, positions.Position]:
    found = positions.all_of(db, of.consumer)
    return {Partition(*place): at for place, at in found.items()}


def _missing(db: Connection, old: Generation, new: Generation) -> int:
    stands = _positions(db, new)
    return sum(
        max(0, at.next_offset - (stands[place].next_offset if place in stands else 0))
        for place, at in _positions(db, old).items()
    )
