"""Falling alliance ratings and a broken rhythm of sessions, close to each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.alerts.episodes import RANK, Moment, verdict
from services.alerts.example import Example, cancelled, held, rated
from services.alerts.rule import Audience, Episode, Family, Step, Urgency, Verdict
from shared.alliance.calendar import days_from
from shared.alliance.history import Phase
from shared.alliance.wording import counted
from shared.values import frozen

DECLINES: Final = (
    "alliance-decline",
    "alliance-drop",
    "alliance-out-of-control",
    "high-then-falling",
    "facet-drop",
)
"""The client's own ratings fell. A rating that is low and was always low is no decline; a rupture
that was noted may be good work."""

LAPSES: Final = (
    "therapist-cancellations",
    "session-not-held",
    "session-gap",
    "no-next-session",
    "case-without-activity",
    "no-contact-after-missed",
    "handover-not-picked-up",
)
"""The client is not seen, or not as agreed. Late starts, moved sessions and paperwork that is
due ask for a look at the diary; an announced leave is planned."""


@frozen
class _Part:
    """One step of a part, with the episode that it belongs to."""

    episode: Episode
    step: Step

    @property
    def at(self) -> datetime:
        """When it became true."""
        return self.step.effective_at

    def holds(self, moment: datetime) -> bool:
        """Return whether it still holds at a moment after it became true."""
        return self.episode.cleared_at is None or moment < self.episode.cleared_at


class DropoutRisk:
    """Tell when the client's alliance ratings fall and sessions are not held as agreed.

    A decline that holds, and beside it something about sessions that holds too or became true at
    most four weeks before. It is as urgent as the most urgent of its parts, and tells again of
    each that becomes urgent. Its parts stay in the list, and are told to nobody by themselves
    while it holds: one notice, not two. Clears when no decline holds any more. The choice of
    parts and the four weeks are own, not validated: it foretells nothing for a single person.
    """

    name: str = "dropout-risk"
    version: int = 3
    family: Family = "combined"
    title: str = "The client's ratings fell, and sessions were not held as agreed"
    needs: frozenset[str] = frozenset({"sessions", "ratings"})
    parts: tuple[str, ...] = (*DECLINES, *LAPSES)
    reads: frozenset[str] = frozenset(
        {
            "rating.given", "session.scheduled", "session.rescheduled", "session.cancelled",
            "session.missed", "session.held", "care.started", "care.paused", "care.resumed",
            "care.transferred", "care.ended", "contact.attempted", "clinic.configured",
            "clinic.closed", "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("therapist", "supervisor", "leadership"),
        "urgent": ("therapist", "supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Speak with the therapist soon: what do they notice, and what would help them?",
        "See that the client is asked, openly and before the next session, how the work is for "
        "them and whether they want something changed.",
        "See that the next session is booked and takes place.",
    )
    defaults: Mapping[str, Any] = {"within_days": 28}
    always_news: bool = False
    example: Example = (
        rated(0, 37), rated(7, 36.5), rated(14, 37.5), rated(21, 37), rated(28, 36.8),
        held(21), cancelled(28, "therapist"), cancelled(35, "therapist"), rated(40, 30),
        held(42), rated(49, 36.5), rated(56, 37),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Say nothing of a phase alone."""
        del phase, settings, until
        return Verdict(())

    def combine(
        self,
        phase: Phase,
        episodes: Mapping[str, Sequence[Episode]],
        settings: Mapping[str, Any],
        until: datetime,
    ) -> Verdict:
        """Judge the episodes of its parts."""
        chosen = {**self.defaults, **settings}
        declines = list(_parts(episodes, DECLINES))
        lapses = list(_parts(episodes, LAPSES))
        if not declines or not lapses:
            return Verdict(())
        moments = [
            moment
            for decline in _first_of_each(declines)
            for moment in _moments(phase, decline, declines, lapses, chosen["within_days"])
        ]
        # What came at one moment stays in the order of the names: an id of ours decides nothing.
        moments.sort(key=lambda one: (one.at, one.urgency is None))
        found = verdict(self, phase, moments, until)
        known = [*declines, *lapses]
        return replace(found, episodes=tuple(_known_with(one, known) for one in found.episodes))


def _parts(episodes: Mapping[str, Sequence[Episode]], names: Iterable[str]) -> Iterator[_Part]:
    """Yield the steps that count, in the order of the names and of time.

    Those that would be delivered, and any gap: alone it is information while a next session is
    booked; beside falling ratings it is a lapse.
    """
    for name in names:
        least = RANK["information" if name == "session-gap" else "attention"]
        for episode in episodes.get(name, ()):
            for step in episode.steps:
                if RANK[step.urgency] >= least:
                    yield _Part(episode, step)


def _first_of_each(parts: Iterable[_Part]) -> Sequence[_Part]:
    """Return the step by which each episode first counted."""
    first: dict[str, _Part] = {}
    for part in parts:
        first.setdefault(part.episode.id, part)
    return tuple(first.values())


def _moments(
    phase: Phase,
    decline: _Part,
    declines: Sequence[_Part],
    lapses: Sequence[_Part],
    within_days: float,
) -> Iterator[Moment]:
    """Yield when a decline and a lapse first came together, and what became urgent after that."""
    since = days_from(phase.clinic, decline.at, -within_days)
    met = [
        (max(decline.at, lapse.at), lapse)
        for lapse in lapses
        if decline.holds(max(decline.at, lapse.at))
        and (lapse.at >= since or lapse.holds(decline.at))
    ]
    if not met:
        return
    began, lapse = min(met, key=lambda one: (one[0], -one[1].at.timestamp()))
    about = decline.episode.id
    yield _moment(began, about, (decline, lapse), within_days)
    for part in (*declines, *lapses):
        later = part.step.urgency == "urgent" and part.at > began and decline.holds(part.at)
        if later:
            pair = (decline, part) if part.episode.id != about else (part, lapse)
            yield replace(
                _moment(part.at, about, pair, within_days),
                urgency="urgent",
                again=part.episode.rule,
            )
    if decline.episode.cleared_at is not None:
        yield Moment(decline.episode.cleared_at, about, urgency=None)


def _moment(at: datetime, about: str, pair: tuple[_Part, _Part], within_days: float) -> Moment:
    urgent = any(part.step.urgency == "urgent" for part in pair)
    said = " and ".join(_lowered(part.episode.title) for part in pair)
    facts = {fact.event: fact for part in pair for fact in part.step.evidence}
    first, last = sorted(part.at for part in pair)
    return Moment(
        at,
        about,
        urgency="urgent" if urgent else "attention",
        evidence=tuple(facts.values()),
        explanation=f"Two things came together, at once or within "
        f"{counted(round(within_days), 'day')}: {said}.",
        numbers={"within_days": within_days, "days_apart": (last - first).days},
    )


def _lowered(title: str) -> str:
    return title[:1].lower() + title[1:]


def _known_with(episode: Episode, parts: Sequence[_Part]) -> Episode:
    """Return an episode that is known no sooner than what it stands on: deadlines have a grace."""
    steps: list[Step] = []
    for step in episode.steps:
        ripe = [part.step.known_at for part in parts if part.at == step.effective_at]
        before = [steps[-1].known_at] if steps else []
        steps.append(replace(step, known_at=max([step.known_at, *ripe, *before])))
    return replace(episode, known_at=steps[0].known_at, steps=tuple(steps))
