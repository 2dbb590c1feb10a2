"""What Rapport alone writes: the clock, the feeds, people's actions on alerts, alert steps."""

from typing import Final

from shared.events.family import Data, EventType, Family, Scope
from shared.events.fields import Choice, Flag, Integer
from shared.events.schema import ListOf, OpenObject, Part, Schema
from shared.events.texts import AwareTime, LocalDate, Ref, Text, TypeName

URGENCIES: Final = ("information", "attention", "urgent")


class ClockTicked(Schema):
    """Time went on. Deadlines are judged against the latest tick, never against a wall clock."""

    tick_at = AwareTime("The present at the tick.", required=True)


class FeedSeen(Schema):
    """A type was seen from a clinic for the first time."""

    clinic = Ref("The clinic.", required=True)
    type = TypeName("The type that was seen.", required=True)


class FeedChanged(Schema):
    """A source fell silent, or spoke again."""

    source = Ref("The registered source.", required=True)
    clinics = ListOf(Ref(""), "The clinics that it had sent for.", most=100_000, required=True)


class AlertAction(Schema):
    """Somebody did something about an alert."""

    alert = Ref("The alert.", required=True)
    by = Ref("The opaque reference of the person.", required=True)


class AlertSnoozed(AlertAction):
    """Somebody hid an alert until a day, or until it escalates."""

    until = LocalDate("The last day on which it is hidden.", required=True)


class AlertCommented(AlertAction):
    """Somebody said, by a code, what they did about an alert."""

    code = Choice(
        "What was done.",
        "spoke_to_therapist",
        "spoke_to_client",
        "supervision",
        "waiting",
        "other",
        required=True,
    )


class ClientErased(Schema):
    """Everything of a client was erased; the subject says whose."""


class Evidence(Schema):
    """A fact that an alert stands on."""

    event = Ref("The event.", required=True)
    type = TypeName("Its type.", required=True)
    occurred_at = AwareTime("When it happened.", required=True)
    clinic = Ref("Present where it happened at another clinic than the alert's.")


class NotCounted(Schema):
    """What was left out of an alert's figures, and why."""

    reason = Ref("Why.", required=True)
    n = Integer("How many.", 0, required=True)


class Alert(Schema):
    """An alert as it stood after a step."""

    id = Ref("The alert.", required=True)
    client = Ref("The client; for an alert about a feed, the source.", required=True)
    clinic = Ref("The clinic.", required=True, nullable=True)
    therapist = Ref("The therapist.", required=True, nullable=True)
    rule = Ref("The rule.", required=True)
    rule_version = Integer("Its version.", 1, required=True)
    family = Choice(
        "What it is about.",
        "consistency",
        "trust",
        "boundary",
        "outcome",
        "combined",
        "feed",
        required=True,
    )
    urgency = Choice("How soon to look.", *URGENCIES, required=True)
    state = Choice("What became of it.", "open", "snoozed", "resolved", "retracted", required=True)
    historical = Flag("Whether it was history when it became known.", required=True)
    effective_at = AwareTime("Since when it holds.", required=True)
    known_at = AwareTime("Since when that is known.", required=True)
    cleared_at = AwareTime("Since when it no longer holds.", required=True, nullable=True)
    title = Text("What was observed.", required=True)
    explanation = Text("Why, with the numbers in it.", required=True)
    numbers = OpenObject("The figures by name.", required=True)
    settings = OpenObject("The settings that it was judged by.", required=True)
    evidence = ListOf(Part(Evidence, ""), "What it stands on.", most=10_000, required=True)
    not_counted = ListOf(Part(NotCounted, ""), "What was left out.", required=True)
    next_steps = ListOf(Text(""), "What one could do.", required=True)
    tell = ListOf(
        Choice(
            "",
            "therapist",
            "supervisor",
            "leadership",
            "governance",
            "safeguarding",
            "operations",
        ),
        "Who is told.",
        required=True,
    )
    concerns_hidden = Flag("Whether it is hidden from somebody whom it concerns.", required=True)
    group = Ref("The group of alerts that it is told with.", required=True, nullable=True)
    acknowledged_by = ListOf(Ref(""), "Who has acknowledged it.", most=10_000, required=True)
    snoozed_until = LocalDate("The last day on which it is hidden.", required=True, nullable=True)
    history = ListOf(OpenObject(""), "Its steps so far.", most=10_000, required=True)
    absorbed_by = Ref(
        "Present where nobody is told of the step by itself: the combined alert that tells of it."
    )
    settled = Flag(
        "Present, and true, where the step is no news: other rules held it when they took over."
    )
    untold = Flag(
        "Present, and true, where it was taken back before anybody was told: it is shown nowhere."
    )


