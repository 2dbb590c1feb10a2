"""A course of care: referred, started, paused, resumed, transferred, ended."""

from typing import Final

from shared.events.conditions import ExactlyOne
from shared.events.family import BeforeTherapist, EventType, Family
from shared.events.fields import Choice, Flag, Integer
from shared.events.schema import ListOf, Part, Schema
from shared.events.texts import AwareTime, LocalDate, Ref, StaffRef


class Measure(Schema):
    """How often one questionnaire is to be filled in."""

    instrument = Ref("The instrument's key, such as `phq-9`.", required=True)
    every_sessions = Integer("Once in so many sessions.", 1, 52)
    every_days = Integer("Once in so many days.", 1, 366)

    conditions = (ExactlyOne(("every_sessions", "every_days")),)


class CareReferred(BeforeTherapist):
    """Somebody was referred to a clinic."""

    urgency = Choice("How soon they are to be seen.", "routine", "urgent", "unknown")


class CareStarted(BeforeTherapist):
    """A course of care was accepted and began."""

    referred_at = AwareTime("When the client was referred.")
    agreed_interval_days = Integer("Agreed days between sessions.", 1, 90)
    planned_sessions = Integer("How many sessions were agreed.", 1, 500)
    therapy = Choice(
        "The kind of therapy.",
        "cognitive_behavioural",
        "psychodynamic",
        "person_centred",
        "systemic",
        "integrative",
        "counselling",
        "other",
        "unknown",
    )
    measures = ListOf(
        Part(Measure, ""), "Which questionnaires were agreed, and their rhythm.", most=50
    )


class CarePaused(BeforeTherapist):
    """A course of care was interrupted by agreement or of necessity."""

    reason = Choice(
        "Why.",
        "client_request",
        "illness",
        "clinic_closure",
        "therapist_leave",
        "other",
        "unknown",
        required=True,
    )
    until = LocalDate("The last day of the pause, where it is known.")


class CareResumed(BeforeTherapist):
    """A paused course of care went on."""


class CareTransferred(BeforeTherapist):
    """A course of care went over to another therapist."""

    to_therapist = StaffRef("The therapist from then on.", required=True)
    planned = Flag("Whether the change had been planned with the client.", required=True)
    reason = Choice(
        "Why.",
        "therapist_left",
        "client_request",
        "fit",
        "capacity",
        "conflict",
        "other",
        "unknown",
    )


class CareEnded(BeforeTherapist):
    """A course of care ended."""

    reason = Choice(
        "Why.",
        "agreed",
        "ended_earlier_than_planned",
        "provider_ended",
        "referred_on",
        "declined",
        "unsuitable",
        "advice_only",
        "not_assessed",
        "funding_ended",
        "moved_away",
        "service_closed",
        "died",
        "unknown",
        required=True,
    )


FAMILY: Final = Family(
    "care",
    (
        EventType(
            "care.referred",
            CareReferred,
            time_means="when the client was referred",
            example={"clinic": "north", "urgency": "routine"},
        ),
        EventType(
            "care.started",
            CareStarted,
            time_means="when the clinic accepted the client",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "referred_at": "2026-04-02T09:00:00+02:00",
                "agreed_interval_days": 7,
                "planned_sessions": 20,
                "therapy": "cognitive_behavioural",
                "measures": [
                    {"instrument": "srs-3", "every_sessions": 1},
                    {"instrument": "phq-9", "every_days": 28},
                ],
            },
        ),
        EventType(
            "care.paused",
            CarePaused,
            time_means="from when it is paused",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "reason": "client_request",
                "until": "2026-06-14",
            },
        ),
        EventType(
            "care.resumed",
            CareResumed,
            time_means="from when it goes on",
            example={"clinic": "north", "therapist": "t-07"},
        ),
        EventType(
            "care.transferred",
            CareTransferred,
            time_means="from when the other therapist holds it",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "to_therapist": "t-11",
                "planned": True,
                "reason": "capacity",
            },
        ),
        EventType(
            "care.ended",
            CareEnded,
            time_means="from when it is over",
            example={"clinic": "north", "therapist": "t-07", "reason": "agreed"},
        ),
    ),
)
