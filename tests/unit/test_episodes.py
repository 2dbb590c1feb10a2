"""The walk from moments to episodes: steps, deadlines, what is known when."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.episodes import RANK, Moment, verdict
from services.alerts.rule import Episode, Urgency
from services.alerts.rules.session_gap import SessionGap
from shared.alliance.history import Phase
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import FAR, the_phase, urgencies

RULE = SessionGap()
TWO_DAYS = timedelta(days=2)


def phase(closed: float | None = None) -> Phase:
    """Return a phase that is open, or closed on a day."""
    ended = [] if closed is None else [an.a_care_event("ended", on(closed))]
    return the_phase(an.a_care_event("started", on(0)), *ended)


def holds(
    day: float,
    urgency: Urgency | None = "attention",
    about: str = "it",
    again: str = "",
    grace: timedelta | None = None,
) -> Moment:
    """Return a moment on a day; without an urgency it clears."""
    evidence = phase().facts if urgency else ()
    return Moment(on(day), about, urgency, evidence, again=again, grace=grace)


def found(*moments: Moment, until: datetime = FAR, closed: float | None = None) -> list[Episode]:
    """Return the episodes that moments make."""
    return list(verdict(RULE, phase(closed), moments, until).episodes)


def test_one_episode_escalates_and_clears() -> None:
    """Rising urgency adds steps, falling adds none, and what clears ends the episode."""
    (episode,) = found(
        holds(1),
        holds(2),
        holds(3, "urgent"),
        holds(4, "attention"),
        holds(5, None),
        holds(6, None),
    )
    assert urgencies([episode]) == [["attention", "urgent"]]
    assert (episode.effective_at, episode.cleared_at) == (on(1), on(5))
    assert [step.effective_at for step in episode.steps] == [on(1), on(3)]


def test_an_episode_lasts_while_anything_holds() -> None:
    """Of two things that hold, both must clear; then a new one begins a new episode."""
    first, second = found(
        holds(1, about="a"), holds(2, about="b"), holds(3, None, "a"), holds(4, None, "b"),
        holds(5, about="a"),
    )  # fmt: skip
    assert (first.cleared_at, second.effective_at, second.cleared_at) == (on(4), on(5), None)
    assert first.id != second.id


def test_something_new_tells_again_without_rising() -> None:
    """``again`` makes a step once for each word and urgency, and the urgency never falls."""
    (episode,) = found(
        holds(1, "urgent", "a", "a"), holds(2, "urgent", "a", "a"),
        holds(3, "attention", "b", "b"), holds(4, "urgent", "b", "b"),
    )  # fmt: skip
    assert [step.key for step in episode.steps] == ["urgent:a", "attention:b", "urgent:b"]
    assert urgencies([episode]) == [["urgent"] * 3]


def test_a_deadline_waits_for_its_grace_and_keeps_its_day() -> None:
    """It is judged at due + grace, known from then, and true from when it was due."""
    due = holds(10, grace=TWO_DAYS)
    waiting = verdict(RULE, phase(), [due], on(12) - timedelta(microseconds=1))
    assert (waiting.episodes, waiting.due_at) == ((), on(12))
    ripe = verdict(RULE, phase(), [due], on(12))
    (episode,) = ripe.episodes
    assert (episode.effective_at, episode.known_at, ripe.due_at) == (on(10), on(12), None)
    assert episode.steps[0].deadline


def test_what_is_put_right_within_the_grace_makes_no_episode() -> None:
    """What clears at the deadline or within its grace is never told; just after, it is."""
    for day in (10, 11, 12):
        assert found(holds(10, grace=TWO_DAYS), holds(day, None)) == []
    (episode,) = found(holds(10, grace=TWO_DAYS), holds(12.001, None))
    assert episode.cleared_at == on(12.001)
    assert found(holds(10, grace=TWO_DAYS), holds(11, None, "another")) != []


def test_the_end_of_the_phase_clears() -> None:
    """From the end of the phase on nothing is said, and what held until then has ended."""
    (episode,) = found(holds(1), holds(6, "urgent"), closed=5)
    assert (episode.cleared_at, urgencies([episode])) == (on(5), [["attention"]])
    assert found(holds(4, grace=TWO_DAYS), closed=5) == []
    (kept,) = verdict(RULE, phase(5), [holds(1)], FAR, ends_with_phase=False).episodes
    assert kept.cleared_at is None


def test_facts_wait_for_nothing() -> None:
    """Before the horizon's end a deadline waits; a fact is told, and the end of care counts."""
    waiting = verdict(RULE, phase(), [holds(4), holds(1, grace=TWO_DAYS)], on(2))
    assert [one.effective_at for one in waiting.episodes] == [on(4)]
    assert waiting.due_at == on(3)
    ended = verdict(RULE, phase(5), [holds(1)], on(3))
    assert (ended.episodes[0].cleared_at, ended.due_at) == (on(5), None)


def test_late_evidence_is_known_late() -> None:
    """A step is known when the last of its evidence was recorded, never before an earlier step."""
    late = the_phase(an.a_care_event("started", on(0), recorded_at=on(30))).facts
    (episode,) = found(
        Moment(on(1), "it", "attention", late), Moment(on(2), "it", "urgent", phase().facts)
    )
    assert [step.known_at for step in episode.steps] == [on(30), on(30)]
    (deadline,) = found(Moment(on(1), "it", "attention", late, grace=TWO_DAYS))
    assert deadline.known_at == on(30)


@given(
    st.lists(
        st.builds(
            holds,
            st.integers(0, 30),
            st.sampled_from((None, "information", "attention", "urgent")),
            st.sampled_from("ab"),
            st.sampled_from(("", "x", "y")),
            st.sampled_from((None, timedelta(0), TWO_DAYS)),
        ),
        max_size=12,
    ),
    st.integers(0, 40),
    st.none() | st.integers(1, 30),
)
def test_any_moments_make_proper_episodes(
    moments: list[Moment], until: int, closed: float | None
) -> None:
    """Episodes never overlap, steps never fall, nothing is judged before it is ripe."""
    judged = verdict(RULE, phase(closed), moments, on(until))
    assert judged.due_at is None or judged.due_at > on(until)
    last = None
    for episode in judged.episodes:
        assert last is None or (last.cleared_at or FAR) <= episode.effective_at
        assert episode.steps
        ranks = [RANK[step.urgency] for step in episode.steps]
        assert ranks == sorted(ranks)
        assert len({step.key for step in episode.steps}) == len(episode.steps)
        assert all(step.effective_at <= on(until) for step in episode.steps if step.deadline)
        last = episode
