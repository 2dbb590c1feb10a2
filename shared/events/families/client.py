"""What becomes of the references that stand for clients."""

from typing import Final

from shared.events.family import BeforeTherapist, EventType, Family
from shared.events.texts import ClientRef


class ClientMerged(BeforeTherapist):
    """Two references turned out to stand for one client.

    The subject's facts are read at `into`, whose timeline holds both histories.
    """

    into = ClientRef("The other reference, under which the client goes on.", required=True)


FAMILY: Final = Family(
    "client",
    (
        EventType(
            "client.merged",
            ClientMerged,
            time_means="when that happened",
            example={"clinic": "north", "into": "c-2093"},
        ),
    ),
)
