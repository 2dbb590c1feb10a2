"""Phases made through the front door of the domain: events in, the fold, a phase out."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.alerts.rule import Episode, Rule, Verdict
from shared.alliance.history import Phase, fold
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLIENT, ORGANISATION, THERAPIST, on

FAR = on(10_000)
"""After everything that any made-up history holds."""


def phases_of(envelopes: Iterable[Envelope]) -> tuple[Phase, ...]:
    """Return every phase that these events make."""
    everything = list(envelopes)
    client = [envelope for envelope in everything if envelope.client is not None]
    around = [envelope for envelope in everything if envelope.client is None]
    return fold(ORGANISATION, CLIENT, client, around).phases


def the_phase(*envelopes: Envelope) -> Phase:
    """Return the first phase of the usual therapist."""
    return next(phase for phase in phases_of(envelopes) if phase.therapist == THERAPIST)


def judged(rule: Rule, *envelopes: Envelope, until: datetime = FAR, **settings: Any) -> Verdict:
    """Return what a rule says of the phase that these events make."""
    return rule.judge(the_phase(*envelopes), {**rule.defaults, **settings}, until)


def urgencies(episodes: Sequence[Episode]) -> list[list[str]]:
    """Return the urgency of each step of each episode."""
    return [[step.urgency for step in episode.steps] for episode in episodes]


def weekly(
    *outcomes: str, first: float = 0, every: float = 7, reason: str | None = None
) -> list[Envelope]:
    """Return one session a week with what became of it.

    Args:
        outcomes: ``held``, or who cancelled (``cancelled:clinic``) or missed (``missed:client``).
        first: Day of the first one.
        every: Days between them.
        reason: Given with every cancellation and every miss.
    """
    made: list[Envelope] = []
    for n, outcome in enumerate(outcomes):
        ref, start = f"s{n + 1}", on(first + n * every)
        what, _, by = outcome.partition(":")
        made.append(an.a_session_scheduled(ref, start, at=start - timedelta(days=3)))
        if what == "held":
            made.append(an.a_session_held(ref, start))
        elif what == "cancelled":
            day_before = start - timedelta(days=1)
            made.append(an.a_session_cancelled(ref, at=day_before, by=by, reason=reason))
        elif what == "missed":
            made.append(an.a_session_missed(ref, at=start, by=by, reason=reason))
    return made


def ratings(*totals: float | None, every: float = 7, **stated: Any) -> list[Envelope]:
    """Return one rating a week, the Session Rating Scale by the client unless said."""
    return [
        an.a_rating(total, at=on(n * every, 11), **stated)
        for n, total in enumerate(totals)
        if total is not None
    ]


def a_life(seed: int, weeks: int = 30) -> list[Envelope]:
    """Return a made-up course of care in which every rule has something to say now and then."""
    chance = random.Random(seed)
    life: list[Envelope] = [an.a_clinic_configured(sends=chance.choice((["contacts"], None)))]
    if chance.random() < 0.7:
        life.append(an.a_care_event("started", on(-2), agreed_interval_days=7))
    for week in range(weeks):
        life += _a_week(chance, week)
    if chance.random() < 0.3:
        life.append(an.a_care_event("paused", on(60), reason=chance.choice(("illness", "other"))))
        life.append(an.a_care_event("resumed", on(60 + chance.randrange(40))))
    if chance.random() < 0.3:
        life.append(an.a_therapist_away("2026-03-02", "2026-03-15", at=on(30)))
    if chance.random() < 0.3:
        life.append(an.a_care_event("ended", on(weeks * 7 - chance.randrange(60))))
    rest = [*_besides(chance), *_afterwards(chance, weeks * 7 + 7)]
    return [*life, *rest, *_in_some(seed)]


def _in_some(seed: int) -> list[Envelope]:
    """Return what some lives have: a long wait before the first session, a long absence."""
    made: list[Envelope] = []
    if seed % 3 == 1:
        made.append(an.a_care_event("referred", on(-50 - seed), therapist=None))
    if seed % 2 == 1:
        made.append(an.a_care_event("started", on(-1), agreed_interval_days=7))
        made.append(an.a_therapist_away("2026-04-06", "2026-05-10", at=on(60)))
    return made


def _besides(chance: random.Random) -> list[Envelope]:
    """Return reviews of the plan, with the client and without, and what else is rated."""
    common = {"clinic": an.CLINIC, "therapist": THERAPIST}
    days = sorted(chance.randrange(200) for _ in range(chance.randrange(4)))
    reviews = [
        an.an_event(
            "plan.reviewed",
            on(day),
            {**common, "adapted": False, "with_client": chance.random() < 0.8},
        )
        for day in days
    ]
    return [*reviews, *_agreed_measures(chance), *_on_scales(chance)]


def _agreed_measures(chance: random.Random) -> list[Envelope]:
    """Return a questionnaire that was agreed, and filled in or not offered now and then."""
    measures = [{"instrument": "gad-7", "every_days": 21}]
    life = [an.a_care_event("started", on(5), measures=measures)]
    for day in range(26, 200, 21):
        if chance.random() < 0.4:
            life.append(an.a_rating(9, at=on(day, 12), instrument="gad-7"))
        elif chance.random() < 0.3:
            life.append(an.a_rating_skipped(at=on(day, 12), instrument="gad-7"))
    return life


def _on_scales(chance: random.Random) -> list[Envelope]:
    """Return ratings on the scales of an instrument, in a language of their own."""
    rest = {"goals_and_topics": 8, "approach_or_method": 8, "overall": 8}
    return [
        an.a_rating(None, at=on(day, 13), language="de",
                    scales={**rest, "relationship": chance.choice((9, 9, 9, 8, 6))})
        for day in range(3, 200, 14)
    ]  # fmt: skip


def _afterwards(chance: random.Random, day: int) -> list[Envelope]:
    """Return what comes of it with the next therapist, or with the same one much later."""
    new = "th_new"
    if chance.random() < 0.35:
        return [an.a_session_held("late", on(day + chance.randrange(40, 100)))]
    planned = chance.random() < 0.3
    life = [
        an.a_care_event("started", on(day), agreed_interval_days=7),
        an.a_care_event("transferred", on(day + 1), to_therapist=new, planned=planned),
    ]
    day += chance.randrange(5, 40)
    for week in range(chance.randrange(6, 16)):
        ref, start = f"n{week}", on(day + week * 7)
        began = start + timedelta(minutes=chance.choice((0, 3, 12, 20)))
        minutes = chance.choice((50, 50, 40))
        life.append(an.a_session_scheduled(ref, start, therapist=new))
        if chance.random() < 0.3:
            moved_at, began = start - timedelta(hours=5), began + timedelta(days=1)
            life.append(an.a_session_rescheduled(ref, start + timedelta(days=1), at=moved_at,
                                                 by="therapist", therapist=new))  # fmt: skip
        life.append(an.a_session_held(ref, began, minutes=minutes, therapist=new,
                                      client_arrival="on_time"))  # fmt: skip
    day += 120
    if chance.random() < 0.5:
        life.append(an.a_care_event("ended", on(day), therapist=new, reason="provider_ended"))
        if chance.random() < 0.7:
            life.append(an.a_care_event("started", on(day + 20), therapist=new))
    return life


def _a_week(chance: random.Random, week: int) -> list[Envelope]:
    start = on(week * 7 + chance.randrange(2), 9 + chance.randrange(6))
    outcome = chance.choice(
        ("held",) * 12 + ("cancelled:therapist", "cancelled:clinic", "cancelled:client",
        "missed:client", "missed:therapist", "")
    )  # fmt: skip
    reason = chance.choice((None, "illness", "emergency", "technical"))
    what, _, by = outcome.partition(":")
    ref = f"w{week}"
    made = [an.a_session_scheduled(ref, start)]
    if what == "held":
        made.append(an.a_session_held(ref, start))
        total = max(0, min(40, 38 - week // 2 + chance.randrange(-4, 4)))
        made.append(an.a_rating(total, at=start + timedelta(hours=1)))
    elif what == "cancelled":
        day_before = start - timedelta(days=1)
        made.append(an.a_session_cancelled(ref, at=day_before, by=by, reason=reason))
        if chance.random() < 0.3:
            later = start + timedelta(days=2)
            made.append(an.a_session_rescheduled(ref, later, at=start, by="therapist"))
    elif what == "missed":
        made.append(an.a_session_missed(ref, at=start, by=by))
    if chance.random() < 0.15:
        answered = {"9": chance.randrange(4)}
        made.append(an.a_rating(None, at=start, instrument="phq-9", items=answered))
    made += [*_forms(chance, ref, start), *_notes(chance, ref, start)]
    if chance.random() < 0.2:
        made += _a_boundary_event(chance, f"b{week}", start)
    if chance.random() < 0.1:
        common = {"clinic": an.CLINIC, "therapist": THERAPIST, "by": "therapist"}
        reached = chance.random() < 0.5
        made.append(an.an_event("contact.attempted", start, {**common, "reached": reached}))
    return made


def _forms(chance: random.Random, session: str, start: datetime) -> list[Envelope]:
    """Return what else is filled in: a score now and then, the session by both sides."""
    made: list[Envelope] = []
    if chance.random() < 0.3:
        total = chance.randrange(6, 20)
        made.append(an.a_rating(total, at=start, instrument="phq-9"))
    if chance.random() < 0.6:
        after = start + timedelta(hours=2)
        for rater, instrument, low in (("client", "wai-sr", 30), ("therapist", "wai-sr-t", 45)):
            made.append(an.a_rating(low + chance.randrange(16), at=after, instrument=instrument,
                                    rater=rater, session=session, scored_as="sum"))  # fmt: skip
    return made


def _notes(chance: random.Random, session: str, start: datetime) -> list[Envelope]:
    """Return what a therapist notes now and then: ruptures, countertransference, setbacks."""
    made: list[Envelope] = []
    common = {"clinic": an.CLINIC, "therapist": THERAPIST}
    if chance.random() < 0.15:
        made.append(an.a_rupture_noted(f"r{session}", at=start))
        mended_at, resolution = (
            start + timedelta(days=chance.randrange(1, 60)),
            chance.randrange(6),
        )
        if resolution:
            made.append(an.a_rupture_repaired(f"r{session}", at=mended_at, resolution=resolution))
    if chance.random() < 0.15:
        noted = {"kind": "countertransference", "taken_to_supervision": chance.random() < 0.3}
        made.append(an.an_event("dynamics.noted", start, common | noted))
    if chance.random() < 0.1:
        severity = chance.choice(("mild", "moderate", "severe"))
        made.append(an.an_event("setback.noted", start, common | {"severity": severity}))
    if chance.random() < 0.05:
        agreed = {"agreed_by": ["client", "therapist"]}
        made.append(an.an_event("relapse_plan.agreed", start, common | agreed))
    return made


def _a_boundary_event(chance: random.Random, ref: str, at: datetime) -> list[Envelope]:
    severity = chance.choice((None, 0, 1, 2, 3, 4))
    area = chance.choice(("time", "gifts", "confidentiality", "contact_outside"))
    made = [an.a_boundary_noted(ref, at=at, severity=severity, area=area)]
    if chance.random() < 0.7:
        judged_at = at + timedelta(days=chance.randrange(1, 12))
        severity = chance.randrange(5)
        made.append(an.a_boundary_assessed(ref, at=judged_at, severity=severity))
        if chance.random() < 0.6:
            closed_at = judged_at + timedelta(days=chance.randrange(20))
            made.append(an.a_boundary_step("closed", ref, at=closed_at))
    return made
