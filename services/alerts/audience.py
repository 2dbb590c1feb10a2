"""Who is told of an alert: by role and clinic, and never the person whom it concerns. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.storage.accounts import Recipient

FALLBACK: Final = "governance"
"""The role that is told where leaving out the person concerned leaves nobody else."""

Outcome = Literal["told", "undeliverable", "without_recipient"]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told, or why nobody is.

    Attributes:
        recipients: Ids, sorted.
        outcome: ``undeliverable`` where nobody could be told without telling the person
            concerned; ``without_recipient`` where nobody is registered for it.
    """

    recipients: tuple[str, ...]
    outcome: Outcome


def audience(
    recipients: Sequence[Recipient],
    *,
    roles: Collection[str],
    clinics: Collection[str],
    therapist: str,
    concerned: Collection[str],
) -> Audience:
    """Return who is told.

    Args:
        recipients: Every recipient of the organisation.
        roles: The roles that the rule tells at this urgency.
        clinics: The clinics that the alert is about; none: the organisation as a whole.
        therapist: Whose phase it is; only that therapist's own recipient is told as therapist.
        concerned: The staff whom it concerns.
    """
    here = [
        one
        for one in recipients
        if not one.disabled and (one.clinics is None or one.clinics & frozenset(clinics))
    ]
    addressed = [
        one
        for one in here
        if one.role in roles and (one.role != "therapist" or one.person == therapist)
    ]
    if not addressed:
        return Audience((), "without_recipient")
    told = [one for one in addressed if one.person not in concerned]
    if not told:
        told = _instead(addressed, recipients, concerned)
    if not told:
        told = [one for one in here if one.role == FALLBACK and one.person not in concerned]
    ids = tuple(sorted({one.id for one in told}))
    return Audience(ids, "told" if ids else "undeliverable")


def _instead(
    excluded: Sequence[Recipient], recipients: Sequence[Recipient], concerned: Collection[str]
) -> list[Recipient]:
    alternates = {one.alternate for one in excluded}
    return [
        one
        for one in recipients
        if one.id in alternates and not one.disabled and one.person not in concerned
    ]