class AlertResolved(AlertAction):
    """Somebody resolved an alert; or, as a step, its condition has cleared."""

    reason = Choice("Why.", "handled", "not_relevant", "wrong_data", "other", required=True)

    forms = (("id", Alert),)


_ACTION: Final = {
    "alert": "5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55",
    "by": "th_8c41d2f09b7e6a5d4c3b2a19",
}
_ALERT: Final = {
    "id": "5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55",
    "client": "cl_3f9c2b7a1d4e5f6071829304",
    "clinic": "north",
    "therapist": "th_8c41d2f09b7e6a5d4c3b2a19",
    "rule": "therapist-cancellations",
    "rule_version": 1,
    "family": "consistency",
    "urgency": "attention",
    "state": "open",
    "historical": False,
    "effective_at": "2026-05-12T12:00:00Z",
    "known_at": "2026-05-12T12:00:03Z",
    "cleared_at": None,
    "title": "2 of the last 8 sessions were cancelled by the clinic or therapist",
    "explanation": "Of the last 8 booked sessions, 2 were cancelled by the clinic or therapist.",
    "numbers": {"cancelled": 2, "booked": 8},
    "settings": {"window_sessions": 8, "attention": 2, "urgent": 3},
    "evidence": [
        {
            "event": "0d5c3b6e-51f5-5b5e-8f0f-3f2a6d0c9b11",
            "type": "session.cancelled",
            "occurred_at": "2026-05-12T12:00:00Z",
        }
    ],
    "not_counted": [{"reason": "annual_leave", "n": 1}],
    "next_steps": ["Ask the therapist what would help to keep the next sessions."],
    "tell": ["supervisor", "leadership"],
    "concerns_hidden": False,
    "group": None,
    "acknowledged_by": [],
    "snoozed_until": None,
    "history": [{"step": "opened", "at": "2026-05-12T12:00:03Z", "urgency": "attention"}],
}


def _own(
    name: str, schema: type[Schema], time_means: str, scope: Scope, example: Data
) -> EventType:
    return EventType(
        name, schema, time_means=time_means, scope=scope, writer="rapport", example=example
    )


FAMILY: Final = Family(
    "rapport",
    (
        _own(
            "clock.ticked",
            ClockTicked,
            "the present at the tick",
            "clinic",
            {"tick_at": "2026-05-12T12:15:00Z"},
        ),
        _own(
            "feed.seen",
            FeedSeen,
            "when the type was first seen from there",
            "clinic",
            {"clinic": "north", "type": "rating.given"},
        ),
        _own(
            "feed.silent",
            FeedChanged,
            "the source's last record and the limit of its silence",
            "clinic",
            {"source": "src_1f2e3d4c5b6a798897a6b5c4", "clinics": ["north"]},
        ),
        _own(
            "feed.resumed",
            FeedChanged,
            "when the source spoke again",
            "clinic",
            {"source": "src_1f2e3d4c5b6a798897a6b5c4", "clinics": ["north"]},
        ),
        _own("alert.acknowledged", AlertAction, "when that was done", "either", _ACTION),
        _own(
            "alert.snoozed",
            AlertSnoozed,
            "when that was done",
            "either",
            {**_ACTION, "until": "2026-05-18"},
        ),
        _own(
            "alert.resolved",
            AlertResolved,
            "when that was done, or since when the condition has cleared",
            "either",
            {**_ACTION, "reason": "handled"},
        ),
        _own(
            "alert.commented",
            AlertCommented,
            "when that was done",
            "either",
            {**_ACTION, "code": "spoke_to_therapist"},
        ),
        _own("client.erased", ClientErased, "when that was done", "client", {}),
        _own("alert.opened", Alert, "since when it holds", "either", _ALERT),
        _own(
            "alert.escalated",
            Alert,
            "since when it is more urgent",
            "either",
            {**_ALERT, "urgency": "urgent"},
        ),
        _own("alert.revised", Alert, "when late facts changed it", "either", _ALERT),
        _own(
            "alert.retracted",
            Alert,
            "when a correction voided it",
            "either",
            {**_ALERT, "state": "retracted"},
        ),
    ),
)
