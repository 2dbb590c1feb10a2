"""Care that the provider ended earlier than the client wished."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, agreed, ended
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.history import Phase


class EndedEarlyByProvider:
    """Tell when care was ended by the provider earlier than the client wished.

    By the code that senders use for it (NHS data dictionary 48); money that ended, a move or a
    service that closed are other codes, and never this. Clears when care is begun again. That
    one such end asks for attention is own, not validated.
    """

    name: str = "ended-early-by-provider"
    version: int = 1
    family: Family = "consistency"
    title: str = "Care was ended by the provider earlier than the client wished"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {"care.referred", "care.started", "care.resumed", "care.transferred", "care.ended"}
    )
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "See that the client was told why, and knows where they can turn.",
        "Ask whether another therapist or service could go on, and whether the client wants it.",
        "Look with the therapist at what led to it, and what would have helped.",
    )
    defaults: Mapping[str, Any] = {}
    always_news: bool = False
    example: Example = (agreed(0, 7), ended(10, "provider_ended"))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the end of care."""
        return verdict(self, phase, _moments(phase), until, ends_with_phase=False)


def _moments(phase: Phase) -> Iterator[Moment]:
    end = phase.closed_by
    if end is None or end.type != "care.ended" or end.data["reason"] != "provider_ended":
        return
    yield Moment(
        end.occurred_at,
        about="end",
        urgency="attention",
        evidence=(end,),
        explanation="Care was ended by the provider earlier than the client wished, "
        "by the code that was sent.",
        numbers={"ends": 1},
    )
    again = [
        fact
        for fact in phase.care.facts
        if fact.type in ("care.referred", "care.started", "care.resumed")
        and fact.occurred_at > end.occurred_at
    ]
    if again:
        yield Moment(again[0].occurred_at, about="end", urgency=None)
