"""Ratings, boundary events and ruptures: each from its facts, in fold order. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from shared.alliance.reading import Fact
from shared.alliance.scoring import score
from shared.alliance.things import Assessment, BoundaryEvent, Rating, Rupture
from shared.instrument import INSTRUMENTS, Instrument, latest

REPAIRED_FROM = 3
"""Lowest resolution (1–5) that counts as repaired (own, domain.md section 5)."""


def rating(facts: Sequence[Fact], care: str, therapist: str, in_group: bool) -> Rating:
    """Return a rating as its last word says.

    Args:
        facts: Everything that speaks of it, in fold order; at least one.
        care: The course of care of the phase that it belongs to.
        therapist: That phase's therapist.
        in_group: Whether it was given for a group session.
    """
    fact = facts[-1]
    data = fact.data
    instrument = instrument_of(data)
    version = data.get("instrument_version") or (instrument.version if instrument else "")
    # By place, in the order of its fields: by name, making it takes three times as long.
    return Rating(
        data.get("rating") or fact.event,
        instrument,
        data["instrument"],
        version,
        data["rater"],
        data.get("respondent"),
        data.get("session"),
        data.get("language"),
        fact.occurred_at,
        data.get("clinic"),
        data.get("therapist") or therapist,
        care,
        score(instrument, data),
        fact,
        in_group,
        tuple(facts),
    )


def boundary_event(ref: str, facts: Sequence[Fact], care: str, therapist: str) -> BoundaryEvent:
    """Return a boundary event from noted to closed; the same arguments as for the others.

    What it is comes from the last time it was noted; since when it is known, from the first.
    """
    notes = [fact for fact in facts if fact.type == "boundary.noted"]
    noted = notes[-1].data if notes else {}
    assessments = tuple(_assessment(fact) for fact in facts if fact.type == "boundary.assessed")
    decisions = [fact for fact in facts if fact.type in ("boundary.closed", "boundary.reopened")]
    closed = decisions[-1] if decisions and decisions[-1].type == "boundary.closed" else None
    reopened = [fact.occurred_at for fact in decisions if fact.type == "boundary.reopened"]
    happened_on = noted.get("happened_on")
    return BoundaryEvent(
        ref=ref,
        clinic=facts[-1].data["clinic"],
        therapist=therapist,
        care=care,
        noted_at=notes[0].occurred_at if notes else None,
        happened_on=date.fromisoformat(happened_on) if happened_on else None,
        area=noted.get("area"),
        about=noted.get("about"),
        concerns=noted.get("concerns"),
        reported_by=noted.get("reported_by"),
        reporter_protected=bool(noted.get("reporter_protected", False)),
        severity=assessments[-1].severity if assessments else noted.get("severity"),
        assessments=assessments,
        actions=tuple(
            (fact.occurred_at, fact.data["action"])
            for fact in facts
            if fact.type == "boundary.acted_on"
        ),
        closed_at=closed.occurred_at if closed else None,
        outcome=closed.data["outcome"] if closed else None,
        merged_into=closed.data.get("merged_into") if closed else None,
        reopened_at=reopened[-1] if reopened else None,
        facts=tuple(facts),
        harm_physical=noted.get("harm_physical"),
        harm_psychological=noted.get("harm_psychological"),
        discussed_with_client=noted.get("discussed_with_client"),
        session=noted.get("session"),
    )


def rupture(ref: str, facts: Sequence[Fact], care: str, therapist: str) -> Rupture:
    """Return a rupture, noted and perhaps repaired; noted again, it is open again."""
    notes = [fact for fact in facts if fact.type == "rupture.noted"]
    noted = notes[-1].data if notes else {}
    since = facts.index(notes[-1]) if notes else 0
    repairs = [fact for fact in facts[since:] if fact.type == "rupture.repaired"]
    repaired = [fact for fact in repairs if fact.data["resolution"] >= REPAIRED_FROM]
    return Rupture(
        ref=ref,
        clinic=facts[-1].data["clinic"],
        therapist=therapist,
        care=care,
        noted_at=notes[0].occurred_at if notes else None,
        kind=noted.get("kind"),
        noted_by=noted.get("noted_by"),
        intensity=noted.get("intensity"),
        session=noted.get("session"),
        repaired_at=repaired[0].occurred_at if repaired else None,
        resolution=repairs[-1].data["resolution"] if repairs else None,
        facts=tuple(facts),
    )


def instrument_of(data: Mapping[str, Any]) -> Instrument | None:
    """Return the version that a rating carries; ingest writes in the newest where none is said."""
    key, version = data["instrument"], data.get("instrument_version")
    return latest(key) if version is None else INSTRUMENTS.get((key, version))


def _assessment(fact: Fact) -> Assessment:
    data = fact.data
    return Assessment(
        at=fact.occurred_at,
        assessment=data["assessment"],
        severity=data["severity"],
        by=data["assessed_by"],
        aggravators=tuple(data.get("aggravators") or ()),
        fact=fact,
    )
