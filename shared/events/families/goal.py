"""Goals of the therapy: agreed, rated, closed."""

from typing import Final

from shared.events.family import AGREEING, RATERS, EventType, Family, WithTherapist
from shared.events.fields import Choice, Number
from shared.events.schema import ListOf
from shared.events.texts import Ref

GOAL: Final = "The goal; the same reference from agreed to closed."


class GoalAgreed(WithTherapist):
    """A goal was agreed."""

    goal = Ref(GOAL, required=True)
    agreed_by = ListOf(
        Choice("", *AGREEING), "Everybody who agreed to it.", least=1, required=True
    )
    domain = Choice(
        "What part of life it is about.",
        "symptom",
        "relationships",
        "work",
        "self",
        "coping",
        "other",
        "unknown",
    )


class GoalRated(WithTherapist):
    """It was rated how far a goal is reached."""

    goal = Ref(GOAL, required=True)
    attainment = Number("From 0 not at all to 10 fully reached.", 0, 10, required=True)
    rater = Choice("Who rated it.", *RATERS, required=True)
    session = Ref("The session in which that happened.")


class GoalClosed(WithTherapist):
    """A goal was closed."""

    goal = Ref(GOAL, required=True)
    outcome = Choice(
        "How far it was reached.", "reached", "partly", "dropped", "unknown", required=True
    )


FAMILY: Final = Family(
    "goal",
    (
        EventType(
            "goal.agreed",
            GoalAgreed,
            time_means="when it was agreed",
            feed="goals",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "goal": "g-1",
                "agreed_by": ["client", "therapist"],
                "domain": "relationships",
            },
        ),
        EventType(
            "goal.rated",
            GoalRated,
            time_means="when it was rated",
            feed="goals",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "goal": "g-1",
                "attainment": 6,
                "rater": "client",
                "session": "s-1041",
            },
        ),
        EventType(
            "goal.closed",
            GoalClosed,
            time_means="when it was closed",
            feed="goals",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "goal": "g-1",
                "outcome": "reached",
            },
        ),
    ),
)
