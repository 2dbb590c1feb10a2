"""Sessions that were shorter than the phase's own first ones."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.consistency.shortened_sessions import Lengths
from shared.alliance.history import Phase
from shared.alliance.wording import figure, of_the_last


class ShortenedSessions:
    """Tell when 2 of the last 4 sessions were shorter than nine tenths of the first ones.

    The phase's own measure is the median of its first four sessions. One that the client came
    late to or ended, that technology ended, or of which nobody knows who did, is not counted.
    Clears at one below its threshold. Thresholds are own, not validated.
    """

    name: str = "shortened-sessions"
    version: int = 2
    family: Family = "consistency"
    title: str = "Sessions were shorter than they were at first"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.transferred", "care.ended",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Ask what has changed: a fuller diary, shorter slots, or an agreement with the client?",
        "Where a shorter session was agreed, record the new length with the booking.",
    )
    defaults: Mapping[str, Any] = {"least_share": 0.9, "short_sessions": 2}
    always_news: bool = False
    example: Example = (
        held(0), held(7), held(14), held(21), held(28, minutes=40), held(35), held(42, minutes=42),
        held(49), held(56),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the last lengths at every held session."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    lengths = Lengths()
    for session in held_sessions(phase):
        if not lengths.add(session):
            continue
        short = lengths.short(chosen["least_share"])
        if len(short) < chosen["short_sessions"]:
            yield Moment(session.state_at, about="lengths", urgency=None)
            continue
        n, of = len(short), len(lengths.last)
        share, usual = figure(chosen["least_share"] * 100), figure(lengths.usual_minutes)
        yield Moment(
            session.state_at,
            about="lengths",
            urgency="attention",
            evidence=tuple(one.facts[-1] for one in short),
            explanation=f"{of_the_last(n, of, 'session')} shorter than {share} % of {usual} "
            "minutes, the median of the first four.",
            numbers={"short": n, "sessions": of, "usual_minutes": round(lengths.usual_minutes, 2)},
            not_counted=dict(sorted(lengths.not_counted.items())),
        )
