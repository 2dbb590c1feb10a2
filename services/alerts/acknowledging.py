"""Who was told of an alert and has not acknowledged it: each person for themselves.

Acknowledging says that one person has seen how an alert stands; it clears it for nobody. Once it
escalates whoever was told of that is asked anew. A recipient that is registered for no person
cannot acknowledge, and neither can whom a matter concerns: they do not know of it.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select

from services.alerts.ledger import LEDGER, OF_ITS_STEP, SENT, STEPS, WEBHOOK
from services.alerts.tables import shown
from shared.clock import parse_time, to_micros
from shared.storage.kept import recipients

ACKNOWLEDGED: Final = "acknowledged"


def not_yet(db: Connection, organisation: str, alert: Mapping[str, Any]) -> list[str]:
    """Return the opaque references of the people who were told and have not acknowledged.

    Args:
        db: Any transaction.
        organisation: Whose alert.
        alert: As it is shown, with its history.
    """
    latest = _acknowledged(alert)
    told = _told(db, organisation, alert["id"])
    return sorted(who for who, at in told.items() if latest.get(who, at - 1) < at)


def since(alert: Mapping[str, Any], person: str, told_at: int) -> bool:
    """Return whether somebody has acknowledged an alert since they were told of a step of it.

    Args:
        alert: As it is shown, with its history.
        person: Opaque reference of whom.
        told_at: When the step was decided, in microseconds since 1970.
    """
    return _acknowledged(alert).get(person, told_at - 1) >= told_at


def _acknowledged(alert: Mapping[str, Any]) -> dict[str, int]:
    """Return who has acknowledged an alert, each with when they did last."""
    latest: dict[str, int] = {}
    for entry in alert["history"]:
        if entry["step"] == ACKNOWLEDGED:
            at = to_micros(parse_time(entry["at"]))
            latest[entry["by"]] = max(at, latest.get(entry["by"], at))
    return latest


def _told(db: Connection, organisation: str, alert: str) -> dict[str, int]:
    """Return whom an alert does not concern and who was told of it, each with the latest step."""
    concerned = shown(db).concerned
    its = concerned.c.organisation == organisation, concerned.c.alert == alert
    theirs = and_(
        recipients.c.organisation == LEDGER.c.organisation, recipients.c.id == LEDGER.c.recipient
    )
    asked = (
        select(recipients.c.person, func.max(STEPS.c.decided_at).label("at"))
        .select_from(LEDGER)
        .join(STEPS, OF_ITS_STEP)
        .join(recipients, theirs)
        .where(
            LEDGER.c.organisation == organisation,
            LEDGER.c.alert == alert,
            LEDGER.c.channel == WEBHOOK,
            LEDGER.c.status == SENT,
            STEPS.c.kind.in_(("opened", "escalated")),
            recipients.c.person.is_not(None),
            recipients.c.person.not_in(select(concerned.c.person).where(*its)),
        )
        .group_by(recipients.c.person)
    )
    return {row.person: row.at for row in db.execute(asked)}
