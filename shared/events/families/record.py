"""Amendments: what was sent before is corrected or taken back; nothing is ever rewritten."""

from typing import Final

from shared.events.family import BeforeTherapist, EventType, Family
from shared.events.fields import Choice
from shared.events.schema import OpenObject, Part, Schema
from shared.events.texts import AwareTime, EventId, Ref, TypeName, UriReference

SOURCE: Final = "Its CloudEvents source; the amendment's own when left out."


class TargetEvent(Schema):
    """The event that is amended, as it was sent."""

    id = EventId("Its CloudEvents id.", required=True)
    type = TypeName("Its type.", required=True)
    source = UriReference(SOURCE)


class TargetThing(Schema):
    """A session, rating …: everything that was or will be said of it."""

    kind = Choice(
        "What it is.",
        "session",
        "rating",
        "goal",
        "boundary_event",
        "rupture",
        "assignment",
        required=True,
    )
    ref = Ref("Its reference.", required=True)


class Target(TargetEvent):
    """What is taken back: one event, or everything of one thing."""

    forms = (("kind", TargetThing), ("ref", TargetThing))


class RecordCorrected(BeforeTherapist):
    """An event was wrong; this is its whole new data.

    To correct a correction, correct its original again; the latest standing one counts.
    """

    target = Part(TargetEvent, "The event that is corrected.", required=True)
    data = OpenObject("The whole new data, by the schema of the target's type.", required=True)
    corrected_time = AwareTime("The right `time`, where that was wrong too.")


class RecordRetracted(BeforeTherapist):
    """An event, or everything of one thing, is taken back.

    Retracting a correction cancels it; retracting a retraction restores.
    """

    target = Part(Target, "What is taken back.", required=True)
    reason = Choice(
        "Why.", "entered_in_error", "wrong_client", "duplicate", "other", required=True
    )


FAMILY: Final = Family(
    "record",
    (
        EventType(
            "record.corrected",
            RecordCorrected,
            time_means="when the correction was made",
            scope="either",
            amends="corrects",
            example={
                "clinic": "north",
                "target": {"id": "evt-880", "type": "rapport.session.missed"},
                "data": {
                    "clinic": "north",
                    "therapist": "t-07",
                    "session": "s-1041",
                    "missed_by": "therapist",
                },
            },
        ),
        EventType(
            "record.retracted",
            RecordRetracted,
            time_means="when it was taken back",
            scope="either",
            amends="retracts",
            example={
                "clinic": "north",
                "target": {"id": "evt-880", "type": "rapport.session.missed"},
                "reason": "entered_in_error",
            },
        ),
    ),
)
