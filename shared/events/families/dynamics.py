"""Transference and countertransference, as the therapist notes them."""

from typing import Final

from shared.events.family import EventType, Family, WithTherapist
from shared.events.fields import Choice, Flag
from shared.events.texts import Ref


class DynamicsNoted(WithTherapist):
    """A pattern of transference or countertransference was noticed."""

    kind = Choice("Whose feelings.", "transference", "countertransference", required=True)
    pattern = Choice(
        "Which pattern.",
        "overwhelmed",
        "helpless",
        "positive",
        "overinvolved",
        "sexualised",
        "disengaged",
        "parental",
        "criticised",
        "other",
        "unknown",
    )
    taken_to_supervision = Flag("Whether it was taken to supervision.", required=True)
    session = Ref("The session in which it showed.")


FAMILY: Final = Family(
    "dynamics",
    (
        EventType(
            "dynamics.noted",
            DynamicsNoted,
            time_means="when it was noticed",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "kind": "countertransference",
                "pattern": "overinvolved",
                "taken_to_supervision": True,
                "session": "s-1041",
            },
        ),
    ),
)
