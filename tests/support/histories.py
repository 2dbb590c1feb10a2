"""Random histories of one client, dense in ties, contradictions and amendments (hypothesis)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from shared.envelope import Envelope
from tests.support import events as an

SESSIONS = ("s1", "s2", "s3")
THERAPISTS = ("th_tom", "th_eve", "th_ada")
SOURCES = ("urn:source:ehr", "urn:source:forms")
HORIZON_DAYS = 12

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, slots=True)
class Story:
    """What the stream holds: about one client, and about many."""

    client: tuple[Envelope, ...]
    around: tuple[Envelope, ...]

    @property
    def all(self) -> tuple[Envelope, ...]:
        """Everything."""
        return (*self.client, *self.around)


moments = st.builds(
    an.on, st.integers(0, HORIZON_DAYS), st.sampled_from((0, 9, 10)), st.sampled_from((0, 0, 50))
)
parties = st.sampled_from(("client", "therapist", "clinic", "unknown"))
sessions = st.sampled_from(SESSIONS)
therapists = st.sampled_from(THERAPISTS)
totals = st.integers(0, 40)

_FACTS: tuple[st.SearchStrategy[Envelope], ...] = (
    st.builds(an.a_session_scheduled, sessions, moments, at=moments, therapist=therapists),
    st.builds(an.a_session_scheduled, sessions, moments, at=moments, therapist=st.none()),
    st.builds(
        an.a_session_rescheduled, sessions, moments, at=moments, by=parties, therapist=therapists
    ),
    st.builds(an.a_session_cancelled, sessions, at=moments, by=parties, therapist=st.none()),
    st.builds(an.a_session_missed, sessions, at=moments, by=parties, therapist=therapists),
    st.builds(an.a_session_held, sessions, moments, therapist=therapists),
    st.builds(an.a_rating, totals, at=moments, session=sessions, therapist=st.none()),
    st.builds(an.a_rating, totals, at=moments, rating=st.sampled_from(("q1", "q2"))),
    st.builds(an.a_rating, totals, at=moments, instrument=st.just("ors"), rater=st.just("client")),
    st.builds(an.a_rating_skipped, at=moments),
    st.builds(an.a_boundary_noted, st.sampled_from(("b1", "b2")), at=moments),
    st.builds(an.a_boundary_assessed, st.just("b1"), at=moments, severity=st.integers(0, 4)),
    st.builds(
        an.a_boundary_step, st.sampled_from(("closed", "reopened")), st.just("b1"), at=moments
    ),
    st.builds(an.a_rupture_noted, st.just("r1"), at=moments),
    st.builds(an.a_rupture_repaired, st.just("r1"), at=moments, resolution=st.integers(1, 5)),
    st.builds(
        an.a_care_event,
        st.sampled_from(("referred", "started", "paused", "resumed", "ended")),
        moments,
        therapist=st.none() | therapists,
    ),
    st.builds(
        an.a_care_event,
        st.just("transferred"),
        moments,
        therapist=st.none() | therapists,
        to_therapist=therapists,
    ),
    st.builds(
        an.a_consent,
        st.sampled_from(("given", "withdrawn")),
        moments,
        st.sampled_from(("processing", "alerts")),
    ),
)

_AROUND: tuple[st.SearchStrategy[Envelope], ...] = (
    st.builds(
        an.a_clinic_configured,
        at=moments,
        timezone=st.sampled_from(("Europe/London", "Pacific/Auckland")),
    ),
    st.builds(an.a_clinic_closed, st.just("2026-01-07"), st.just("2026-01-08"), at=moments),
    st.builds(
        an.a_therapist_away,
        st.just("2026-01-08"),
        st.sampled_from(("2026-01-10", None)),
        at=moments,
        therapist=therapists,
        cover=st.none() | therapists,
    ),
)


def _named(draw: Draw, envelope: Envelope, number: int) -> Envelope:
    """Give an event an id of its own, a source, and a time at which it was taken."""
    late = draw(st.integers(0, 30))
    event = replace(envelope.event, id=f"e{number}", source=draw(st.sampled_from(SOURCES)))
    recorded_at = an.on(late, draw(st.integers(0, 23)))
    return replace(envelope, event=event, recorded_at=recorded_at)


def _amendment(draw: Draw, targets: Sequence[Envelope], number: int) -> Envelope:
    """Return an amendment of something there, of something absent, or of a whole thing."""
    at = draw(moments)
    form = draw(st.sampled_from(("correct", "correct", "retract", "retract", "thing", "absent")))
    if form == "thing":
        return an.a_retraction_of_thing("session", draw(sessions), at=at)
    target = draw(st.sampled_from(targets))
    if form == "absent":
        gone = replace(target, event=replace(target.event, id=f"absent{number}"))
        return an.a_retraction(gone, at=at)
    if form == "retract" or target.event.type.startswith("record."):
        return an.a_retraction(target, at=at)
    moved = draw(st.none() | moments)
    return an.a_correction(target, at=at, corrected_time=moved, source_code=f"c{number}")


@st.composite
def stories(draw: Draw, most: int = 14) -> Story:
    """Generate a history without conflicting contents under one id."""
    client = [
        _named(draw, fact, number)
        for number, fact in enumerate(draw(st.lists(st.one_of(_FACTS), max_size=most)))
    ]
    around = [
        _named(draw, fact, 100 + number)
        for number, fact in enumerate(draw(st.lists(st.one_of(_AROUND), max_size=3)))
    ]
    for number in range(draw(st.integers(0, 6))):
        targets = [*client, *around]
        if targets:
            made = _amendment(draw, targets, number)
            source = made.event.source
            named = _named(draw, made, 200 + number)
            named = replace(named, event=replace(named.event, source=source))
            (around if made.client is None else client).append(named)
    return Story(tuple(client), tuple(around))


def sent_again(envelope: Envelope, later: timedelta) -> Envelope:
    """Return the same event as a sender's retry, or an import of the same, brings it again."""
    again = replace(envelope.event, backfill=not envelope.event.backfill)
    taken_at = envelope.recorded_at + later
    return replace(envelope, event=again, sender="src_import", recorded_at=taken_at)
