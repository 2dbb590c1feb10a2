"""Who is told after all, where nobody whom an alert does not concern has been told of it.

A correction may name, as whom a boundary event concerns, the only one who was told of it. What
they were told cannot be unsaid; but somebody else must know of it: whoever is addressed as well,
the alternate, or governance. They are told of the step that was told last, once. So it is where
the notice of the only one whom it does not concern was given up: it never reached them.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, select

from services.alerts import notices
from services.alerts.audience import FALLBACK
from services.alerts.latest import ITS_BODY, ITS_LAST, LAST, STANDS, clinics_of, readers
from services.alerts.ledger import (
    GIVEN_UP,
    HUSHED,
    LEDGER,
    NOBODY,
    OF_ITS_STEP,
    PENDING,
    STEPS,
    UNDELIVERABLE,
    UNSAID,
    WEBHOOK,
)
from services.alerts.outbox import Due
from services.alerts.steps import Decided
from shared.alliance.matters import UNKNOWN
from shared.storage.accounts import Recipient
from shared.storage.engine import insert_or_nothing

TOLD_ALOUD: Final = ("opened", "escalated")
"""Of other steps nobody else has anything to learn."""


def tell(db: Connection, step: Decided, recipients: Sequence[Recipient]) -> None:
    """Tell whoever stands in, where nobody else was told.

    Where nobody can stand in it is undeliverable: counted, so that somebody sees it.

    Args:
        db: The transaction that saves the judgement.
        step: The one that says whom the alert concerns now.
        recipients: Every recipient of the organisation.
    """
    told = _told_last(db, step.subject.organisation, step.alert)
    now = HUSHED if step.muted else PENDING
    _tell(db, told, recipients, step.subject.clinics, step.concerned, step.decided_at, now)


def after_giving_up(
    db: Connection, due: Due, recipients: Sequence[Recipient], now: datetime
) -> None:
    """Tell whoever stands in, where a notice was given up and those who had it are concerned.

    Where an alert concerns nobody, all who are addressed were told at once: of those, nobody is
    left who could stand in.

    Args:
        db: The transaction that gives it up, alone in its organisation.
        due: What was given up: a notice, or a message of many alerts.
        recipients: Every recipient of the organisation.
        now: The present.
    """
    for alert in due.body["alerts"] if due.kind in notices.KINDS else [due.alert]:
        told = _told_last(db, due.organisation, alert)
        if not told or not set(told[0].concerned) - {UNKNOWN}:
            continue
        last = orjson.loads(told[0].last_body)
        if last["state"] != "retracted":
            clinics = clinics_of(told[0].clinics, last["clinic"])
            _tell(db, told, recipients, clinics, told[0].concerned, now)


def instead(
    recipients: Sequence[Recipient],
    body: Mapping[str, Any],
    clinics: Collection[str],
    concerned: Collection[str],
    tried: Collection[str] = (),
) -> dict[str, str]:
    """Return who is told where others must not be, or were not reached, each with a status.

    Args:
        recipients: Every recipient of the organisation.
        body: The alert as it stood after the step that is told.
        clinics: Those that it is about.
        concerned: The staff whom it concerns.
        tried: Whose notice of it was given up.
    """
    left = [one for one in recipients if one.id not in tried]
    for roles in (body["tell"], (FALLBACK,)):
        found = readers(left, {**body, "tell": roles}, clinics, concerned).recipients
        if found:
            return dict.fromkeys(found, PENDING)
    return {NOBODY: UNDELIVERABLE}


def _tell(
    db: Connection,
    told: Sequence[Row[Any]],
    recipients: Sequence[Recipient],
    clinics: Collection[str],
    concerned: Collection[str],
    at: datetime,
    status: str = PENDING,
) -> None:
    # Whose recipient was removed reads there no more, whoever they were.
    may_know = {one.id for one in recipients if not one.disabled and one.person not in concerned}
    tried = {row.recipient for row in told if row.status == GIVEN_UP}
    if not told or any(row.recipient in may_know - tried for row in told):
        return
    last = told[0]
    found = instead(recipients, orjson.loads(last.body), clinics, concerned, tried)
    rows = [
        notices.telling(last, one, status if said == PENDING else said, at)
        for one, said in found.items()
    ]
    db.execute(insert_or_nothing(db, LEDGER), rows)


def _told_last(db: Connection, organisation: str, alert: str) -> list[Row[Any]]:
    """Return who was told, or soon is, of the latest step of an alert that anybody is told of."""
    asked = (
        select(LEDGER, STEPS.c.body, *STANDS, ITS_BODY)
        .join(STEPS, OF_ITS_STEP)
        .join(LAST, ITS_LAST)
        .where(
            LEDGER.c.organisation == organisation,
            LEDGER.c.alert == alert,
            LEDGER.c.channel == WEBHOOK,
            LEDGER.c.recipient != NOBODY,
            LEDGER.c.status.not_in(UNSAID),
            STEPS.c.kind.in_(TOLD_ALOUD),
        )
        .order_by(LEDGER.c.number.desc(), LEDGER.c.recipient)
    )
    rows = db.execute(asked).all()
    return [row for row in rows if row.number == rows[0].number]
