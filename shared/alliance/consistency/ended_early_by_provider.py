"""Whether the provider ended care earlier than the client wished. Pure."""

from datetime import datetime
from typing import Final

from shared.alliance.consistency.measure import (
    Figure,
    Measure,
    Settings,
    level,
    not_analysable,
)
from shared.alliance.things import Phase

NOBODYS: Final = ("funding_ended", "moved_away", "service_closed")
"""Ends that are not the provider's doing (domain.md section 3)."""

_WINDOW = "the end of care"


def _figure(phase: Phase, _at: datetime, _settings: Settings) -> Figure:
    end = phase.closed_by
    if end is None or end.type != "care.ended":
        return not_analysable("care did not end in this phase", _WINDOW)
    reason = end.data["reason"]
    if reason == "unknown":
        return not_analysable("the reason of the end is unknown", _WINDOW)
    early = reason == "provider_ended"
    return Figure(
        says="care was ended by the provider earlier than the client wished"
        if early
        else f"care ended: {reason.replace('_', ' ')}",
        window=_WINDOW,
        value=int(early),
        met=level(early),
        events=[end],
        not_counted={reason: 1} if reason in NOBODYS else {},
        numbers={"reason": reason},
    )


ENDED_EARLY_BY_PROVIDER = Measure(
    name="ended_early_by_provider",
    rule="ended-early-by-provider",
    title="Ended early by the provider",
    unit="ends",
    definition="care ended with the code “earlier than the patient requested” (NHS 48, our "
    "provider_ended)",
    limit="1",
    defaults={},
    figure=_figure,
    source="code: NHS data dictionary; the threshold is own",
)
