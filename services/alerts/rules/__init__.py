"""Every rule, in one visible tuple. A new rule is one file here and one line below."""

from services.alerts.rule import CaseloadRule, CombinedRule, FeedRule, Rule
from services.alerts.rules.alliance_below_cutoff import AllianceBelowCutoff
from services.alerts.rules.alliance_decline import AllianceDecline
from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.alliance_out_of_control import AllianceOutOfControl
from services.alerts.rules.boundary_pattern import BoundaryPattern
from services.alerts.rules.boundary_pattern_therapist import BoundaryPatternTherapist
from services.alerts.rules.boundary_serious import BoundarySerious
from services.alerts.rules.boundary_unassessed import BoundaryUnassessed
from services.alerts.rules.case_without_activity import CaseWithoutActivity
from services.alerts.rules.caseload_interrupted import CaseloadInterrupted
from services.alerts.rules.confidentiality_breach import ConfidentialityBreach
from services.alerts.rules.countertransference_unsupervised import CountertransferenceUnsupervised
from services.alerts.rules.dropout_risk import DropoutRisk
from services.alerts.rules.ended_early_by_provider import EndedEarlyByProvider
from services.alerts.rules.facet_drop import FacetDrop
from services.alerts.rules.handover_not_picked_up import HandoverNotPickedUp
from services.alerts.rules.high_then_falling import HighThenFalling
from services.alerts.rules.leave_without_cover import LeaveWithoutCover
from services.alerts.rules.measures_due import MeasuresDue
from services.alerts.rules.no_contact_after_missed import NoContactAfterMissed
from services.alerts.rules.no_next_session import NoNextSession
from services.alerts.rules.rater_divergence import RaterDivergence
from services.alerts.rules.reliable_deterioration import ReliableDeterioration
from services.alerts.rules.reschedule_churn import RescheduleChurn
from services.alerts.rules.review_overdue import ReviewOverdue
from services.alerts.rules.risk_item import RiskItem
from services.alerts.rules.rupture_unrepaired import RuptureUnrepaired
from services.alerts.rules.session_gap import SessionGap
from services.alerts.rules.session_not_held import SessionNotHeld
from services.alerts.rules.sessions_starting_late import SessionsStartingLate
from services.alerts.rules.setback_without_plan import SetbackWithoutPlan
from services.alerts.rules.shortened_sessions import ShortenedSessions
from services.alerts.rules.source_silent import SourceSilent
from services.alerts.rules.supervision_overdue import SupervisionOverdue
from services.alerts.rules.therapist_cancellations import TherapistCancellations
from services.alerts.rules.unplanned_transfer import UnplannedTransfer
from services.alerts.rules.waiting_too_long import WaitingTooLong

RULES: tuple[Rule, ...] = (
    TherapistCancellations(),
    SessionNotHeld(),
    SessionGap(),
    NoNextSession(),
    CaseWithoutActivity(),
    NoContactAfterMissed(),
    MeasuresDue(),
    ReviewOverdue(),
    SessionsStartingLate(),
    ShortenedSessions(),
    RescheduleChurn(),
    UnplannedTransfer(),
    LeaveWithoutCover(),
    WaitingTooLong(),
    HandoverNotPickedUp(),
    EndedEarlyByProvider(),
    AllianceBelowCutoff(),
    AllianceDecline(),
    AllianceDrop(),
    AllianceOutOfControl(),
    HighThenFalling(),
    FacetDrop(),
    RuptureUnrepaired(),
    RaterDivergence(),
    CountertransferenceUnsupervised(),
    BoundarySerious(),
    BoundaryUnassessed(),
    BoundaryPattern(),
    ConfidentialityBreach(),
    RiskItem(),
    ReliableDeterioration(),
    SetbackWithoutPlan(),
)
"""About a client with one therapist in one course of care."""

COMBINED_RULES: tuple[CombinedRule, ...] = (DropoutRisk(),)
"""Judged from the episodes of others; their parts are told by them."""

CASELOAD_RULES: tuple[CaseloadRule, ...] = (
    CaseloadInterrupted(),
    SupervisionOverdue(),
    BoundaryPatternTherapist(),
)
"""About all clients of one therapist."""

FEED_RULES: tuple[FeedRule, ...] = (SourceSilent(),)
"""About a source."""
