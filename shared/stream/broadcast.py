"""Events that concern many clients stand in every partition, among the facts of each."""

from collections.abc import Sequence

from shared.envelope import Envelope
from shared.stream.codec import encode
from shared.stream.ports import EVENTS, Outgoing, Publisher


def copies(envelope: Envelope, partitions: int) -> Sequence[Outgoing]:
    """Return the records of one event for every partition, all under its one id."""
    return [encode(envelope, EVENTS, number) for number in range(partitions)]


def broadcast(
    publisher: Publisher, envelope: Envelope, partitions: int, deadline_s: float
) -> None:
    """Publish an event to every partition; return only when all of them have it.

    Raises:
        StreamUnavailable: when some have not acknowledged. Repeating it, with the same envelope,
            completes the missing ones; where it stands already it has no second effect.
    """
    publisher.publish(copies(envelope, partitions), deadline_s)
