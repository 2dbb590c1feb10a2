"""Which types were seen from each clinic: that arms the rules which need them. Pure.

Never sent is not never happened (invariant 8): a rule is judged where a clinic says that it sends
what the rule needs, and else once that was seen from there. ``feed.seen`` says so in the stream,
once per clinic and type, so that arming is a function of the facts like everything else.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from shared.alliance.reading import Fact
from shared.events import EVENT_TYPES

SEEN: Final = "feed.seen"

WORDS: Final[Mapping[str, str]] = {
    name: one.feed for name, one in EVENT_TYPES.items() if one.feed is not None
}
"""Type → the word of ``clinic.configured.sends`` that it speaks for, as its family says."""

THEMSELVES: Final = frozenset({"session.scheduled", "session.held"})
"""Types that some rules must have seen, whatever a clinic says of itself: the word ``sessions``
covers both, and many systems send but one of them."""

Sight = tuple[str, str]
"""A clinic, and a type that was seen from it."""


def sights(facts: Iterable[Fact]) -> frozenset[Sight]:
    """Return what was seen, by the facts that stand without a subject."""
    return frozenset(
        (fact.data["clinic"], fact.data["type"]) for fact in facts if fact.type == SEEN
    )


def said_anyway(facts: Iterable[Fact], clinic: str, type: str) -> bool:
    """Return whether what was seen changes nothing: the clinic always said that it sends it."""
    if type in THEMSELVES:
        return False
    sends = [
        fact.data["sends"]
        for fact in facts
        if fact.type == "clinic.configured"
        and fact.data["clinic"] == clinic
        and "sends" in fact.data
    ]
    return bool(sends) and all(WORDS.get(type) in said for said in sends)


def words_from(seen: Collection[Sight], clinic: str) -> frozenset[str]:
    """Return the words of ``sends`` that were seen from a clinic."""
    return frozenset(WORDS[type] for where, type in seen if where == clinic and type in WORDS)
