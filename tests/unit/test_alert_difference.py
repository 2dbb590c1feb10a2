"""Which alert an episode belongs to: the comparison of what holds with what was told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.difference import Difference, difference, overlap
from tests.support.events import on


@dataclass(frozen=True)
class Stretch:
    """An episode in days; ``until`` None lasts."""

    id: str
    since: int
    until: int | None

    @property
    def effective_at(self) -> datetime:
        """Its start."""
        return on(self.since)

    @property
    def cleared_at(self) -> datetime | None:
        """Its end."""
        return None if self.until is None else on(self.until)


@dataclass(frozen=True)
class Told(Stretch):
    """An alert with the stretch that it was last said to hold for."""

    first: int = 0
    told: bool = True
    retracted: bool = False

    @property
    def alert(self) -> str:
        """Its id."""
        return self.id


def compared(episodes: list[Stretch], alerts: list[Told]) -> Difference[Stretch, Told]:
    """Compare, with readable ids for new alerts."""
    return difference(episodes, alerts, lambda episode, n: f"{episode}+{n}")


def test_an_alert_keeps_its_id_when_its_episode_moves() -> None:
    """An episode that overlaps a told alert is a revision of it."""
    found = compared([Stretch("earlier", 1, None)], [Told("told", 3, None)])
    assert [(pair.alert, pair.episode.id) for pair in found.pairs] == [("told", "earlier")]
    assert not found.merged + found.retracted + found.vanished


def test_of_several_alerts_the_oldest_is_revised_and_the_others_close() -> None:
    """Two told alerts whose gap has closed become one; neither is retracted."""
    alerts = [Told("younger", 6, None, first=2), Told("older", 1, 4, first=1)]
    found = compared([Stretch("whole", 1, None)], alerts)
    assert [pair.alert for pair in found.pairs] == ["older"]
    assert [one.alert for one in found.merged] == ["younger"]
    assert not found.retracted


def test_an_alert_without_an_episode_is_retracted_if_told_else_vanishes() -> None:
    """Who was told is told again; what nobody knew leaves no trace."""
    found = compared([], [Told("told", 1, 2), Told("untold", 1, 2, told=False)])
    assert [one.alert for one in found.retracted] == ["told"]
    assert [one.alert for one in found.vanished] == ["untold"]


def test_an_untold_alert_goes_by_its_episode() -> None:
    """Nobody knows the id of an untold alert, so that it follows the episode's."""
    found = compared([Stretch("earlier", 1, None)], [Told("untold", 3, None, told=False)])
    assert [(pair.alert, pair.known) for pair in found.pairs] == [("earlier", None)]
    assert [one.alert for one in found.vanished] == ["untold"]


def test_a_retracted_alert_comes_back_under_its_id() -> None:
    """What was taken back and holds again is the same alert."""
    found = compared([Stretch("same", 1, None)], [Told("same", 1, None, retracted=True)])
    assert [(pair.alert, pair.known is not None) for pair in found.pairs] == [("same", True)]


def test_an_episode_whose_id_is_taken_gets_another() -> None:
    """Two alerts never share an id, whatever the episodes are called."""
    alerts = [Told("b", 1, 3, first=1)]
    found = compared([Stretch("a", 1, 3), Stretch("b", 5, None)], alerts)
    assert [pair.alert for pair in found.pairs] == ["b", "b+1"]


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Return episodes in order that do not overlap; the last may last."""
    edges = sorted(draw(st.sets(st.integers(0, 30), min_size=0, max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    found = [Stretch(f"e{since}", since, until) for since, until in pairs]
    lasts: bool = draw(st.sampled_from([True, False]))
    if found and lasts:
        found[-1] = Stretch(found[-1].id, found[-1].since, None)
    return found


@given(stretches(), stretches(), st.lists(st.booleans(), min_size=8, max_size=8))
def test_every_episode_has_one_alert_and_every_alert_one_fate(
    now: list[Stretch], before: list[Stretch], told: list[bool]
) -> None:
    """Nothing is lost, nothing doubled, and who was told is never left without a word."""
    alerts = [
        Told(one.id, one.since, one.until, first=n, told=told[n]) for n, one in enumerate(before)
    ]
    found = compared(now, alerts)
    ids = [pair.alert for pair in found.pairs]
    assert len(ids) == len(set(ids)) == len(now)
    kept = [pair.known.alert for pair in found.pairs if pair.known]
    gone = [one.alert for one in (*found.merged, *found.retracted, *found.vanished)]
    assert sorted(kept + gone) == sorted(one.alert for one in alerts)
    for one in found.retracted:
        assert one.told
        assert not any(overlap(one, episode) for episode in now)
    assert not any(one.told for one in found.vanished)


@given(stretches())
def test_compared_with_its_own_result_nothing_changes(now: list[Stretch]) -> None:
    """A second comparison finds every alert where the first has put it."""
    first = compared(now, [])
    alerts = [
        Told(pair.alert, pair.episode.since, pair.episode.until, first=n)
        for n, pair in enumerate(first.pairs)
    ]
    again = compared(now, alerts)
    assert [pair.alert for pair in again.pairs] == [pair.alert for pair in first.pairs]
    assert all(pair.known is not None for pair in again.pairs)
    assert not again.merged + again.retracted + again.vanished


def test_a_stretch_without_length_is_one_moment() -> None:
    """It overlaps what lasts over that moment, and nothing that ends there."""
    moment = Stretch("m", 5, 5)
    assert overlap(moment, Stretch("a", 4, 6))
    assert overlap(moment, Stretch("a", 5, 7))
    assert not overlap(moment, Stretch("a", 3, 5))
    assert timedelta(0) == moment.effective_at - on(5)
