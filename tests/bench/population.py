"""Made-up clinics in bulk: the demonstration's half years, copied for as many clients as wanted.

Records are encoded by the product's codec and published directly, not through HTTP, so that a
million takes a minute. Everything is simulated: shapes of our own, which prove nothing about real
clinics. What is recorded was recorded two minutes after it happened, as though it had been live.
"""

import random
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from services.cli.simulation import configurations, half_year
from shared.clock import format_time, parse_time
from shared.envelope import TYPE_PREFIX, Envelope, Event
from shared.ids import CLIENT, STAFF
from shared.storage.registry import Registry
from shared.stream.broadcast import copies
from shared.stream.codec import encode
from shared.stream.ports import EVENTS, Outgoing, Stream

COURSES: Final = 300
"""Different half years of clients; further clients repeat one of them."""

CLIENTS_OF_A_SEED: Final = 60
"""How many the demonstration makes up at once."""

CLINICS: Final = 30
"""However many clients there are, they are spread over so many clinics of one organisation."""

RECORDED_AFTER: Final = timedelta(minutes=2)
PUBLISHED_AT_ONCE: Final = 5_000
PUBLISH_WITHIN_S: Final = 60.0
REGISTERED_AT_ONCE: Final = 2_000

_Course = Sequence[Event]
"""One client's events, still about the client of the half year they were made for."""


@dataclass(frozen=True, slots=True)
class Person:
    """A client: number, opaque id, clinic and the opaque id of the therapist."""

    number: int
    id: str
    clinic: str
    therapist: str

    @property
    def reference(self) -> str:
        """What a sender calls the client."""
        return _client(self.number)

    @property
    def therapist_reference(self) -> str:
        """What a sender calls the therapist."""
        return _therapist(self.number)


class Population:
    """The clients of one organisation, each with half a year of events up to ``now``."""

    def __init__(
        self,
        organisation: str,
        sender: str,
        registry: Registry,
        now: datetime,
        clients: int,
        courses: int = COURSES,
    ) -> None:
        """Register the clients and their therapists; nothing is published yet.

        Args:
            organisation: Whose clients they are.
            sender: Id of the source that their events come through.
            registry: Where they are registered.
            now: The end of everybody's half year.
            clients: How many there are.
            courses: After so many clients their half years repeat.
        """
        self.organisation = organisation
        self.sender = sender
        self.now = now
        self._courses = _courses(now, max(1, min(clients, courses)))
        self.people = [
            Person(number, id, clinic, therapist)
            for number, (id, clinic, therapist) in enumerate(
                _registered(organisation, registry, clients)
            )
        ]

    def configured(
        self, partitions: int, begin: int = 0, end: int = CLINICS
    ) -> Iterator[Outgoing]:
        """Yield the settings of clinics ``begin`` to ``end``, in every partition."""
        template = next(configurations(self.now))
        for number in range(begin, end):
            data = {**template["data"], "clinic": f"clinic-{number}"}
            event = replace(_event(template), id=f"clinic/{number}", data=data)
            yield from copies(self._told(event), partitions)

    def by_client(self, begin: int = 0, end: int | None = None) -> Iterator[Outgoing]:
        """Yield the events of clients ``begin`` to ``end``, one client after the other."""
        for person in self.people[begin:end]:
            for event in self._course(person):
                yield encode(self._told(event), EVENTS)

    def by_time(self) -> list[Outgoing]:
        """Return the events of all clients in the order in which they would have come live."""
        events = [event for person in self.people for event in self._course(person)]
        events.sort(key=lambda event: event.time)
        return [encode(self._told(event), EVENTS) for event in events]

    def live(self, count: int, begin: int = 0, among: Sequence[Person] = ()) -> Iterator[Outgoing]:
        """Yield what comes next: each event is of another client, in an order of chance.

        Args:
            count: How many events.
            begin: The first is named by this number, so that each call's are its own.
            among: The clients whom they are about; everybody where none is named.
        """
        people = list(among or self.people)
        random.Random(1).shuffle(people)
        for number in range(begin, begin + count):
            person = people[number % len(people)]
            at = self.now + timedelta(milliseconds=10 * number)
            yield encode(self._told(_next_event(person, number, at), at), EVENTS)

    def long(self, person: Person, sessions: int) -> Iterator[Outgoing]:
        """Yield one client's events over many years: a session every eight days, each rated."""
        for event in _long(person, self.now, sessions):
            yield encode(self._told(event), EVENTS)

    def _course(self, person: Person) -> Iterator[Event]:
        course = self._courses[person.number % len(self._courses)]
        for event in course:
            data = {**event.data, "clinic": person.clinic, "therapist": person.therapist}
            if "concerns" in data:
                data["concerns"] = person.therapist
            yield replace(event, subject=person.id, data=data)

    def _told(self, event: Event, recorded_at: datetime | None = None) -> Envelope:
        taken_at = event.time + RECORDED_AFTER if recorded_at is None else recorded_at
        content = f"{zlib.crc32(f'{event.subject} {event.id}'.encode()):032x}"
        return Envelope(self.organisation, self.sender, event, content, taken_at)


