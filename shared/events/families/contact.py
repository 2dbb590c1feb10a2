"""Attempts to reach a client between sessions."""

from typing import Final

from shared.events.family import BeforeTherapist, EventType, Family
from shared.events.fields import Choice, Flag


class ContactAttempted(BeforeTherapist):
    """Somebody tried to reach the client."""

    by = Choice("Who tried.", "therapist", "clinic", required=True)
    reached = Flag("Whether the client was reached.", required=True)


FAMILY: Final = Family(
    "contact",
    (
        EventType(
            "contact.attempted",
            ContactAttempted,
            time_means="when that happened",
            feed="contacts",
            example={"clinic": "north", "therapist": "t-07", "by": "therapist", "reached": True},
        ),
    ),
)
