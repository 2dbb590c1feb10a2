"""How a worker is driven: it rests where it should, and never where there is much to do."""

import threading
import time
from datetime import datetime

from services.cli.process import IDLE_S, STEP_EVERY_S, drive
from shared.clock import SystemClock


class Rests(threading.Event):
    """What tells a worker to stop after three rests, and keeps how long each was to be."""

    def __init__(self) -> None:
        """Have seen none yet."""
        super().__init__()
        self.seen: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Keep how long it should be, and do not rest."""
        self.seen.append(timeout or 0.0)
        if len(self.seen) == 3:
            self.set()
        return self.is_set()


class Steps:
    """A worker whose steps take so long, and find something to do or nothing."""

    def __init__(self, lasting_s: float, *, busy: bool) -> None:
        """Do nothing yet."""
        self._lasting_s = lasting_s
        self._busy = busy
        self.closed = False

    def step(self, now: datetime) -> bool:
        """Take as long as was said."""
        del now
        time.sleep(self._lasting_s)
        return self._busy

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def rests_of(worker: Steps) -> list[float]:
    """Return how long a worker is to rest after each of three steps."""
    stop = Rests()
    drive("test", worker, SystemClock(), stop)
    assert worker.closed
    return stop.seen


def test_what_comes_one_by_one_is_taken_a_few_at_a_time() -> None:
    """After a short step a worker rests for what is left of the time that a step should take."""
    assert all(0 < rest <= STEP_EVERY_S for rest in rests_of(Steps(0.0, busy=True)))


def test_who_has_much_to_do_does_not_rest() -> None:
    """After a long step the next follows at once."""
    assert rests_of(Steps(STEP_EVERY_S, busy=True)) == [0.0] * 3


def test_who_has_nothing_to_do_rests() -> None:
    """After a step that found nothing a worker rests for a while."""
    assert rests_of(Steps(0.0, busy=False)) == [IDLE_S] * 3
