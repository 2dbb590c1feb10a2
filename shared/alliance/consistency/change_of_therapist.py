"""Changes of therapist in a case. Pure."""

from datetime import datetime

from shared.alliance.consistency.measure import Figure, Measure, Settings, level
from shared.alliance.things import Phase
from shared.alliance.wording import counted

_WINDOW = "the whole case, to the end of this phase"


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how often the case was transferred by ``at``; a cover is no transfer.

    A transfer that was not planned counts whatever its reason; the reason stands beside it.
    """
    transfers = [fact for fact in phase.care.transfers if fact.occurred_at <= at]
    unplanned = [fact for fact in transfers if not fact.data["planned"]]
    n, of = len(unplanned), len(transfers)
    again = of >= settings["transfers"]
    says = "the case was not transferred"
    if of:
        times = "once" if of == 1 else f"{of} times"
        says = f"the case was transferred {times}, {counted(n, 'time')} unplanned"
    return Figure(
        says=says,
        window=_WINDOW,
        value=of,
        numerator=n,
        denominator=of,
        values=tuple(
            {
                "event": fact.event,
                "planned": fact.data["planned"],
                "reason": fact.data.get("reason", "unknown"),
            }
            for fact in transfers
        ),
        met=level(n >= settings["unplanned_transfers"] or again),
        events=transfers if again else unplanned,
        among=transfers,
    )


CHANGE_OF_THERAPIST = Measure(
    name="change_of_therapist",
    rule="unplanned-transfer",
    title="Changes of therapist",
    unit="transfers",
    definition="transfers in the case up to the end of this phase, and how many of them were not "
    "planned",
    limit="{unplanned_transfers} unplanned, or {transfers} in a case",
    defaults={"unplanned_transfers": 1, "transfers": 2},
    figure=_figure,
)
