"""Make up half a year in three clinics: seeded, ending today, labelled simulated everywhere.

No openly licensed session-level alliance data exist (domain.md section 8), so the demonstration
makes its own. Every event's source begins with ``urn:simulated:``, which is what labels it on
each timeline. The shapes are ours and prove nothing about real clinics.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.clock import format_time

WEEKS = 26
CLINICS = ("northside", "riverside", "hillcrest")
THERAPISTS_PER_CLINIC = 2
CLIENTS_PER_THERAPIST = 10

PLANTED = {
    "northside-1-03": "decline",
    "northside-2-05": "cancellations",
    "northside-2-08": "risk",
    "riverside-1-02": "not_held",
    "riverside-1-07": "rupture_repaired",
    "riverside-2-04": "rupture_unrepaired",
    "hillcrest-1-06": "gap",
    "hillcrest-2-01": "boundary_serious",
    "hillcrest-2-09": "boundary_unassessed",
}
"""Which clients have something to find, and what: the simulation's own answer key."""

Document = dict[str, Any]


@dataclass
class _Course:
    """One simulated client's course of therapy while it is being made up."""

    client: str
    clinic: str
    therapist: str
    story: str | None
    chance: random.Random
    now: datetime
    documents: list[Document] = field(default_factory=list)

    def tell(self, event_type: str, name: str, when: datetime, /, **data: Any) -> None:
        """Add an event, unless it lies in the future."""
        if when > self.now:
            return
        self.documents.append(
            {
                "specversion": "1.0",
                "id": f"{self.client}/{event_type}/{name}",
                "source": f"urn:simulated:{self.clinic}",
                "type": f"rapport.{event_type}",
                "time": format_time(when),
                "subject": self.client,
                "data": {"clinic": self.clinic, "therapist": self.therapist, **data},
            }
        )


def half_year(now: datetime, seed: int = 20260503) -> list[Document]:
    """Return the CloudEvents of half a year up to ``now``, in order of time.

    Args:
        now: The end; nothing happens after it.
        seed: The same seed and end give the same documents.
    """
    documents: list[Document] = []
    for clinic in CLINICS:
        for therapist in range(1, THERAPISTS_PER_CLINIC + 1):
            for number in range(1, CLIENTS_PER_THERAPIST + 1):
                client = f"{clinic}-{therapist}-{number:02d}"
                course = _Course(
                    client=client,
                    clinic=clinic,
                    therapist=f"{clinic}-therapist-{therapist}",
                    story=PLANTED.get(client),
                    chance=random.Random(f"{seed}/{client}"),  # noqa: S311 - simulated data.
                    now=now,
                )
                _live(course, therapist, number)
                documents += course.documents
    return sorted(documents, key=lambda d: (d["time"], d["id"]))


def _live(course: _Course, therapist: int, number: int) -> None:
    """Make up the course: care begins, sessions follow each other, the story unfolds."""
    chance = course.chance
    weeks = WEEKS if course.story else chance.randint(10, WEEKS)
    hour, minute = 8 + number % 9, chance.choice((0, 15, 30))
    first = (course.now - timedelta(weeks=weeks - 1)).replace(
        hour=hour, minute=minute, second=0, microsecond=0
    )
    weekday = (therapist + number) % 5
    first += timedelta(days=(weekday - first.weekday()) % 7)
    if course.story and first + timedelta(weeks=weeks - 1) > course.now:
        first -= timedelta(weeks=1)
    course.tell(
        "care.started",
        "1",
        first - timedelta(days=10),
        referred_at=format_time(first - timedelta(days=chance.randint(10, 44))),
        agreed_interval_days=7,
        planned_sessions=weeks,
        therapy=chance.choice(("cognitive_behavioural", "person_centred", "integrative")),
    )
    course.tell("goal.agreed", "g1", first + timedelta(hours=1), goal="g1",
                agreed_by=["client", "therapist"], domain="relationships")  # fmt: skip
    for week in range(weeks + 1):
        _session(course, week, first + timedelta(weeks=week), left=weeks - 1 - week)
    _story_events(course, first, weeks)


def _session(course: _Course, week: int, starts: datetime, left: int) -> None:
    """Book one session and let it happen, or not. ``left`` counts the weeks still to come."""
    session = f"s{week + 1:02d}"
    course.tell(
        "session.scheduled",
        session,
        starts - timedelta(days=7, hours=-2),
        session=session,
        starts_at=format_time(starts),
        planned_minutes=50,
        modality="in_person",
        session_number=week + 1,
    )
    fate = _fate(course, week, left)
    if fate == "held":
        late = course.chance.choice((0, 0, 1, 2, 3))
        begin = starts + timedelta(minutes=late)
        end = begin + timedelta(minutes=50)
        course.tell(
            "session.held",
            session,
            end,
            session=session,
            started_at=format_time(begin),
            ended_at=format_time(end),
            client_arrival="on_time",
        )
        if end <= course.now:
            _ratings(course, week, session, end, left)
    elif fate == "missed_by_client":
        course.tell("session.missed", session, starts, session=session, missed_by="client",
                    reason="no_show")  # fmt: skip
    elif fate == "missed_by_therapist":
        course.tell("session.missed", session, starts, session=session, missed_by="therapist",
                    reason="unknown")  # fmt: skip
    elif fate == "cancelled_by_client":
        course.tell("session.cancelled", session, starts - timedelta(hours=20), session=session,
                    cancelled_by="client", reason="illness")  # fmt: skip
    elif fate == "cancelled_by_therapist":
        course.tell("session.cancelled", session, starts - timedelta(hours=30), session=session,
                    cancelled_by="therapist", reason="conflict")  # fmt: skip


