"""How serious a boundary event was called, step by step of its life. Pure."""

from collections.abc import Iterator
from typing import Final

from shared.alliance.history import BoundaryEvent
from shared.alliance.reading import Fact

TELLING: Final = ("boundary.noted", "boundary.assessed", "boundary.reopened", "boundary.closed")


def severities(event: BoundaryEvent) -> Iterator[tuple[Fact, int | None]]:
    """Yield each fact by which it became or stayed an open matter, or was closed.

    Returns:
        With each the severity that held from then on, 0 to 4 on Rapport's own scale; None while
        nobody has said one.
    """
    severity: int | None = None
    for fact in event.facts:
        if fact.type in ("boundary.noted", "boundary.assessed"):
            severity = fact.data.get("severity", severity)
        if fact.type in TELLING:
            yield fact, severity
