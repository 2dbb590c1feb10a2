"""An alert as it stands, beside a row of the ledger about one of its steps; and whom it is for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row, and_, exists

from services.alerts.audience import Audience, audience
from services.alerts.ledger import LEDGER, STEPS
from shared.alliance.matters import UNKNOWN
from shared.storage.accounts import Recipient

LAST: Final = STEPS.alias("last_step")
_LATER: Final = STEPS.alias("later_step")
ITS_LAST: Final = and_(
    LAST.c.organisation == LEDGER.c.organisation,
    LAST.c.alert == LEDGER.c.alert,
    ~exists().where(
        _LATER.c.organisation == LAST.c.organisation,
        _LATER.c.alert == LAST.c.alert,
        _LATER.c.number > LAST.c.number,
    ),
)
"""Joins a row of the ledger to the last step of its alert."""

STANDS: Final = (LAST.c.concerned, LAST.c.clinics)
"""What is read of it: whom it concerns, and where."""

ITS_BODY: Final = LAST.c.body.label("last_body")
"""How the alert stands, for who needs that too."""


def readers(
    recipients: Sequence[Recipient],
    body: Mapping[str, Any],
    clinics: Collection[str],
    concerned: Collection[str],
) -> Audience:
    """Return who is told of a step, now or when it was decided.

    Args:
        recipients: Every recipient of the organisation.
        body: The alert as it stood after the step.
        clinics: Those that it is about.
        concerned: The staff whom it concerns.
    """
    return audience(
        recipients,
        roles=body["tell"],
        clinics=clinics,
        therapist=body["therapist"] or "",
        concerned=set(concerned) - {UNKNOWN},
    )


def readers_now(row: Row[Any], recipients: Sequence[Recipient], clinic: str) -> Audience:
    """Return who is told now of the step of a row, which was read with what ``STANDS``."""
    clinics = clinics_of(row.clinics, clinic)
    return readers(recipients, orjson.loads(row.body), clinics, row.concerned)


def clinics_of(clinics: Collection[str] | None, clinic: str | None) -> Collection[str]:
    """Return the clinics of a step; an earlier version kept no more than the only one."""
    return clinics if clinics is not None else [clinic] if clinic else []
