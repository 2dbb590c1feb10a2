"""A load that goes on while something is broken, and remembers how each request fared.

A story with alerts in it first, then single ratings of clients who are known and of some who are
new, without end. It is dense where something is about to be broken, which is when somebody waits
for acknowledgements, and thin while processes start. Limits: one tenant; a few requests at a time,
as many as there are threads.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final

from shared.clock import format_time
from tests.faults.content import a_story, in_batches
from tests.faults.journal import Document, Sender, Sending
from tests.faults.processes import Loud

THREADS: Final = 4
PAUSE_S: Final = 0.05
"""Between two requests of one thread: a load, not a flood."""

DENSE_S: Final = 1.0
"""So long after somebody waited for acknowledgements the load is as dense as that."""

THIN_PAUSE_S: Final = 0.4
"""Between two requests of one thread otherwise: all that is sent is checked three times over."""

PAUSE_AFTER_FAILURE_S: Final = 0.5
"""What is refused at once would otherwise fill the journal."""

BACK_WITHIN_S: Final = 120.0
"""Of what is started again somebody is to hear that it is back, however busy the machine."""

REGULARS: Final = 10
NEW_OF_TEN: Final = 1
LONGEST_REQUEST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of the load.

    Attributes:
        began: By the monotonic clock.
        took_s: Until its answer, or the end of patience.
        sending: As the journal has it.
    """

    began: float
    took_s: float
    sending: Sending


class Load:
    """Sends while its ``with`` lasts."""

    def __init__(self, sender: Sender, chance: random.Random, clients: int = 2) -> None:
        """Send nothing yet.

        Args:
            sender: Keeps its journal.
            chance: Makes up what is sent.
            clients: How many clients the story has.
        """
        self._sender = sender
        self._chance = chance
        self._story = in_batches(a_story(chance, clients), chance)[::-1]
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._sent: list[Sent] = []
        self._dense_until = 0.0
        self._number = 0
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]

    def __enter__(self) -> "Load":
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; what is under way is waited for."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(LONGEST_REQUEST_S)

    def begun_since(self, moment: float) -> list[Sent]:
        """Return the requests that began after a moment of the monotonic clock, and have ended."""
        with self._changed:
            return [one for one in self._sent if one.began >= moment]

    def wait_acknowledged(self, count: int, within_s: float = BACK_WITHIN_S) -> float:
        """Wait until ``count`` requests that begin from now on are acknowledged.

        Returns:
            How many seconds that took.

        Raises:
            Loud: when it takes longer than ``within_s``.
        """
        began = time.monotonic()
        self._dense_until = began + within_s
        with self._changed:
            there = self._changed.wait_for(
                lambda: (
                    sum(one.began >= began and _acknowledged(one) for one in self._sent) >= count
                ),
                within_s,
            )
        self._dense_until = time.monotonic() + DENSE_S
        if not there:
            raise Loud(f"fewer than {count} requests were acknowledged within {within_s:g} s")
        return time.monotonic() - began

    def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._stopping.wait(pause_s):
            documents = self._next()
            began = time.monotonic()
            sending = self._sender.send(documents)
            with self._changed:
                self._sent.append(Sent(began, time.monotonic() - began, sending))
                self._changed.notify_all()
            pause_s = self._pause_s(sending)

    def _pause_s(self, sending: Sending) -> float:
        if sending.state != "acknowledged":
            return PAUSE_AFTER_FAILURE_S
        return PAUSE_S if time.monotonic() < self._dense_until else THIN_PAUSE_S

    def _next(self) -> Sequence[Document]:
        with self._changed:
            self._number += 1
            if self._story and self._number % 2:
                return self._story.pop()
            new = self._chance.randrange(10) < NEW_OF_TEN
            who = f"new-{self._number}" if new else f"regular-{self._number % REGULARS}"
            return [a_rating_of(who, f"load-{self._number}")]


def a_rating_of(client: str, name: str) -> Document:
    """Return a rating that a client gave a minute ago."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": "urn:simulated:load",
        "type": "rapport.rating.given",
        "time": format_time(datetime.now(UTC) - timedelta(minutes=1)),
        "subject": client,
        "data": {
            "clinic": "northside",
            "therapist": "load-therapist",
            "instrument": "srs-3",
            "rater": "client",
            "items": {"1": 9, "2": 8, "3": 8, "4": 9},
        },
    }


def _acknowledged(one: Sent) -> bool:
    return one.sending.state == "acknowledged"