def _fate(course: _Course, week: int, left: int) -> str:
    """Return what becomes of a session; the planted stories lie in the last weeks."""
    planted = {
        "cancellations": {6: "cancelled_by_therapist", 3: "cancelled_by_therapist",
                          1: "cancelled_by_therapist"},
        "not_held": {0: "missed_by_therapist"},
        "gap": {2: "cancelled_by_therapist", 1: "cancelled_by_therapist",
                0: "cancelled_by_therapist"},
    }.get(course.story or "", {})  # fmt: skip
    if left in planted:
        return planted[left]
    if course.story or week == 0:
        return "held"
    draw = course.chance.random()
    if draw < 0.05:
        return "missed_by_client"
    if draw < 0.11:
        return "cancelled_by_client"
    if draw < 0.13:
        return "cancelled_by_therapist"
    return "held"


def _ratings(course: _Course, week: int, session: str, end: datetime, left: int) -> None:
    """Let the client rate the session, and now and then both the alliance and the outcome."""
    chance = course.chance
    srs = [_within(chance.gauss(_alliance_level(course, left), 0.25), 0, 10) for _ in range(4)]
    course.tell(
        "rating.given",
        f"srs-{session}",
        end + timedelta(minutes=2),
        rating=f"srs-{session}",
        instrument="srs-3",
        rater="client",
        session=session,
        items={str(number): round(value, 1) for number, value in enumerate(srs, 1)},
    )
    if week % 4 == 0:
        _alliance_ratings(course, session, end, left)
        _outcome_rating(course, week, session, end, left)


def _alliance_ratings(course: _Course, session: str, end: datetime, left: int) -> None:
    for instrument, rater, lift in (("wai-sr", "client", 0.0), ("wai-sr-t", "therapist", 0.3)):
        level = 1 + 4 * min(1.0, _alliance_level(course, left) / 10 + lift / 10)
        items = {
            str(n): round(_within(course.chance.gauss(level, 0.5), 1, 5)) for n in range(1, 13)
        }
        course.tell(
            "rating.given",
            f"{instrument}-{session}",
            end + timedelta(minutes=5),
            rating=f"{instrument}-{session}",
            instrument=instrument,
            rater=rater,
            session=session,
            items=items,
        )


def _outcome_rating(course: _Course, week: int, session: str, end: datetime, left: int) -> None:
    level = _within(2.0 - week * 0.05, 0.4, 2.5)
    items = {str(n): round(_within(course.chance.gauss(level, 0.6), 0, 3)) for n in range(1, 9)}
    items["9"] = 2 if course.story == "risk" and left <= 4 else 0
    course.tell(
        "rating.given",
        f"phq-9-{session}",
        end + timedelta(minutes=8),
        rating=f"phq-9-{session}",
        instrument="phq-9",
        rater="client",
        session=session,
        items=items,
    )


def _alliance_level(course: _Course, left: int) -> float:
    """Return the client's mean answer (0–10): steady, but for the planted decline and rupture."""
    base = 9.4 if course.story else 9.2 + (_small_number(course.client) % 5) / 10
    if course.story == "decline" and left < 5:
        return base - 0.7 * (5 - left)
    if course.story == "rupture_unrepaired" and left < 6:
        return base - 2.4
    if course.story == "rupture_repaired" and 8 <= left < 10:
        return base - 2.0
    return min(base, 9.7)


def _story_events(course: _Course, first: datetime, weeks: int) -> None:
    """Add what the planted story has besides sessions and ratings."""
    last = first + timedelta(weeks=weeks - 1)
    match course.story:
        case "rupture_repaired":
            at = last - timedelta(weeks=9)
            course.tell("rupture.noted", "r1", at, rupture="r1", kind="withdrawal",
                        noted_by="therapist", intensity=3)  # fmt: skip
            course.tell("rupture.repaired", "r1", at + timedelta(weeks=2), rupture="r1",
                        resolution=4, noted_by="client")  # fmt: skip
        case "rupture_unrepaired":
            course.tell("rupture.noted", "r1", last - timedelta(weeks=5), rupture="r1",
                        kind="confrontation", noted_by="client", intensity=4)  # fmt: skip
        case "boundary_serious":
            course.tell("boundary.noted", "b1", course.now - timedelta(days=1),
                        boundary_event="b1", area="confidentiality", about="therapist",
                        concerns=course.therapist, reported_by="client", severity=4)  # fmt: skip
        case "boundary_unassessed":
            course.tell("boundary.noted", "b1", course.now - timedelta(days=11),
                        boundary_event="b1", area="time", about="therapist",
                        concerns=course.therapist, reported_by="supervisor",
                        severity=2)  # fmt: skip


def configurations(now: datetime) -> Iterator[Document]:
    """Yield the ``clinic.configured`` events of the simulated clinics."""
    for clinic in CLINICS:
        yield {
            "specversion": "1.0",
            "id": f"clinic/{clinic}/1",
            "source": f"urn:simulated:{clinic}",
            "type": "rapport.clinic.configured",
            "time": format_time(now - timedelta(weeks=WEEKS + 4)),
            "data": {
                "clinic": clinic,
                "timezone": "Europe/London",
                "working_days": ["mon", "tue", "wed", "thu", "fri"],
                "sends": ["sessions", "ratings", "boundary"],
            },
        }


def _small_number(text: str) -> int:
    """Return a small number that follows from a text, the same in every process."""
    return sum(text.encode())


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
