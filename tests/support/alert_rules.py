"""Plain rules for tests of the alerts service: each watches one thing, as simply as can be."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.example import Example
from services.alerts.rule import Audience, Episode, Family, Step, Urgency, Verdict
from shared import ids
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.clock import format_time

GRACE = timedelta(hours=48)


def an_episode(
    rule: str, phase: Phase, steps: Iterable[Step], cleared_at: datetime | None = None
) -> Episode:
    """Return an episode with its id, as every rule makes it."""
    made = tuple(steps)
    effective_at = made[0].effective_at
    place = (phase.organisation, phase.client, phase.care.ref, phase.therapist)
    return Episode(
        id=ids.derived_id("episode", *place, rule, format_time(effective_at)),
        rule=rule,
        effective_at=effective_at,
        known_at=made[0].known_at,
        cleared_at=cleared_at,
        title=f"{rule} holds",
        steps=made,
    )


def a_step(
    urgency: Urgency,
    at: datetime,
    *evidence: Fact,
    known_at: datetime | None = None,
    key: str = "",
    deadline: bool = False,
) -> Step:
    """Return a step that stands on facts."""
    learnt = max(fact.known_at for fact in evidence) if known_at is None else known_at
    return Step(
        key=key or urgency,
        urgency=urgency,
        effective_at=at,
        known_at=learnt,
        evidence=evidence,
        explanation=f"{len(evidence)} facts say so.",
        numbers={"facts": len(evidence)},
        not_counted={"emergency": 0},
        deadline=deadline,
    )


class _Plain:
    """What the rules of tests have in common."""

    version = 1
    next_steps: tuple[str, ...] = ("Talk about it.",)
    always_news = False
    example: Example = ()
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("supervisor", "leadership"),
        "urgent": ("supervisor", "leadership", "governance"),
    }


class Cancelled(_Plain):
    """Counts sessions that the therapist cancelled; a held session clears."""

    name = "test-cancelled"
    family: Family = "consistency"
    title = "sessions were cancelled"
    needs = frozenset({"sessions"})
    reads = frozenset({"session.cancelled", "session.held"})
    defaults: Mapping[str, Any] = {"attention": 1, "urgent": 3}

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return one episode per run of cancellations."""
        episodes: list[Episode] = []
        run: list[Fact] = []
        for fact in phase.facts:
            if fact.type == "session.cancelled" and fact.data["cancelled_by"] == "therapist":
                run.append(fact)
            elif fact.type == "session.held":
                episodes += self._of(phase, run, settings, fact.occurred_at)
                run = []
        return Verdict((*episodes, *self._of(phase, run, settings, None)))

    def _of(
        self,
        phase: Phase,
        run: list[Fact],
        settings: Mapping[str, Any],
        cleared_at: datetime | None,
    ) -> list[Episode]:
        steps = []
        for urgency in ("attention", "urgent"):
            n = settings[urgency]
            if len(run) >= n:
                steps.append(a_step(urgency, run[n - 1].occurred_at, *run[:n]))
        return [an_episode(self.name, phase, steps, cleared_at)] if steps else []


class LaterCancelled(Cancelled):
    """The next version of a rule: it takes two cancellations, and two make it urgent."""

    version = 2
    defaults: Mapping[str, Any] = {"attention": 2, "urgent": 2}


class Quiet(_Plain):
    """Waits for the next held session; a deadline."""

    name = "test-quiet"
    family: Family = "consistency"
    title = "no session for long"
    needs = frozenset({"sessions"})
    reads = frozenset({"session.held"})
    defaults: Mapping[str, Any] = {"gap_days": 10}

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return an episode for every gap, and when the next would be known."""
        held = [fact for fact in phase.facts if fact.type == "session.held"]
        episodes: list[Episode] = []
        next_due: datetime | None = None
        for fact, after in zip(held, [*held[1:], None], strict=False):
            due = fact.occurred_at + timedelta(days=settings["gap_days"])
            if after is not None and after.occurred_at < due:
                continue
            if due + GRACE > until:
                next_due = due + GRACE
                continue
            step = a_step("attention", due, fact, known_at=due + GRACE, deadline=True)
            cleared_at = after.occurred_at if after else None
            episodes.append(an_episode(self.name, phase, [step], cleared_at))
        return Verdict(tuple(episodes), next_due)


class Matter(_Plain):
    """Holds from a boundary event's note to its end; always news."""

    name = "test-matter"
    family: Family = "boundary"
    title = "a boundary event was noted"
    needs = frozenset({"boundary"})
    reads = frozenset({"boundary.noted", "boundary.assessed", "boundary.closed"})
    defaults: Mapping[str, Any] = {}
    always_news = True
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"urgent": ("leadership",)}

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return one episode per boundary event."""
        episodes = []
        for matter in phase.boundary_events:
            first = matter.facts[0]
            step = a_step("urgent", first.occurred_at, first)
            episodes.append(an_episode(self.name, phase, [step], matter.closed_at))
        return Verdict(tuple(episodes))


class Mild(Matter):
    """Tells leadership of a boundary event, but not as urgent."""

    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("leadership",)}

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return one episode per boundary event."""
        del settings, until
        found = []
        for matter in phase.boundary_events:
            first = matter.facts[0]
            step = a_step("attention", first.occurred_at, first)
            found.append(an_episode(self.name, phase, [step], matter.closed_at))
        return Verdict(tuple(found))


RULES = (Cancelled(), Quiet(), Matter())
