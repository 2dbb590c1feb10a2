"""When a source is silent, and what that means for deadlines. Pure.

A deadline that passes while nothing arrives says nothing about the clinic (invariant 8): deadline
verdicts of phases whose latest needed fact came from a silent source wait until the source has
spoken again, and then for the grace in which what was entered late may still come.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.alliance.reading import Fact
from shared.values import frozen

SILENT, RESUMED = "feed.silent", "feed.resumed"

RESUMED_GRACE: Final = timedelta(hours=48)
"""Own: the grace of deadlines, which begins anew when a source speaks again."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch in which a source sent nothing.

    Attributes:
        since: Its last record, and the limit of its silence.
        known_at: When that came into the stream; what fell due before was judged before.
        resumed_at: When it spoke again; None while it is silent.
        facts: What it stands on.
    """

    source: str
    clinics: frozenset[str]
    since: datetime
    known_at: datetime
    resumed_at: datetime | None
    facts: tuple[Fact, ...]


@frozen
class Horizon:
    """Up to when deadlines may be judged.

    Attributes:
        until: Deadlines after it are not judged yet.
        again_at: When they may be, if that is known.
        suspended: True where a silent source is the reason.
    """

    until: datetime
    again_at: datetime | None = None
    suspended: bool = False


Silences = Mapping[str, tuple[Silence, ...]]


def silences(facts: Iterable[Fact]) -> Silences:
    """Return the silences of each source, in time.

    Args:
        facts: What stands without a subject, in fold order.
    """
    found: dict[str, list[Silence]] = {}
    for fact in facts:
        if fact.type not in (SILENT, RESUMED):
            continue
        source, clinics = fact.data["source"], frozenset(fact.data["clinics"])
        spans = found.setdefault(source, [])
        last = spans[-1] if spans else None
        if fact.type == SILENT and (last is None or last.resumed_at is not None):
            spans.append(Silence(source, clinics, fact.occurred_at, fact.known_at, None, (fact,)))
        elif fact.type == RESUMED and last is not None and last.resumed_at is None:
            spans[-1] = Silence(
                source,
                last.clinics,
                last.since,
                last.known_at,
                fact.occurred_at,
                (*last.facts, fact),
            )
    return {source: tuple(spans) for source, spans in found.items()}


def horizon(
    facts: Sequence[Fact],
    clinics: Collection[str],
    reads: frozenset[str],
    known: Silences,
    until: datetime,
) -> Horizon:
    """Return up to when deadlines may be judged: not while what would meet them cannot come.

    Args:
        facts: Those of a phase, or of a caseload, in time.
        clinics: Where it is.
        reads: The types that the rule reads.
        known: The silences of each source.
        until: The present.
    """
    if not known:
        return Horizon(until)
    latest = next((fact for fact in reversed(facts) if fact.type in reads), None)
    for silence in known.get(latest.sender, ()) if latest else ():
        if silence.clinics.isdisjoint(clinics) or until < silence.known_at:
            continue
        if silence.resumed_at is None:
            return Horizon(silence.known_at, None, suspended=True)
        lifted_at = silence.resumed_at + RESUMED_GRACE
        if until < lifted_at:
            return Horizon(silence.known_at, lifted_at, suspended=True)
    return Horizon(until)
