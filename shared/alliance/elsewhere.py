"""What somebody who reads for some clinics sees of an alert that stands on facts of others too."""

from collections.abc import Collection, Mapping
from typing import Any, Final

FEED: Final = "feed."
"""Facts about a source begin so: they are of every clinic that it sends for."""


def seen_from(alert: Mapping[str, Any], clinics: Collection[str] | None) -> dict[str, Any]:
    """Return an alert with what happened at other clinics counted, and no more.

    Its figures and words stay as they were told: who is told of an alert must be able to read it.

    Args:
        alert: As contract.md writes it.
        clinics: Those that are read for; None: all of the organisation.
    """
    if clinics is None:
        return dict(alert)
    here = [
        one
        for one in alert["evidence"]
        if one["type"].startswith(FEED) or one.get("clinic", alert["clinic"]) in clinics
    ]
    left_out = len(alert["evidence"]) - len(here)
    if not left_out:
        return dict(alert)
    return {**alert, "evidence": here, "evidence_elsewhere": left_out}
