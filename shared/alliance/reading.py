"""The rules of reading (contract.md): from a set of envelopes to the facts that stand.

Pure, and a function of the *set*: any order of arrival and any duplication give the same result,
for sets without conflicting contents under one id (invariant 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as it stands after its amendments.

    Attributes:
        event: The event's id everywhere in Rapport.
        type: Name without prefix.
        occurred_at: The (corrected) ``time``.
        recorded_at: When the original was recorded.
        known_at: When it came to stand as it does: the latest ``recorded_at`` of the original and
            of the amendments that shape it.
        source: The CloudEvents source as sent.
        id: The CloudEvents id as sent.
        sender: The registered source (``src_…``) it came through.
        data: The (corrected) fields; references opaque; in the newest version of the type.
        backfill: True for history sent afterwards.
        corrected: True when a correction shapes it.
        client: Opaque id, or None for a fact that concerns many.
    """

    event: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    known_at: datetime
    source: str
    id: str
    sender: str
    data: Mapping[str, Any]
    backfill: bool = False
    corrected: bool = False
    client: str | None = None
