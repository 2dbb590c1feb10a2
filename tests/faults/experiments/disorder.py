"""Events in any order, twice, up to thirty days late, corrected, retracted and restored."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.clock import format_time, parse_time
from tests.faults.content import Document, a_story
from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.virtual import Moment, lived, lived_by, unlike

LATE: Final = timedelta(days=30)
EVERY: Final = timedelta(days=5)
AMENDED: Final = 12
CORRECTIONS: Final = 4
SINCE: Final = timedelta(days=5)
"""Room for all amendments, which are at most an hour and a half apart."""


@dataclass
class Amending:
    """Makes amendments of some events of a story, in the order in which they should count."""

    chance: random.Random
    at: datetime
    number: int = 0

    def corrected(self, target: Document, data: dict[str, Any]) -> Document:
        """Return a correction."""
        named = {name: target[name] for name in ("id", "type", "source")}
        return self._amendment("record.corrected", target, {"target": named, "data": data})

    def retracted(self, target: Document) -> Document:
        """Return a retraction of an event, be it an amendment."""
        named = {name: target[name] for name in ("id", "type", "source")}
        reason = "entered_in_error"
        return self._amendment("record.retracted", target, {"target": named, "reason": reason})

    def thing_retracted(self, target: Document) -> Document:
        """Return a retraction of everything that speaks of a session."""
        thing = {"kind": "session", "ref": target["data"]["session"]}
        data = {"target": thing, "reason": "duplicate"}
        return self._amendment("record.retracted", target, data)

    def _amendment(self, type: str, target: Document, data: dict[str, Any]) -> Document:
        self.number += 1
        self.at += timedelta(minutes=self.chance.randint(1, 90))
        return {
            "specversion": "1.0",
            "id": f"{type}/{self.number}",
            "source": target["source"],
            "type": f"rapport.{type}",
            "time": format_time(self.at),
            "subject": target["subject"],
            "data": {"clinic": target["data"]["clinic"], **data},
        }


def run(world: World) -> Iterable[str]:
    """Send in disorder over thirty days what another sends in order, and compare."""
    end = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
    story = a_story(world.chance, clients=1 if world.short else 4, now=end - LATE)
    chance = world.chance
    everything = [*story, *amendments(story, chance, end - LATE + timedelta(hours=1))]
    tell = world.receiver().url
    ordered = sorted(everything, key=lambda one: one["time"])
    plain = lived([Moment(end, tuple(ordered))], tell)
    broken = lived_by(world, disordered(everything, chance, end), tell)
    world.note(f"{len(everything)} events, {len(plain.episodes)} episodes")
    # What was told on the way need not be what is told at the end: half a story is another one.
    yield from (one for one in unlike(plain, broken) if one.startswith(("timeline", "episode")))


def amendments(story: list[Document], chance: random.Random, start: datetime) -> list[Document]:
    """Return corrections, corrections of those, retractions, and retractions of retractions."""
    make = Amending(chance, start)
    rated = [one for one in story if one["type"].endswith("rating.given")]
    held = [one for one in story if one["type"].endswith("session.held")]
    made: list[Document] = []
    for target in chance.sample(rated, min(AMENDED, len(rated))):
        data = target["data"]
        lowest = 0 if data["instrument"] == "phq-9" else 1
        # Each says something else, so that another than the latest shows.
        for answer in range(lowest, lowest + CORRECTIONS):
            items = {**data["items"], "1": answer}
            made.append(make.corrected(target, {**data, "items": items}))
        if chance.random() < 0.5:
            made.append(make.retracted(made[-1]))
    for target in chance.sample(held, min(AMENDED // 2, len(held))):
        made.append(chance.choice((make.retracted, make.thing_retracted))(target))
        if chance.random() < 0.5:
            made.append(make.retracted(made[-1]))
    return made


def an_amended_story(chance: random.Random, clients: int) -> list[Document]:
    """Return a story that ended some days ago, and amendments of it since.

    Args:
        chance: Makes up both.
        clients: How many.
    """
    # Whole days, so that it lies as far from every quarter of an hour as the present does.
    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1) - SINCE
    story = a_story(chance, clients, now=end)
    return [*story, *amendments(story, chance, end)]


def disordered(everything: list[Document], chance: random.Random, end: datetime) -> list[Moment]:
    """Return a schedule of thirty days: each event at any time after it happened, some twice."""
    when: list[tuple[datetime, Document]] = []
    for document in everything:
        for _ in range(chance.choice((1, 1, 2))):
            earliest = max(parse_time(document["time"]), end - LATE)
            late = chance.choice((0.0, 1.0, chance.random()))
            when.append((earliest + late * (end - earliest), document))
    moments: list[Moment] = []
    at = end - LATE
    while at < end:
        at = min(at + EVERY, end)
        now = [document for moment, document in when if at - EVERY <= moment <= at]
        chance.shuffle(now)
        moments.append(Moment(at, tuple(now)))
    return moments


EXPERIMENT = Experiment(
    "disorder",
    run,
    guards=(
        Guard(
            name="facts-in-fold-order",
            file="shared/alliance/reading.py",
            old="    facts.sort(key=fold_order)\n",
            new="    facts.sort(key=lambda one: (one.recorded_at, one.id))\n",
            loud=True,
        ),
        Guard(
            name="latest-amendment-counts",
            file="shared/alliance/amendments.py",
            old="sorted(self._all.values(), key=lambda one: one.order)",
            new="sorted(self._all.values(), key=lambda one: one.envelope.recorded_at)",
        ),
        Guard(
            name="judged-again-when-an-amendment-comes",
            file="services/alerts/watcher.py",
            old="        touched = self._intake.take(db, items)\n",
            new="        touched = self._intake.take(db, items)\n"
            "        if any(one.envelope.event.type.startswith('record.') for one in items):\n"
            "            touched = {}\n",
        ),
    ),
    short=True,
)
