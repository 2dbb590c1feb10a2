"""A rupture, noted or by scores, that three sessions or ratings have not repaired."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, repaired, strained
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared import ids
from shared.alliance.drops import Drop, is_back, needed, unregained
from shared.alliance.history import Phase, Rupture, Session
from shared.alliance.registers import REPAIRED_FROM
from shared.alliance.series import Series, client_series
from shared.alliance.wording import counted, figure


class RuptureUnrepaired:
    """Tell when a rupture was not repaired within three held sessions, or three ratings, after it.

    Clients report ruptures in 19 to 42 % of sessions (published), and one that is noted and
    repaired is good work: it shows on the timeline, and nobody is told. A repair counts from a
    resolution of 3 of 5. Noted again, it is open again. A rupture by scores is a drop from the
    client's recent level (the median of three ratings) by at least the reliable change, or,
    where none is published, by 3 σ̂ of the client's own first five ratings and a tenth of the
    scale; it is repaired by a rating that is back at the level. Clears when it is repaired;
    one by scores, by two ratings in a row at the level. The counts are own, not validated.
    """

    name: str = "rupture-unrepaired"
    version: int = 3
    family: Family = "trust"
    title: str = "A rupture was noted, and no repair is recorded"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "rating.given", "rupture.noted", "rupture.repaired", "session.scheduled",
            "session.rescheduled", "session.cancelled", "session.missed", "session.held",
            "care.transferred", "care.ended",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("therapist",),
        "attention": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Ask the therapist how the work feels since; noticing a rupture is a skill, and rare.",
        "Offer supervision on naming it with the client: acknowledging one's own part helps.",
        "Where it was repaired, see that the repair is recorded.",
    )
    defaults: Mapping[str, Any] = {
        "within_sessions": 3,
        "within_ratings": 3,
        "sigmas": 3.0,
        "fall_percent": 10,
    }
    always_news: bool = False
    example: Example = (
        held(0), strained(0), held(7), held(14), held(21), repaired(22, of=0, resolution=4),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each rupture at the session or rating by which it would have been repaired."""
        chosen = {**self.defaults, **settings}
        sessions = [one for one in phase.sessions if one.state == "held"] if phase.ruptures else []
        sessions.sort(key=lambda one: (one.state_at, one.facts[-1].source, one.facts[-1].id))
        moments: list[Moment] = []
        for rupture in phase.ruptures:
            moments += _moments(phase, rupture, sessions, chosen["within_sessions"])
        for series in client_series(phase, "alliance"):
            moments += _by_scores(series, chosen)
        return verdict(self, phase, moments, until)


def _moments(
    phase: Phase, rupture: Rupture, sessions: list[Session], within: int
) -> Iterator[Moment]:
    about = ids.derived_id("rupture", phase.organisation, phase.client, rupture.ref)
    spoken = [fact for fact in rupture.facts if fact.type in ("rupture.noted", "rupture.repaired")]
    for at, fact in enumerate(spoken):
        if fact.type == "rupture.repaired":
            if fact.data["resolution"] >= REPAIRED_FROM:
                yield Moment(fact.occurred_at, about, urgency=None)
            continue
        later = [one.occurred_at for one in spoken[at + 1 :] if _ends(one)]
        until = later[0] if later else None
        # The session in which it was noted is none in which it could be repaired afterwards.
        after = [one for one in sessions if (one.started_at or one.state_at) > fact.occurred_at]
        if len(after) < within or (until is not None and after[within - 1].state_at >= until):
            continue
        since = after[:within]
        yield Moment(
            since[-1].state_at,
            about,
            urgency="attention",
            evidence=(fact, *(one.facts[-1] for one in since)),
            explanation=f"A rupture was noted, and {counted(within, 'session')} "
            f"{'was' if within == 1 else 'were'} held since without a repair being recorded.",
            numbers={"sessions_since": within},
        )


def _ends(fact: Any) -> bool:
    """Return whether a later word replaces the note: noted anew, or repaired well enough."""
    return fact.type == "rupture.noted" or bool(fact.data["resolution"] >= REPAIRED_FROM)


def _by_scores(series: Series, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    counts = needed(series, chosen["sigmas"], chosen["fall_percent"])
    about = f"scores|{series.name}"
    for drop, last in unregained(series, counts, chosen["within_ratings"]):
        low, since = series.points[drop.at], series.points[drop.at + 1 : last + 1]
        yield Moment(
            series.points[last].at,
            about,
            urgency="attention",
            evidence=tuple(one.rating.fact for one in (*drop.recent, low, *since)),
            explanation=f"An alliance rating ({low.rating.instrument_key}) fell to "
            f"{figure(low.value)}; the median of the {len(drop.recent)} before was "
            f"{figure(drop.level)}. Since then the client rated "
            f"{', '.join(figure(one.value) for one in since)}.",
            numbers={
                "value": low.value,
                "level": drop.level,
                "fell": drop.fell,
                "ratings_since": len(since),
            },
            title="The client's alliance ratings fell, and have not come back",
        )
        cleared = _back_for_good(series, drop, last)
        if cleared is not None:
            yield Moment(cleared, about, urgency=None)


def _back_for_good(series: Series, drop: Drop, last: int) -> datetime | None:
    """Return when two ratings in a row were back at the level."""
    back = [is_back(series, drop, point) for point in series.points]
    for at in range(last + 2, len(back)):
        if back[at - 1] and back[at]:
            return series.points[at].at
    return None
