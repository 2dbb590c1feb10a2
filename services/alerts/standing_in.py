"""Who is told after all, where an alert turns out to concern everybody who was told of it.

A correction may name, as whom a boundary event concerns, the only one who was told of it. What
they were told cannot be unsaid; but somebody else must know of it: whoever is addressed as well,
the alternate, or governance. They are told of the step that was told last, once.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, select

from services.alerts import notices
from services.alerts.audience import FALLBACK, audience
from services.alerts.ledger import (
    CANCELLED,
    LEDGER,
    NOBODY,
    OF_ITS_STEP,
    PENDING,
    STEPS,
    UNDELIVERABLE,
    WEBHOOK,
)
from services.alerts.steps import Decided
from shared.alliance.matters import UNKNOWN
from shared.storage.accounts import Recipient
from shared.storage.engine import insert_or_nothing

_NOBODY_CAN: Final = {NOBODY: UNDELIVERABLE}


def tell(db: Connection, step: Decided, recipients: Sequence[Recipient]) -> None:
    """Tell whoever stands in, where nobody else was told.

    Where nobody can stand in it is undeliverable: counted, so that somebody sees it.

    Args:
        db: The transaction that saves the judgement.
        step: The one that says whom the alert concerns now.
        recipients: Every recipient of the organisation.
    """
    told, concerned = _told_last(db, step), step.concerned - {UNKNOWN}
    # Whose recipient was removed reads there no more, whoever they were.
    may_know = {one.id for one in recipients if not one.disabled and one.person not in concerned}
    if not told or any(row.recipient in may_know for row in told):
        return
    last = told[0]
    found: tuple[str, ...] = ()
    for roles in (orjson.loads(last.body)["tell"], (FALLBACK,)):
        found = (
            found
            or audience(
                recipients,
                roles=roles,
                clinics=step.subject.clinics,
                therapist=step.subject.therapist,
                concerned=concerned,
            ).recipients
        )
    rows = [
        notices.telling(last, recipient, status, step.decided_at)
        for recipient, status in (dict.fromkeys(found, PENDING) or _NOBODY_CAN).items()
    ]
    db.execute(insert_or_nothing(db, LEDGER), rows)


def _told_last(db: Connection, step: Decided) -> list[Row[Any]]:
    """Return who was told, or soon is, of the latest step of an alert that anybody is told of."""
    asked = (
        select(LEDGER, STEPS.c.body)
        .join(STEPS, OF_ITS_STEP)
        .where(
            LEDGER.c.organisation == step.subject.organisation,
            LEDGER.c.alert == step.alert,
            LEDGER.c.channel == WEBHOOK,
            LEDGER.c.recipient != NOBODY,
            LEDGER.c.status != CANCELLED,
            STEPS.c.kind.in_(("opened", "escalated")),
        )
        .order_by(LEDGER.c.number.desc(), LEDGER.c.recipient)
    )
    rows = db.execute(asked).all()
    return [row for row in rows if row.number == rows[0].number]
