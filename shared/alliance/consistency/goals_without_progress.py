"""Agreed goals of which nothing was heard for long. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.alliance.calendar import after_days, days_between
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import said
from shared.alliance.reading import Fact, fold_order
from shared.alliance.things import Phase
from shared.alliance.wording import counted

RATED_TOGETHER: Final = "gbo"
"""The instrument by which some clinics rate all goals at once (domain.md section 1)."""

_WINDOW = "every goal of the phase that is agreed and not closed, to the client's last fact"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A goal from when it was agreed until it was closed.

    Attributes:
        goal: The sender's reference.
        words: That it was agreed, agreed anew or rated, in fold order.
        closed: What closed it; None while it is open.
    """

    goal: str
    words: tuple[Fact, ...]
    closed: Fact | None


def stretches(phase: Phase) -> list[Stretch]:
    """Return every stretch of every agreed goal of a phase, ratings of all goals among its words.

    A goal that was only rated was agreed elsewhere, or never: it has none.
    """
    open_: dict[str, list[Fact]] = {}
    found: list[Stretch] = []
    for fact in sorted((*_words(phase), *_together(phase)), key=fold_order):
        if fact.type == "rating.given":
            for words in open_.values():
                words.append(fact)
            continue
        goal = fact.data["goal"]
        if fact.type == "goal.closed":
            if goal in open_:
                found.append(Stretch(goal, tuple(open_.pop(goal)), fact))
        elif fact.type == "goal.agreed" or goal in open_:
            open_.setdefault(goal, []).append(fact)
    return [*found, *(Stretch(goal, tuple(words), None) for goal, words in open_.items())]


def _words(phase: Phase) -> list[Fact]:
    types = ("goal.agreed", "goal.rated", "goal.closed")
    return [fact for type in types for fact in said(phase, type)]


def _together(phase: Phase) -> list[Fact]:
    return [one.fact for one in phase.ratings if one.instrument_key == RATED_TOGETHER]


@dataclass(frozen=True, slots=True)
class _Open:
    """An open goal, and the last fact that told of its progress, or else agreed it."""

    agreed: Fact
    last: Fact
    days: int


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how many open goals were not rated for weeks.

    Progress means that somebody looked: a rating of the goal, whichever way it points. Whether a
    goal comes nearer is the client's matter, and no lapse of anybody's.
    """
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    goals = _open_goals(phase, at)
    if not goals:
        return not_analysable("no goal is agreed and open", _WINDOW)
    limit = settings["without_weeks"] * 7
    silent = [goal for goal in goals if goal.days >= limit]
    n, of = len(silent), len(goals)
    start = min(goal.last.occurred_at for goal in goals)
    still = phase.care.pauses
    due = [
        after_days(phase.clinic, goal.last.occurred_at, limit, still)
        for goal in goals
        if goal.days < limit
    ]
    return Figure(
        says=f"{n} of {counted(of, 'agreed goal')} {'was' if n == 1 else 'were'} not rated for "
        f"{counted(settings['without_weeks'], 'week')}",
        window=_WINDOW,
        value=n,
        numerator=n,
        denominator=of,
        values=tuple(_shown(goal) for goal in goals),
        met=level(n > 0),
        events=[goal.last for goal in silent],
        among=[goal.last for goal in goals],
        not_counted=pauses(phase, start, at),
        due_at=min((moment for moment in due if moment is not None), default=None),
    )


def _open_goals(phase: Phase, at: datetime) -> list[_Open]:
    agreed: dict[str, Fact] = {}
    last: dict[str, Fact] = {}
    for fact in sorted(_words(phase), key=fold_order):
        goal = fact.data["goal"]
        if fact.type == "goal.closed":
            agreed.pop(goal, None)
        else:
            last[goal] = fact
            if fact.type == "goal.agreed":
                agreed[goal] = fact
    latest = _together(phase)[-1:]
    found = []
    for goal, fact in agreed.items():
        heard = max((last[goal], *latest), key=fold_order)
        days = days_between(phase.clinic, heard.occurred_at, at, phase.care.pauses)
        found.append(_Open(fact, heard, days))
    return found


def _shown(goal: _Open) -> dict[str, Any]:
    return {
        "goal": goal.agreed.data["goal"],
        "agreed": goal.agreed.event,
        "last": goal.last.event,
        "days": goal.days,
    }


GOALS_WITHOUT_PROGRESS = Measure(
    name="goals_without_progress",
    rule="review-overdue",
    title="Agreed goals without a word on their progress",
    unit="goals",
    definition="open goals that were not rated, by goal.rated or the instrument gbo, in the weeks "
    "up to the client's last fact; pauses left out",
    limit="1, {without_weeks} weeks",
    defaults={"without_weeks": 6},
    figure=_figure,
)
