"""What became of a therapy session: booked, moved, cancelled, missed, held."""

from typing import Final

from shared.events.conditions import NotBefore
from shared.events.family import BeforeTherapist, EventType, Family, WithTherapist
from shared.events.fields import Choice, Integer
from shared.events.schema import ListOf
from shared.events.texts import AwareTime, Ref, StaffRef

MODALITIES: Final = ("in_person", "video", "phone", "text", "unknown")
KINDS: Final = (
    "assessment",
    "treatment",
    "review",
    "follow_up",
    "couple",
    "family",
    "group",
    "unknown",
)
PARTIES: Final = ("client", "therapist", "clinic", "unknown")
SESSION: Final = "The session; the same reference in everything that is said of it."


class SessionScheduled(BeforeTherapist):
    """A session was booked, or a new version of its booking was made.

    Sent again for the same session: without a change it has no effect; with another start or
    therapist it is a rescheduling by unknown; after a cancellation the session is booked again.
    """

    session = Ref(SESSION, required=True)
    starts_at = AwareTime("The planned start.", required=True)
    planned_minutes = Integer(
        "Planned contact time in minutes, not the slot in the diary.", 5, 480, required=True
    )
    modality = Choice("How client and therapist meet.", *MODALITIES)
    kind = Choice("What kind of session it is.", *KINDS)
    co_therapists = ListOf(StaffRef(""), "Further therapists who take part.", most=20)
    session_number = Integer("Its number in the course of care.", 1, 2000)


class SessionRescheduled(WithTherapist):
    """A booked session was given another start, or another therapist."""

    session = Ref(SESSION, required=True)
    starts_at = AwareTime("The new planned start.", required=True)
    planned_minutes = Integer("Planned contact time in minutes.", 5, 480)
    requested_by = Choice("Who asked for the change.", *PARTIES, required=True)
    to_therapist = StaffRef("The therapist who will hold it, when that changed.")


class SessionCancelled(BeforeTherapist):
    """A booked session was called off before its start."""

    session = Ref(SESSION, required=True)
    cancelled_by = Choice("Who called it off.", *PARTIES, required=True)
    reason = Choice(
        "Why.",
        "illness",
        "annual_leave",
        "emergency",
        "bank_holiday",
        "weather",
        "equipment",
        "technical",
        "conflict",
        "no_cover",
        "no_longer_needed",
        "other",
        "unknown",
    )


class SessionMissed(WithTherapist):
    """A booked session did not take place, and nobody had called it off."""

    session = Ref(SESSION, required=True)
    missed_by = Choice(
        "Who was not there.", "client", "therapist", "nobody", "unknown", required=True
    )
    reason = Choice(
        "Why.",
        "no_show",
        "arrived_too_late",
        "wrong_time",
        "technical",
        "emergency",
        "unknown",
    )


class SessionHeld(WithTherapist):
    """A session took place. One that was never booked is fine."""

    session = Ref(SESSION, required=True)
    started_at = AwareTime("When it started.", required=True)
    ended_at = AwareTime("When it ended; not before `started_at`.", required=True)
    client_arrival = Choice("How the client arrived.", "on_time", "late", "unknown")
    ended_early_by = Choice(
        "Who ended it before its planned end.", "client", "therapist", "technical", "unknown"
    )
    modality = Choice("How client and therapist met.", *MODALITIES)
    kind = Choice("What kind of session it was.", *KINDS)
    co_therapists = ListOf(StaffRef(""), "Further therapists who took part.", most=20)
    session_number = Integer("Its number in the course of care.", 1, 2000)

    conditions = (NotBefore("ended_at", "started_at"),)


FAMILY: Final = Family(
    "session",
    (
        EventType(
            "session.scheduled",
            SessionScheduled,
            time_means="when it was booked, or when this version of the booking was made",
            feed="sessions",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "session": "s-1041",
                "starts_at": "2026-05-12T14:00:00+02:00",
                "planned_minutes": 50,
                "modality": "in_person",
                "kind": "treatment",
            },
        ),
        EventType(
            "session.rescheduled",
            SessionRescheduled,
            time_means="when the change was made",
            feed="sessions",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "session": "s-1041",
                "starts_at": "2026-05-13T10:00:00+02:00",
                "requested_by": "client",
            },
        ),
        EventType(
            "session.cancelled",
            SessionCancelled,
            time_means="when it was cancelled",
            feed="sessions",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "session": "s-1041",
                "cancelled_by": "therapist",
                "reason": "illness",
                "source_code": "4",
            },
        ),
        EventType(
            "session.missed",
            SessionMissed,
            time_means="the planned start",
            feed="sessions",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "session": "s-1041",
                "missed_by": "client",
                "reason": "no_show",
            },
        ),
        EventType(
            "session.held",
            SessionHeld,
            time_means="when it ended",
            feed="sessions",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "session": "s-1041",
                "started_at": "2026-05-12T14:02:00+02:00",
                "ended_at": "2026-05-12T14:51:00+02:00",
                "client_arrival": "on_time",
            },
        ),
    ),
)
