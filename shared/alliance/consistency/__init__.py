"""Consistency: how reliably care was given in a phase (domain.md section 3). Pure.

A measure is one file here and one line in ``MEASURES``; ``measure.py`` says what it is, and the
contract suite runs on each without being asked. Thresholds are ours unless they say otherwise.

Everything is counted from the corrected state up to the client's last fact that stands; asked at
a ``valid_at``, up to the last by then. Never up to a clock: the same facts would give another
timeline tomorrow. Where time alone would meet a threshold, ``due_at`` says when, for a reader
who knows what day it is. Nothing here tells anybody: the rules do, with their grace and settings.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from shared.alliance.consistency.case_without_activity import CASE_WITHOUT_ACTIVITY
from shared.alliance.consistency.change_of_therapist import CHANGE_OF_THERAPIST
from shared.alliance.consistency.did_not_attend import DID_NOT_ATTEND
from shared.alliance.consistency.ended_early_by_provider import ENDED_EARLY_BY_PROVIDER
from shared.alliance.consistency.goals_without_progress import GOALS_WITHOUT_PROGRESS
from shared.alliance.consistency.late_starts import LATE_STARTS
from shared.alliance.consistency.measure import Measure, Settings
from shared.alliance.consistency.measures_due import MEASURES_DUE
from shared.alliance.consistency.next_session import NEXT_SESSION
from shared.alliance.consistency.reschedule_churn import RESCHEDULE_CHURN
from shared.alliance.consistency.review_overdue import REVIEW_OVERDUE
from shared.alliance.consistency.session_gap import SESSION_GAP
from shared.alliance.consistency.session_not_held import SESSION_NOT_HELD
from shared.alliance.consistency.shortened_sessions import SHORTENED_SESSIONS
from shared.alliance.consistency.therapist_cancellations import THERAPIST_CANCELLATIONS
from shared.alliance.reading import Fact
from shared.alliance.settings import settings_of
from shared.alliance.things import Phase

MEASURES: Final[tuple[Measure, ...]] = (
    THERAPIST_CANCELLATIONS,
    SESSION_NOT_HELD,
    SESSION_GAP,
    NEXT_SESSION,
    CASE_WITHOUT_ACTIVITY,
    LATE_STARTS,
    SHORTENED_SESSIONS,
    RESCHEDULE_CHURN,
    CHANGE_OF_THERAPIST,
    MEASURES_DUE,
    REVIEW_OVERDUE,
    GOALS_WITHOUT_PROGRESS,
    ENDED_EARLY_BY_PROVIDER,
    DID_NOT_ATTEND,
)
"""In the order in which they are shown."""


def settings_at(clinic: str, rules: Sequence[Fact]) -> dict[str, Settings]:
    """Return measure → its settings at a clinic, where its rule was ever set.

    Args:
        clinic: Its ref.
        rules: How rules were set, in fold order.
    """
    set_ = {fact.data["rule"] for fact in rules}
    return {
        measure.name: settings_of(measure.rule, measure.defaults, clinic, rules)
        for measure in MEASURES
        if measure.rule in set_
    }


def consistency(
    phase: Phase, at: datetime, settings: Mapping[str, Settings] | None = None
) -> dict[str, Any]:
    """Return measure → its figure in a phase, as the timeline shows it.

    Args:
        phase: Whose; a closed one's figures stand still at its end.
        at: When the client's last fact occurred, up to which time is counted.
        settings: Name of a measure → settings other than its defaults.
    """
    chosen = settings or {}
    return {
        measure.name: measure.as_json(
            measure.of(phase, at, chosen.get(measure.name)), chosen.get(measure.name)
        )
        for measure in MEASURES
    }