def publish(stream: Stream, records: Iterable[Outgoing]) -> int:
    """Publish in bulk, by a publisher of its own; return how many records that were."""
    publisher = stream.publisher()
    try:
        rest, count = iter(records), 0
        while some := list(islice(rest, PUBLISHED_AT_ONCE)):
            publisher.publish(some, PUBLISH_WITHIN_S)
            count += len(some)
        return count
    finally:
        publisher.close()


def _courses(now: datetime, count: int) -> Sequence[_Course]:
    courses: dict[tuple[int, str], list[Event]] = {}
    for seed in range(-(-count // CLIENTS_OF_A_SEED)):
        for document in half_year(now, seed):
            courses.setdefault((seed, document["subject"]), []).append(_event(document))
    return list(courses.values())[:count]


def events_of(now: datetime, courses: int) -> float:
    """Return how many events a client has on average, among so many different ones."""
    return sum(map(len, _courses(now, courses))) / courses


def _event(document: Mapping[str, Any]) -> Event:
    return Event(
        type=document["type"].removeprefix(TYPE_PREFIX),
        source=document["source"],
        id=document["id"],
        time=parse_time(document["time"]),
        subject=document.get("subject"),
        data=document["data"],
    )


def _clinic(number: int) -> str:
    return f"clinic-{number % CLINICS}"


def _registered(
    organisation: str, registry: Registry, clients: int
) -> Iterator[tuple[str, str, str]]:
    """Yield opaque id, clinic and therapist of each client; ten clients share a therapist."""
    for start in range(0, clients, REGISTERED_AT_ONCE):
        numbers = range(start, min(clients, start + REGISTERED_AT_ONCE))
        wanted = [(CLIENT, _client(number)) for number in numbers]
        wanted += [(STAFF, _therapist(number)) for number in numbers]
        opaque = registry.opaque(organisation, wanted)
        for number in numbers:
            therapist = opaque[STAFF, _therapist(number)]
            yield opaque[CLIENT, _client(number)], _clinic(number // 10), therapist


def _client(number: int) -> str:
    return f"client-{number}"


def _therapist(number: int) -> str:
    return f"therapist-{number // 10}"


def _next_event(person: Person, number: int, at: datetime) -> Event:
    common = {"clinic": person.clinic, "therapist": person.therapist}
    session = f"live-{number}"
    match number % 3:
        case 0:
            later = format_time(at + timedelta(days=7))
            type, data = "session.scheduled", {"session": session, "starts_at": later,
                                               "planned_minutes": 50}  # fmt: skip
        case 1:
            began = format_time(at - timedelta(minutes=50))
            type, data = "session.held", {"session": session, "started_at": began,
                                          "ended_at": format_time(at)}  # fmt: skip
        case _:
            type, data = "rating.given", {"rating": session, **_srs(number)}
    return Event(type, "urn:simulated:live", session, at, person.id, {**common, **data})


def _srs(number: int) -> dict[str, Any]:
    items = {str(item): round(8.5 + (number + item) % 10 / 10, 1) for item in range(1, 5)}
    return {"instrument": "srs-3", "rater": "client", "items": items}


def _long(person: Person, now: datetime, sessions: int) -> Iterator[Event]:
    began = now - timedelta(days=8 * sessions + 10)

    def event(type: str, name: str, at: datetime, **data: Any) -> Event:
        whole = {"clinic": person.clinic, "therapist": person.therapist, **data}
        return Event(type, "urn:simulated:years", name, at, person.id, whole)

    yield event("care.started", "care", began, agreed_interval_days=8)
    for number in range(sessions):
        starts = began + timedelta(days=8 * number + 7)
        booked = starts - timedelta(days=6)
        ends, session = starts + timedelta(minutes=50), f"s{number}"
        yield event("session.scheduled", f"{session}/s", booked, session=session,
                    starts_at=format_time(starts), planned_minutes=50)  # fmt: skip
        yield event("session.held", f"{session}/h", ends, session=session,
                    started_at=format_time(starts), ended_at=format_time(ends))  # fmt: skip
        yield event("rating.given", f"{session}/srs", ends, rating=f"{session}/srs",
                    session=session, **_srs(number))  # fmt: skip
        if number % 4 == 0:
            for instrument, rater, items, answer in _EVERY_FOURTH:
                yield event("rating.given", f"{session}/{instrument}", ends,
                            rating=f"{session}/{instrument}", session=session,
                            instrument=instrument, rater=rater,
                            items={str(item): answer for item in range(1, items + 1)})  # fmt: skip


_EVERY_FOURTH: Final = (
    ("wai-sr", "client", 12, 4),
    ("wai-sr-t", "therapist", 12, 4),
    ("phq-9", "client", 9, 0),
)
