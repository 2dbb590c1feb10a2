"""What a client agreed to, and took back."""

from typing import Final

from shared.events.family import BeforeTherapist, EventType, Family
from shared.events.fields import Choice

SCOPES: Final = ("processing", "alerts", "research", "sharing")


class ConsentGiven(BeforeTherapist):
    """The client agreed."""

    scope = Choice("To what.", *SCOPES, required=True)


class ConsentWithdrawn(BeforeTherapist):
    """The client took consent back.

    With `alerts`, rules run unseen until it is given again; with `processing`, every fact that
    occurred later is left out until then. The other two are recorded and shown.
    """

    scope = Choice("To what.", *SCOPES, required=True)


FAMILY: Final = Family(
    "consent",
    (
        EventType(
            "consent.given",
            ConsentGiven,
            time_means="when that happened",
            example={"clinic": "north", "scope": "alerts"},
        ),
        EventType(
            "consent.withdrawn",
            ConsentWithdrawn,
            time_means="when that happened",
            example={"clinic": "north", "scope": "research"},
        ),
    ),
)
