"""What happens in the simulated clinics: small, seeded, and such that alerts open and close.

Two organisations have the same references, ids and sources for different things, so that whatever
is mixed up shows.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.clock import format_time

Document = dict[str, Any]

BEGIN: Final = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
"""A Monday; three weeks later London puts its clocks forward."""

STORIES_END: Final = BEGIN + timedelta(days=40)
"""No story is told after this."""

HEARTBEAT_AT: Final = BEGIN + timedelta(days=70)
"""Each source is heard once more, so that what fell due in its silence is judged."""

END: Final = HEARTBEAT_AT + timedelta(days=3)
"""Later than the grace of any deadline after the heartbeat, sooner than the next silence."""

LAST_TICK: Final = END + timedelta(hours=1)
"""By then what came over a daily cap on a day before the end has been told."""

ORGANISATIONS: Final = ("aspen", "birch")
SPARED: Final = ORGANISATIONS[0]
"""Wishes for one notice a day at most that is not urgent, so that digests are common."""
QUIET: Final = ORGANISATIONS[1]
"""Wishes for a quiet start, which ends while its stories go on."""

CLINIC: Final = "north"
SOURCE: Final = "urn:ehr"
LONGEST_LATENESS: Final = timedelta(days=4)
"""Well below the 14 days after which a step is history: lateness decides nothing about news."""

MERGED_OF: Final = 1 / 3
"""Of so many clients some facts come under another reference, before the two are merged."""

ABSENT_OF: Final = 1 / 2
"""In so many organisations with two clients one therapist fails both in one week: a group."""

SENT_EVERY: Final = (timedelta(minutes=1), timedelta(days=2), timedelta(days=7))
"""Some systems tell at once, others now and then: much is on its way together, and alerts fall due
before what clears them is told."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One event, and when its system sends it."""

    document: Document
    send_at: datetime


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be told.

    Attributes:
        number: Makes it again.
        tellings: By organisation, in the order of sending.
        silent_after_hours: After how many hours a source is called silent.
    """

    number: int
    tellings: Mapping[str, tuple[Telling, ...]]
    silent_after_hours: int

    @property
    def clients(self) -> tuple[str, ...]:
        """The references of all clients, which the organisations share."""
        told = (one.document.get("subject") for of in self.tellings.values() for one in of)
        return tuple(sorted({subject for subject in told if subject is not None}))


def scenario(number: int) -> Scenario:
    """Make up a scenario; the same number gives the same."""
    chance = random.Random(f"scenario {number}")
    silent_after_hours = chance.choice((8_784, 8_784, 96))
    tellings = {
        name: tuple(_organisation(chance, clients, chance.choice(SENT_EVERY), number))
        for name, clients in zip(ORGANISATIONS, (chance.randint(1, 2), 1), strict=True)
    }
    return Scenario(number, tellings, silent_after_hours)


def _organisation(
    chance: random.Random, clients: int, sent_every: timedelta, scenario: int
) -> Iterator[Telling]:
    documents = [_document("clinic.configured", "configured", None, BEGIN - timedelta(hours=1),
                           timezone="Europe/London",
                           sends=["sessions", "ratings", "boundary"])]  # fmt: skip
    absent = clients > 1 and random.Random(f"absence in {scenario}").random() < ABSENT_OF
    for number in range(clients):
        therapist = chance.randint(1, 2)
        course = Course(chance, f"c-{number}", f"t-{1 if absent else therapist}")
        course.live(*[Course.not_held] if absent else [])
        documents += _merged(course, random.Random(f"mergers of {number} in {scenario}"))
    tellings = [_telling(document, chance, sent_every) for document in documents]
    yield from sorted(tellings, key=lambda one: (one.send_at, one.document["id"]))
    yield Telling(_document("clinic.closed", "heartbeat", None, HEARTBEAT_AT,
                            **{"from": "2026-12-24", "until": "2026-12-26",
                               "reason": "closure"}), HEARTBEAT_AT)  # fmt: skip


def _merged(course: "Course", chance: random.Random) -> list[Document]:
    """Return what is told of a client, in one of three cases under two references at first.

    Some of it comes under the other; then it turns out that they are one, or seems to.
    """
    told = course.documents
    if chance.random() >= MERGED_OF:
        return told
    one, other = course.client, f"{course.client}-again"
    moved = {each["id"] for each in told[1:] if chance.random() < 0.5}
    found = [
        {**each, "subject": other} if each["data"].get("target", each)["id"] in moved else each
        for each in told
    ]
    client, into = chance.sample((one, other), 2)
    when = course.week(chance.uniform(0.5, 4))
    name = f"{one}/client.merged/again"
    found.append(_document("client.merged", name, client, when, into=into))
    if chance.random() < 0.3:
        found.append(_document("record.retracted", f"{name}/back", client,
                               when + timedelta(days=5), reason="entered_in_error",
                               target={"id": name, "type": "rapport.client.merged"}))  # fmt: skip
    return found


def _telling(document: Document, chance: random.Random, sent_every: timedelta) -> Telling:
    at = datetime.fromisoformat(document["time"])
    late = LONGEST_LATENESS * chance.random() if chance.random() < 0.15 else timedelta(0)
    # The next round at which the system sends; each is at a whole multiple after the beginning.
    rounds = -((BEGIN - at - late) // sent_every)
    return Telling(document, min(BEGIN + rounds * sent_every, STORIES_END))


class Course:
    """One client's course of therapy while it is being made up."""

    def __init__(self, chance: random.Random, client: str, therapist: str) -> None:
        """Begin with nothing."""
        self.documents: list[Document] = []
        self._chance = chance
        self.client = client
        self._therapist = therapist
        self._first = BEGIN + timedelta(
            days=chance.randint(0, 4),
            hours=chance.randint(1, 7),
            minutes=15 * chance.randint(0, 3),
        )

    def live(self, *more: "Story") -> None:
        """Let care begin, a few sessions be held, and one or two stories unfold, and more."""
        self.tell("care.started", "begin", self._first - timedelta(hours=1),
                  agreed_interval_days=7)  # fmt: skip
        self.session(0)
        stories = self._chance.sample(_STORIES, self._chance.choice((1, 1, 2)))
        for story in dict.fromkeys([*stories, *more]):
            story(self)

    def tell(self, event_type: str, name: str, when: datetime, **data: Any) -> None:
        """Add an event about the client."""
        about = {"therapist": self._therapist, **data}
        self.documents.append(
            _document(event_type, f"{self.client}/{event_type}/{name}", self.client, when, **about)
        )

    def week(self, number: float) -> datetime:
        """Return the time of the session of a week."""
        return self._first + timedelta(weeks=number)

    def session(self, week: int) -> None:
        """Hold the session of a week."""
        begin, end = self.week(week), self.week(week) + timedelta(minutes=50)
        self.tell("session.held", f"s{week}", end, session=f"s{week}",
                  started_at=format_time(begin), ended_at=format_time(end))  # fmt: skip

    def risk(self) -> None:
        """Answer a risk item above zero, and perhaps with zero later."""
        for week in range(1, self._chance.randint(2, 3)):
            items = dict.fromkeys(map(str, range(1, 10)), 1) | {
                "9": self._chance.choice((0, 2, 3))
            }
            self.tell("rating.given", f"phq-{week}", self.week(week), rating=f"phq-{week}",
                      instrument="phq-9", rater="client", items=items)  # fmt: skip

    def decline(self) -> None:
        """Let the client rate each session lower than the one before."""
        for week in range(1, 6):
            items = {str(item): round(9.6 - 0.8 * week, 1) for item in range(1, 5)}
            self.tell("rating.given", f"srs-{week}", self.week(week), rating=f"srs-{week}",
                      instrument="srs-3", rater="client", items=items)  # fmt: skip

    def not_held(self) -> None:
        """Let the therapist miss a session; perhaps it was the client after all."""
        self.tell("session.missed", "s8", self.week(2.2), session="s8", missed_by="therapist",
                  reason="unknown")  # fmt: skip
        if self._chance.random() < 0.5:
            self.correct("session.missed", "s8", self.week(2.5), session="s8",
                         missed_by="client", reason="no_show")  # fmt: skip

    def cancellations(self) -> None:
        """Let the therapist cancel three sessions in a row."""
        for week in range(1, 4):
            self.tell("session.cancelled", f"x{week}", self.week(week) - timedelta(hours=20),
                      session=f"x{week}", cancelled_by="therapist", reason="conflict")  # fmt: skip

    def gap(self) -> None:
        """Hold no session for weeks, then one."""
        self.session(4)

    def boundary(self) -> None:
        """Note a boundary event; assess it, late or never; or take it back."""
        severity = self._chance.choice((2, 3, 4))
        self.tell("boundary.noted", "b1", self.week(1.3), boundary_event="b1", area="time",
                  about="therapist", concerns=self._therapist, reported_by="client",
                  severity=severity)  # fmt: skip
        match self._chance.choice(("assessed", "retracted", "left")):
            case "assessed":
                self.tell("boundary.assessed", "b1", self.week(2.6), boundary_event="b1",
                          assessment="crossing", severity=4, assessed_by="supervisor")  # fmt: skip
            case "retracted":
                self.tell("record.retracted", "b1", self.week(2.1), reason="entered_in_error",
                          target=self._target("boundary.noted", "b1"))  # fmt: skip

    def correct(self, event_type: str, name: str, when: datetime, **data: Any) -> None:
        """Correct an event."""
        said = {"clinic": CLINIC, "therapist": self._therapist, **data}
        self.tell("record.corrected", f"{event_type}/{name}", when,
                  target=self._target(event_type, name), data=said)  # fmt: skip

    def _target(self, event_type: str, name: str) -> Document:
        return {"id": f"{self.client}/{event_type}/{name}", "type": f"rapport.{event_type}"}


Story = Callable[[Course], None]
_STORIES: Final[tuple[Story, ...]] = (
    Course.risk,
    Course.decline,
    Course.not_held,
    Course.cancellations,
    Course.gap,
    Course.boundary,
)


def _document(
    event_type: str, id: str, subject: str | None, when: datetime, **data: Any
) -> Document:
    about = {} if subject is None else {"subject": subject}
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": f"rapport.{event_type}",
        "time": format_time(when),
        **about,
        "data": {"clinic": CLINIC, **data},
    }
