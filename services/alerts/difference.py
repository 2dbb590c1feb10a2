"""Which alert an episode belongs to: the difference between what holds and what was told. Pure.

An alert keeps the id of the episode it was first told for (invariant 4). What was told is a matter
of record; so this compares the episodes of one phase and rule with the alerts known for them, and
never asks what was judged before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from shared.values import frozen


class Spanned(Protocol):
    """A stretch of time."""

    @property
    def effective_at(self) -> datetime:
        """Its start."""

    @property
    def cleared_at(self) -> datetime | None:
        """Its end, exclusive; None while it lasts."""


class Telling(Spanned, Protocol):
    """An alert as it is known.

    ``told`` says whether anybody was told of it, or has acted on it; ``retracted`` whether it
    was taken back; ``first`` rises from alert to alert in the order of their opening.
    """

    @property
    def alert(self) -> str:
        """Its id."""

    @property
    def told(self) -> bool:
        """Whether anybody knows of it."""

    @property
    def retracted(self) -> bool:
        """Whether it was taken back."""

    @property
    def first(self) -> int:
        """Orders alerts by when they were opened."""


class Named(Spanned, Protocol):
    """An episode: a stretch of time with an id."""

    @property
    def id(self) -> str:
        """Its id."""


_Episode = TypeVar("_Episode", bound=Named)
_Alert = TypeVar("_Alert", bound=Telling)


@frozen
class Pair(Generic[_Episode, _Alert]):
    """An episode and its alert; ``known`` is None for one that is new."""

    alert: str
    episode: _Episode
    known: _Alert | None


@frozen
class Difference(Generic[_Episode, _Alert]):
    """What became of episodes and alerts.

    Attributes:
        pairs: Each episode with its alert.
        merged: Told alerts whose episode is another alert's now: they close without notice.
        retracted: Told alerts that no episode overlaps any more.
        vanished: Alerts nobody was told of, without an episode: they leave no trace.
    """

    pairs: tuple[Pair[_Episode, _Alert], ...]
    merged: tuple[_Alert, ...]
    retracted: tuple[_Alert, ...]
    vanished: tuple[_Alert, ...]


def difference(
    episodes: Sequence[_Episode],
    alerts: Sequence[_Alert],
    another_id: Callable[[str, int], str],
) -> Difference[_Episode, _Alert]:
    """Compare the episodes of one phase and rule with the alerts known for them.

    Args:
        episodes: In order of their start; they do not overlap each other.
        alerts: Every alert ever known for that phase and rule.
        another_id: (episode id, n) → id of a new alert where an older one has the episode's.
    """
    told = sorted((one for one in alerts if one.told), key=lambda one: one.first)
    matched = _matched(episodes, told)
    taken = {known.alert for known in matched.values()}
    untold = {one.alert: one for one in alerts if not one.told}
    names = {one.alert for one in alerts}
    pairs: list[Pair[_Episode, _Alert]] = []
    for episode in episodes:
        known = matched.get(episode.id)
        alert = known.alert if known else episode.id
        if known is None and alert in untold:
            known = untold.pop(alert)
        elif known is None and alert in names:
            alert = _free(alert, names, another_id)
        names.add(alert)
        pairs.append(Pair(alert, episode, known))
    left = [one for one in told if one.alert not in taken and not one.retracted]
    merged = [one for one in left if any(overlap(one, episode) for episode in episodes)]
    return Difference(
        tuple(pairs),
        tuple(merged),
        tuple(one for one in left if one not in merged),
        tuple(one for one in untold.values() if not one.retracted),
    )


def overlap(one: Spanned, other: Spanned) -> bool:
    """Return whether two stretches share a moment; a stretch without length is one moment."""
    if one.effective_at == other.effective_at:
        return True
    first, second = (one, other) if one.effective_at < other.effective_at else (other, one)
    return first.cleared_at is None or second.effective_at < first.cleared_at


def _matched(episodes: Sequence[_Episode], told: Sequence[_Alert]) -> dict[str, _Alert]:
    """Give each episode at most one told alert: the oldest that overlaps it.

    One that stands comes before one that was taken back, which an episode that holds again
    brings back.
    """
    found: dict[str, _Alert] = {}
    free = [one for one in told if not one.retracted] + [one for one in told if one.retracted]
    for episode in episodes:
        one = next((one for one in free if overlap(one, episode)), None)
        if one is not None:
            found[episode.id] = one
            free.remove(one)
    return found


def _free(episode: str, names: set[str], another_id: Callable[[str, int], str]) -> str:
    return next(
        name for n in range(1, len(names) + 2) if (name := another_id(episode, n)) not in names
    )
