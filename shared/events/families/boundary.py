"""The boundary register: facts first; whether it was a violation is a later judgement."""

from typing import Final

from shared.events.conditions import RequiredWhen
from shared.events.family import EventType, Family, WithTherapist
from shared.events.fields import Choice, Flag, Integer
from shared.events.schema import ListOf
from shared.events.texts import LocalDate, Ref, StaffRef

BOUNDARY_EVENT: Final = "The boundary event; the same reference from noted to closed."
SEVERITY: Final = (
    "0 therapeutic and discussed, 1 minor, 2 concern, 3 violation without lasting harm, "
    "4 serious; Rapport's own scale, not validated."
)


class BoundaryNoted(WithTherapist):
    """Something touched the boundaries of the relationship, and was reported."""

    boundary_event = Ref(BOUNDARY_EVENT, required=True)
    happened_on = LocalDate("The day it happened.")
    area = Choice(
        "Which boundary it touched.",
        "role",
        "time",
        "place",
        "money",
        "gifts",
        "clothing",
        "language",
        "self_disclosure",
        "physical_contact",
        "dual_relationship",
        "contact_outside",
        "social_media",
        "sexual",
        "confidentiality",
        "abandonment",
        "dependency",
        "fitness",
        "other",
        required=True,
    )
    about = Choice(
        "Whose conduct it is about.", "therapist", "client", "staff", "other", required=True
    )
    concerns = StaffRef(
        "The therapist or member of staff whom it is about, who will never read it; "
        "may differ from `therapist`."
    )
    reported_by = Choice(
        "Who reported it.",
        "client",
        "therapist",
        "supervisor",
        "colleague",
        "parent_or_carer",
        "third_party",
        "unknown",
        required=True,
    )
    reporter_protected = Flag("Whether who reported it is to be hidden.")
    severity = Integer(f"Provisional: {SEVERITY}", 0, 4)
    harm_physical = Choice(
        "Physical harm.", "none", "low", "moderate", "severe", "fatal", "unknown"
    )
    harm_psychological = Choice(
        "Psychological harm.", "none", "low", "moderate", "severe", "unknown"
    )
    discussed_with_client = Flag("Whether it was talked over with the client.")
    session = Ref("The session in which it happened.")

    conditions = (RequiredWhen("concerns", "about", ("therapist", "staff")),)


class BoundaryAssessed(WithTherapist):
    """A named role judged a boundary event; the latest judgement counts."""

    boundary_event = Ref(BOUNDARY_EVENT, required=True)
    assessment = Choice(
        "The judgement.", "crossing", "violation", "neither", "undetermined", required=True
    )
    severity = Integer(SEVERITY, 0, 4, required=True)
    assessed_by = Choice(
        "Which role judged.",
        "supervisor",
        "clinical_lead",
        "safeguarding",
        "governance",
        required=True,
    )
    aggravators = ListOf(
        Choice(
            "",
            "breach_of_trust",
            "pattern",
            "no_insight",
            "no_remediation",
            "harm",
            "vulnerability",
            "dishonesty",
            "failure_to_raise",
            "abuse_of_position",
        ),
        "What makes it weigh more.",
    )


class BoundaryActedOn(WithTherapist):
    """Something was done about a boundary event."""

    boundary_event = Ref(BOUNDARY_EVENT, required=True)
    action = Choice(
        "What was done.",
        "supervision",
        "client_informed",
        "therapist_changed",
        "training",
        "safeguarding_referral",
        "regulator",
        "police",
        "policy",
        "other",
        required=True,
    )


class BoundaryClosed(WithTherapist):
    """A boundary event was closed."""

    boundary_event = Ref(BOUNDARY_EVENT, required=True)
    outcome = Choice(
        "With what outcome.",
        "upheld",
        "partly_upheld",
        "not_upheld",
        "not_a_boundary_matter",
        "merged",
        required=True,
    )
    merged_into = Ref("The boundary event that goes on in its place.")

    conditions = (RequiredWhen("merged_into", "outcome", ("merged",)),)


class BoundaryReopened(WithTherapist):
    """A closed boundary event was taken up again."""

    boundary_event = Ref(BOUNDARY_EVENT, required=True)
    reason = Choice("Why.", "new_information", "appeal", "error", required=True)


FAMILY: Final = Family(
    "boundary",
    (
        EventType(
            "boundary.noted",
            BoundaryNoted,
            time_means="when it was reported",
            feed="boundary",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "boundary_event": "b-301",
                "happened_on": "2026-05-11",
                "area": "contact_outside",
                "about": "therapist",
                "concerns": "t-07",
                "reported_by": "client",
                "reporter_protected": False,
                "severity": 2,
                "discussed_with_client": True,
            },
        ),
        EventType(
            "boundary.assessed",
            BoundaryAssessed,
            time_means="when it was judged",
            feed="boundary",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "boundary_event": "b-301",
                "assessment": "crossing",
                "severity": 1,
                "assessed_by": "supervisor",
                "aggravators": ["pattern"],
            },
        ),
        EventType(
            "boundary.acted_on",
            BoundaryActedOn,
            time_means="when it was done",
            feed="boundary",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "boundary_event": "b-301",
                "action": "supervision",
            },
        ),
        EventType(
            "boundary.closed",
            BoundaryClosed,
            time_means="when that was decided",
            feed="boundary",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "boundary_event": "b-301",
                "outcome": "upheld",
            },
        ),
        EventType(
            "boundary.reopened",
            BoundaryReopened,
            time_means="when that was decided",
            feed="boundary",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "boundary_event": "b-301",
                "reason": "new_information",
            },
        ),
    ),
)
