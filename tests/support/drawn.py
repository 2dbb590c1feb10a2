"""A timeline with everything in it that is drawn, made by the fold itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from services.projections.drawing import svg
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.clock import format_time
from shared.envelope import Envelope
from tests.support import events as an

CLIENT = "cl_3f9c0a1b2c3d4e5f60718293"
NEW = "th_new"

NOT_HELD: dict[int, tuple[str, str]] = {
    3: ("missed", "client"),
    7: ("cancelled", "client"),
    12: ("cancelled", "therapist"),
    15: ("missed", "therapist"),
    18: ("cancelled", "clinic"),
    20: ("cancelled", "unknown"),
}
WEEKS = 24


def a_full_timeline(**changed: Any) -> dict[str, Any]:
    """Return the timeline of half a year with two therapists and two open alerts."""
    facts = [fact for week in range(1, WEEKS + 1) for fact in _week(week)]
    facts += _around()
    history = fold(an.ORGANISATION, CLIENT, facts)
    alerts = [
        an_open_alert("attention", "the client's ratings fell", week=20),
        an_open_alert("urgent", "3 of the last 8 sessions were cancelled", week=18),
    ]
    return {**timeline(history), "alerts": alerts, "simulated": False, **changed}


def an_open_alert(urgency: str, title: str, week: int, **changed: Any) -> dict[str, Any]:
    """Return what a drawing needs of an alert."""
    return {
        "state": "open",
        "urgency": urgency,
        "title": title,
        "explanation": f"Seen in week {week}: <numbers> & reasons.",
        "effective_at": format_time(an.on(7 * week)),
        "cleared_at": None,
        **changed,
    }


def _week(week: int) -> list[Envelope]:
    ref, start = f"s{week}", an.on(7 * week)
    stated: dict[str, Any] = {"client": CLIENT, "therapist": an.THERAPIST if week < 14 else NEW}
    facts = [an.a_session_scheduled(ref, start, **stated)]
    what, by = NOT_HELD.get(week, ("held" if week < WEEKS else "booked", ""))
    if what == "missed":
        facts.append(an.a_session_missed(ref, at=start, by=by, **stated))
    elif what == "cancelled":
        before = start - timedelta(days=1)
        facts.append(an.a_session_cancelled(ref, at=before, by=by, reason="illness", **stated))
    elif what == "held":
        rated = start + timedelta(hours=1)
        facts.append(an.a_session_held(ref, start, **stated))
        facts.append(an.a_rating(38 - max(0, week - 12), at=rated, **stated))
        facts.append(an.a_rating(20 - week // 2, at=rated, instrument="phq-9", **stated))
        if week % 4 == 0:
            scales = {"goal": 15, "task": 16, "bond": 18}
            facts.append(an.a_rating(None, at=rated, instrument="wai-sr-t", rater="therapist",
                                     scales=scales, **stated))  # fmt: skip
        if week % 4 == 1:
            fallen = max(0, week - 12)
            items = {str(n): 9 - fallen * (n % 4) // 8 for n in range(1, 18)}
            facts.append(an.a_rating(None, at=rated, instrument="pulse", items=items, **stated))
    return facts


def _around() -> list[Envelope]:
    whose: dict[str, Any] = {"client": CLIENT}
    return [
        an.a_care_event("started", an.on(0), agreed_interval_days=7, **whose),
        an.a_care_event("paused", an.on(57), **whose),
        an.a_care_event("resumed", an.on(66), **whose),
        an.a_care_event("transferred", an.on(95), to_therapist=NEW, **whose),
        an.a_rupture_noted("r1", at=an.on(42), **whose),
        an.a_rupture_repaired("r1", at=an.on(56), **whose),
        an.a_boundary_noted("b1", at=an.on(70), **whose),
        an.a_boundary_assessed("b1", at=an.on(72), **whose),
        an.a_boundary_step("closed", "b1", at=an.on(74), **whose),
        an.a_boundary_noted("b2", at=an.on(147), severity=4, therapist=NEW, **whose),
    ]


if __name__ == "__main__":
    golden = Path(__file__).parents[1] / "golden" / "timeline.svg"
    golden.write_text(svg(a_full_timeline(simulated=True)), "utf-8")
