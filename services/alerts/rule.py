"""The contract of the family ``rules``: a pure judgement of one phase over its whole life.

A rule is one file in ``services/alerts/rules`` and one line in its visible tuple ``RULES``.
(phase history, settings, until) → episodes; no wall clock, no randomness, no running state.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from services.alerts.caseload import Caseload
from services.alerts.example import Example
from services.alerts.silence import Silence
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.values import frozen

Urgency = Literal["information", "attention", "urgent"]
Family = Literal["consistency", "trust", "boundary", "outcome", "combined", "feed"]
Audience = Literal[
    "therapist", "supervisor", "leadership", "governance", "safeguarding", "operations"
]


@frozen
class Step:
    """One step of an episode: it opened, or its urgency rose.

    Attributes:
        key: What names the step within its episode, equal whenever the same facts are judged:
            the urgency, or for a rule that tells again at the same urgency (a risk item's new
            value) something finer, such as ``urgent:3``.
        effective_at: When it became true in the clinic; for a deadline, when it was due.
        known_at: When the last of its evidence was recorded, or the deadline and its grace passed.
        evidence: The facts it stands on; never empty.
        explanation: One or two sentences with the numbers in them, blaming nobody.
        numbers: The figures, by name.
        not_counted: Reason → how many were left out of the figure, and why.
    """

    key: str
    urgency: Urgency
    effective_at: datetime
    known_at: datetime
    evidence: tuple[Fact, ...]
    explanation: str
    numbers: Mapping[str, Any]
    not_counted: Mapping[str, int]
    deadline: bool = False


@frozen
class Episode:
    """A stretch of time in which a rule holds.

    Attributes:
        id: UUIDv5 of organisation, client, care, therapist, rule and effective_at.
        effective_at: When it began to hold.
        known_at: When that was known.
        cleared_at: When the condition had cleared, with hysteresis; None while it holds.
        steps: From first to last; urgency never falls within an episode.
        title: What was observed, no verdict, no person.
    """

    id: str
    rule: str
    effective_at: datetime
    known_at: datetime
    cleared_at: datetime | None
    title: str
    steps: tuple[Step, ...]

    @property
    def urgency(self) -> Urgency:
        """The urgency that it has reached."""
        return self.steps[-1].urgency


@frozen
class Verdict:
    """What a rule says of a phase.

    Attributes:
        episodes: Over the whole life of the phase, in order.
        due_at: The next moment (due + grace) after ``until`` at which time alone could change the
            verdict; None when only a new fact can.
    """

    episodes: tuple[Episode, ...]
    due_at: datetime | None = None


class Rule(Protocol):
    """One rule. Its docstring's first sentence is what ``rapport rules`` shows.

    Attributes:
        name: Such as ``session-gap``.
        version: Rises whenever the judgement changes.
        family: What it is about.
        title: What was observed, no verdict, no person.
        needs: What it reads, by the words of ``clinic.configured.sends``; arms it.
        reads: The event types that can change its verdict.
        tell: Who is told of a step, by urgency (information is shown, never delivered).
        next_steps: What a good supervisor would suggest, in words.
        defaults: Its settings with their default values; units in the names.
        always_news: True for boundary and risk: never held back as history (invariant 9).
        example: A made-up course of care in which it speaks, for people to read.
    """

    name: str
    version: int
    family: Family
    title: str
    needs: frozenset[str]
    reads: frozenset[str]
    tell: Mapping[Urgency, tuple[Audience, ...]]
    next_steps: tuple[str, ...]
    defaults: Mapping[str, Any]
    always_news: bool
    example: Example

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the whole life of ``phase``: every fact, and every deadline up to ``until``."""


@runtime_checkable
class FeedRule(Rule, Protocol):
    """A rule about a source instead of a phase; of phases it says nothing."""

    def judge_feed(self, organisation: str, silences: Sequence[Silence]) -> Verdict:
        """Judge the silences of one source, in time; one episode each."""


class CombinedRule(Rule, Protocol):
    """A rule judged from the episodes of others of the same phase, which it absorbs.

    Its family is ``combined``; while its alert holds, those of its parts are told to nobody.

    Attributes:
        parts: The names of the rules that it is made of.
        defaults: Besides its own, ``within_days``: how long before it a part may have begun.
    """

    parts: tuple[str, ...]

    def combine(
        self,
        phase: Phase,
        episodes: Mapping[str, Sequence[Episode]],
        settings: Mapping[str, Any],
        until: datetime,
    ) -> Verdict:
        """Judge the episodes of its parts, by rule, over the whole life of ``phase``."""


@runtime_checkable
class CaseloadRule(Rule, Protocol):
    """A rule about all clients of one therapist; of phases it says nothing."""

    def judge_caseload(
        self, caseload: Caseload, settings: Mapping[str, Any], until: datetime
    ) -> Verdict:
        """Judge what is extracted of each client, over the whole life of the caseload."""
