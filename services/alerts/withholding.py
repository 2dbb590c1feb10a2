"""Nobody is told of what concerns them: looked at again before anything goes out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from services.alerts import notices, outbox, taking_back
from services.alerts.alone import alone
from services.alerts.latest import clinics_of
from services.alerts.ledger import (
    GIVEN_UP,
    LEDGER,
    NOBODY,
    STEPS,
    UNDELIVERABLE,
    UNSAID,
    WEBHOOK,
)
from services.alerts.outbox import Due, due_of
from services.alerts.standing_in import TOLD_ALOUD, instead
from shared.storage.accounts import Recipient
from shared.storage.engine import insert_or_nothing


def concerned(db: Connection, due: Due) -> set[str]:
    """Return whom what a row tells concerns, by any of the steps of its alerts so far."""
    alerts = due.body["alerts"] if due.kind in notices.KINDS else [due.alert]
    return {person for people in _concerned(db, due.organisation, alerts) for person in people}


def withhold(
    db: Connection, due: Due, me: str, now: datetime, recipients: Sequence[Recipient]
) -> None:
    """Settle a row that tells of what concerns its recipient, as has become known since.

    Where nobody else is told of the step, whoever stands in now is: an alternate, or governance.
    Where nobody can it is undeliverable: counted, so that somebody sees it. The rest of what names
    many alerts is told in another message.
    """
    alone(db, due.organisation)
    if not outbox.withheld(db, due, me, now):
        return
    if due.kind not in notices.KINDS:
        _silent_now(db, due, now, recipients)
        return
    notices.adopt(db, due.organisation, due.alert, due.recipient, due.body["alerts"])
    rows = notices.told_in(db, due.organisation, due.alert)
    theirs = _theirs(db, rows, recipients)
    notices.say_the_rest(db, due.organisation, due.alert, {row.alert for row in theirs}, now)
    for row in theirs:
        _silent_now(db, due_of(row), now, recipients)


def _silent_now(db: Connection, due: Due, now: datetime, recipients: Sequence[Recipient]) -> None:
    """Tell others of what somebody is not told, and them of what it would have spoken for."""
    taking_back.speak_for_themselves(db, due.organisation, due.alert, only=due.recipient)
    _tell_instead(db, due, now, recipients)


def _theirs(
    db: Connection, rows: Sequence[Row[Any]], recipients: Sequence[Recipient]
) -> list[Row[Any]]:
    """Return those of somebody's rows that concern them."""
    people = {one.id: one.person for one in recipients}
    return [row for row in rows if people.get(row.recipient) in concerned(db, due_of(row))]


def _tell_instead(
    db: Connection, due: Due, now: datetime, recipients: Sequence[Recipient]
) -> None:
    """Tell whoever stands in for the recipient of a cancelled row, where nobody else is told."""
    its = and_(
        LEDGER.c.organisation == due.organisation,
        LEDGER.c.alert == due.alert,
        LEDGER.c.step == due.step,
        LEDGER.c.channel == WEBHOOK,
    )
    others = db.execute(
        select(LEDGER.c.recipient, LEDGER.c.status).where(its, LEDGER.c.status.not_in(UNSAID))
    ).all()
    tried = {row.recipient for row in others if row.status == GIVEN_UP}
    if any(row.recipient not in tried for row in others):
        return
    found = {NOBODY: UNDELIVERABLE}
    if due.kind in TOLD_ALOUD:
        clinics = clinics_of(due.clinics, due.body["clinic"])
        found = instead(recipients, due.body, clinics, concerned(db, due), tried)
    rows = [notices.telling(due, one, status, now) for one, status in found.items()]
    db.execute(insert_or_nothing(db, LEDGER), rows)


def _concerned(db: Connection, organisation: str, alerts: Sequence[str]) -> Sequence[list[str]]:
    asked = select(STEPS.c.concerned).where(
        STEPS.c.organisation == organisation, STEPS.c.alert.in_(alerts)
    )
    return db.scalars(asked).all()
