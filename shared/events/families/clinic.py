"""What holds for a whole clinic."""

from typing import Final

from shared.events.conditions import NotBefore
from shared.events.family import EventType, Family, Sent
from shared.events.fields import Choice
from shared.events.schema import ListOf
from shared.events.texts import LocalDate, Ref, TimeZone


class ClinicConfigured(Sent):
    """A clinic's zone, working days and holidays were set, and what its systems send."""

    clinic = Ref("The clinic.", required=True)
    timezone = TimeZone("Its IANA time zone.", required=True)
    working_days = ListOf(
        Choice("", "mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        "The days on which it works; Monday to Friday until they are said. Left out, they stay.",
        least=1,
        most=7,
    )
    holidays = ListOf(LocalDate(""), "Days on which it does not work.", most=1000)
    sends = ListOf(
        Choice(
            "",
            "sessions",
            "ratings",
            "boundary",
            "goals",
            "plan",
            "supervision",
            "contacts",
            "leave",
        ),
        "What this clinic's systems are known to send: arms the rules that need it.",
    )


class ClinicClosed(Sent):
    """A clinic is closed for some days."""

    clinic = Ref("The clinic.", required=True)
    from_ = LocalDate("The first day.", required=True, key="from")
    until = LocalDate("The last day; not before `from`.", required=True)
    reason = Choice("Why.", "bank_holiday", "closure", "emergency", required=True)

    conditions = (NotBefore("until", "from"),)


FAMILY: Final = Family(
    "clinic",
    (
        EventType(
            "clinic.configured",
            ClinicConfigured,
            time_means="when that was decided",
            scope="clinic",
            example={
                "clinic": "north",
                "timezone": "Europe/Berlin",
                "working_days": ["mon", "tue", "wed", "thu", "fri"],
                "holidays": ["2026-05-14", "2026-05-25"],
                "sends": ["sessions", "ratings", "boundary"],
            },
        ),
        EventType(
            "clinic.closed",
            ClinicClosed,
            time_means="when it was announced",
            scope="clinic",
            example={
                "clinic": "north",
                "from": "2026-12-24",
                "until": "2027-01-01",
                "reason": "closure",
            },
        ),
    ),
)
