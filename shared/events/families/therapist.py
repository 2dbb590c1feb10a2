"""What concerns a therapist: absence, supervision."""

from typing import Final

from shared.events.conditions import NotBefore
from shared.events.family import EventType, Family, Sent
from shared.events.fields import Choice
from shared.events.schema import ListOf
from shared.events.texts import LocalDate, Ref, StaffRef


class TherapistAway(Sent):
    """A therapist is away for some days."""

    clinic = Ref("The clinic.", required=True)
    therapist = StaffRef("The therapist.", required=True)
    from_ = LocalDate("The first day.", required=True, key="from")
    until = LocalDate("The last day, where it is known; not before `from`.")
    kind = Choice("Why.", "annual_leave", "sickness", "parental", "study", "other", required=True)
    cover = StaffRef("Who holds their sessions meanwhile.")

    conditions = (NotBefore("until", "from"),)


class SupervisionHeld(Sent):
    """A therapist had supervision: about one client with a subject, in general without."""

    clinic = Ref("The clinic.", required=True)
    therapist = StaffRef("The therapist.", required=True)
    care = Ref("The course of care, with a subject; `main` when left out.")
    topics = ListOf(
        Choice(
            "",
            "alliance",
            "rupture",
            "boundary",
            "transference",
            "countertransference",
            "risk",
            "progress",
            "other",
        ),
        "What it was about.",
        least=1,
        required=True,
    )


FAMILY: Final = Family(
    "therapist",
    (
        EventType(
            "therapist.away",
            TherapistAway,
            time_means="when it was announced",
            scope="clinic",
            feed="leave",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "from": "2026-08-03",
                "until": "2026-08-21",
                "kind": "annual_leave",
                "cover": "t-11",
            },
        ),
        EventType(
            "supervision.held",
            SupervisionHeld,
            time_means="when it was held",
            scope="either",
            feed="supervision",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "topics": ["alliance", "countertransference"],
            },
        ),
    ),
)
