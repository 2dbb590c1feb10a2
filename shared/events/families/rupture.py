"""Strains in the alliance: noted, repaired."""

from typing import Final

from shared.events.family import EventType, Family, WithTherapist
from shared.events.fields import Choice, Integer
from shared.events.texts import Ref

NOTICING: Final = ("client", "therapist", "observer", "supervisor")
RUPTURE: Final = "The rupture; the same reference when it is repaired."


class RuptureNoted(WithTherapist):
    """A strain in the alliance was noticed."""

    rupture = Ref(RUPTURE, required=True)
    kind = Choice(
        "How it showed.", "withdrawal", "confrontation", "mixed", "unknown", required=True
    )
    noted_by = Choice("Who noticed it.", *NOTICING, required=True)
    intensity = Integer("From 1 slight to 5 grave.", 1, 5)
    session = Ref("The session in which it showed.")


class RuptureRepaired(WithTherapist):
    """A strain in the alliance was worked on, and how far it was resolved."""

    rupture = Ref(RUPTURE, required=True)
    resolution = Integer("From 1 not at all to 5 fully resolved.", 1, 5, required=True)
    noted_by = Choice("Who noticed it.", *NOTICING, required=True)
    session = Ref("The session in which that happened.")


FAMILY: Final = Family(
    "rupture",
    (
        EventType(
            "rupture.noted",
            RuptureNoted,
            time_means="when it was noticed",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "rupture": "ru-12",
                "kind": "withdrawal",
                "noted_by": "therapist",
                "intensity": 3,
                "session": "s-1041",
            },
        ),
        EventType(
            "rupture.repaired",
            RuptureRepaired,
            time_means="when it was noticed",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "rupture": "ru-12",
                "resolution": 4,
                "noted_by": "client",
                "session": "s-1042",
            },
        ),
    ),
)
