"""How an organisation sets its rules."""

from typing import Final

from shared.events.family import EventType, Family, Sent
from shared.events.fields import Flag
from shared.events.schema import MapOf, Setting
from shared.events.texts import Ref


class RuleConfigured(Sent):
    """A rule was set for a clinic, or for all; from the event's time on."""

    rule = Ref(
        "The rule, such as `session-gap`; `delivery` for how alerts are told.", required=True
    )
    clinic = Ref("The clinic; all clinics when left out.")
    settings = MapOf(Setting(""), "The rule's settings by name, those that differ.", least=0)
    enabled = Flag("True arms it, false switches it off.")
    shadow = Flag("True: it judges, and nobody is told.")


FAMILY: Final = Family(
    "rule",
    (
        EventType(
            "rule.configured",
            RuleConfigured,
            time_means="from when it applies",
            scope="clinic",
            example={
                "rule": "session-gap",
                "clinic": "north",
                "settings": {"attention_ratio": 1.75},
                "enabled": True,
            },
        ),
    ),
)
