"""What several measures ask of a phase: its held sessions, its facts by type. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.alliance.reading import Fact
from shared.alliance.things import Phase, Session

ASKED: Final = frozenset(
    {
        "contact.attempted", "goal.agreed", "goal.closed", "goal.rated", "plan.reviewed",
        "rating.given", "rating.skipped", "relapse_plan.agreed",
    }
)  # fmt: skip
"""The types that are asked for here; a long life has thousands of facts of others."""


def held(phase: Phase) -> Sequence[Session]:
    """Return the sessions that were held, in the order in which they ended."""
    return phase.derived(_held)


def said(phase: Phase, type: str) -> Sequence[Fact]:
    """Return the facts of one type, one of ``ASKED``, in a phase, in fold order."""
    if type not in ASKED:
        raise ValueError(f"{type} is not among the types that are asked for")
    return phase.derived(_by_type).get(type, ())


def is_sent(phase: Phase, feed: str, *types: str) -> bool:
    """Return whether facts of a kind are known to be sent: never sent is not never happened.

    Args:
        phase: Where.
        feed: The word of ``clinic.configured.sends``.
        types: The types of that kind; one of them, seen from the clinic or in the phase, is proof
            enough.
    """
    sends = phase.clinic.sends or ()
    seen = phase.clinic.seen
    return feed in sends or any(type in seen or said(phase, type) for type in types)


def sends_held(phase: Phase) -> bool:
    """Return whether held sessions are sent at all: a diary alone knows of none.

    The word ``sessions`` says too little: who sends bookings says it too. What was seen from the
    clinic counts, or one held session in the course of care.
    """
    return "session.held" in phase.clinic.seen or bool(phase.care.held)


def _held(phase: Phase) -> Sequence[Session]:
    found = [session for session in phase.sessions if session.state == "held"]
    return sorted(found, key=lambda session: (session.state_at, session.ref))


def _by_type(phase: Phase) -> Mapping[str, Sequence[Fact]]:
    found: dict[str, list[Fact]] = {}
    for fact in phase.facts:
        if fact.type in ASKED:
            found.setdefault(fact.type, []).append(fact)
    return found
