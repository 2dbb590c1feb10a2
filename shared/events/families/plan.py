"""The plan of the therapy: its reviews, assignments, setbacks, and the plan against relapse."""

from typing import Final

from shared.events.family import AGREEING, EventType, Family, WithTherapist
from shared.events.fields import Choice, Flag
from shared.events.schema import ListOf
from shared.events.texts import AwareTime, Ref

ASSIGNMENT: Final = "The assignment; the same reference when it is completed."


class PlanReviewed(WithTherapist):
    """The plan of the therapy was reviewed."""

    with_client = Flag("Whether the client took part.", required=True)
    adapted = Flag("Whether the plan was changed.", required=True)
    because = Choice(
        "What led to it.",
        "client_feedback",
        "rating",
        "setback",
        "rupture",
        "supervision",
        "routine",
        "other",
    )


class AssignmentSet(WithTherapist):
    """Something was agreed to be done between sessions."""

    assignment = Ref(ASSIGNMENT, required=True)
    due_at = AwareTime("By when.")


class AssignmentCompleted(WithTherapist):
    """It was told how far an assignment was done."""

    assignment = Ref(ASSIGNMENT, required=True)
    extent = Choice("How far it was done.", "full", "partial", "none", required=True)


class SetbackNoted(WithTherapist):
    """A setback was noticed."""

    severity = Choice("How grave it is.", "mild", "moderate", "severe", required=True)
    kind = Choice("What it is.", "relapse", "brief_return", "life_event", "other", "unknown")


class RelapsePlanAgreed(WithTherapist):
    """A plan against relapse was agreed."""

    agreed_by = ListOf(
        Choice("", *AGREEING), "Everybody who agreed to it.", least=1, required=True
    )


FAMILY: Final = Family(
    "plan",
    (
        EventType(
            "plan.reviewed",
            PlanReviewed,
            time_means="when that happened",
            feed="plan",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "with_client": True,
                "adapted": True,
                "because": "client_feedback",
            },
        ),
        EventType(
            "assignment.set",
            AssignmentSet,
            time_means="when that happened",
            feed="plan",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "assignment": "a-9",
                "due_at": "2026-05-19T14:00:00+02:00",
            },
        ),
        EventType(
            "assignment.completed",
            AssignmentCompleted,
            time_means="when that happened",
            feed="plan",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "assignment": "a-9",
                "extent": "partial",
            },
        ),
        EventType(
            "setback.noted",
            SetbackNoted,
            time_means="when that happened",
            feed="plan",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "severity": "moderate",
                "kind": "brief_return",
            },
        ),
        EventType(
            "relapse_plan.agreed",
            RelapsePlanAgreed,
            time_means="when that happened",
            feed="plan",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "agreed_by": ["client", "therapist"],
            },
        ),
    ),
)
