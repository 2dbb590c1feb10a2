"""The receivers' side: what reached them, and how they answer at the moment."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.alerts.webhook import Message, Outcome, signed
from tests.simulation.points import Points

Mood = Literal["fine", "down", "lying"]
"""Takes it; takes nothing; takes it and says that it did not."""


class Unanswered(Exception):
    """The receiver did not answer in time."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it arrived.

    Attributes:
        signature: Over the same moment at every attempt: it tells whose secret signed.
    """

    url: str
    message: Message
    signature: str


class Receivers:
    """Every recipient's server, as a sender of messages sees them."""

    def __init__(self, points: Points) -> None:
        """Receive nothing yet."""
        self._points = points
        self.moods: dict[str, Mood] = {}
        self.received: list[Received] = []
        self.unanswered: Counter[tuple[str, str]] = Counter()
        """Attempts that seemed to fail, by address and message."""

    def send(self, url: str, secret: bytes, message: Message, now: datetime) -> Outcome:
        """Deliver one message, and answer in the receiver's mood."""
        mood = self.moods.get(url, "fine")
        try:
            self._points.reach("send", Unanswered)
            if mood != "down":
                moment = datetime.fromtimestamp(0, now.tzinfo)
                signature = signed(message, secret, moment)["webhook-signature"]
                self.received.append(Received(url, message, signature))
            self._points.reach("sent", Unanswered)
        except Unanswered:
            mood = "down"
        if mood == "fine":
            return "delivered"
        self.unanswered[url, message.id] += 1
        return "failed"
