"""What is to be read is gone from the stream, or is not what was written: stop loudly before it.

The projections are stopped while records come in that they have not read; the stream is harmed;
they are started again. They must stand still before the harm, say so with what to do, and keep
their position.
"""

import json
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from kafka import TopicPartition

from services.cli.catching_up import TIMELINES, behind
from shared.storage import positions
from shared.stream.ports import EVENTS, Partition
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.guards import Guard
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Sender
from tests.faults.parts.load import a_rating_of
from tests.faults.processes import STOPPED as SAID
from tests.faults.processes import Process, wait_until
from tests.support.kafka_admin import asking
from tests.support.kafka_broker import KafkaBroker, free_port

CLIENTS: Final = 12
BEFORE: Final = 60
AFTER: Final = 60
NOTICED_WITHIN_S: Final = 120.0
STOPPED: Final = 'rapport_consumer_stopped{consumer="projections"} 1.0'
HARMED: Final = 3
"""Records of a partition, unread, that are gone; the next one is what a flipped byte harms."""

Harm = Callable[["Scene", Partition, int], None]


@dataclass
class Scene:
    """An installation whose projections are away while records come in."""

    world: World
    site: Installation
    sender: Sender
    broker: KafkaBroker | None
    number: int = 0

    def send(self, count: int) -> None:
        """Send ratings of a few clients, one a request."""
        for _ in range(count):
            self.number += 1
            self.sender.send([a_rating_of(f"c-{self.number % CLIENTS}", f"r-{self.number}")])

    def projections(self) -> tuple[Process, int]:
        """Start the projections; return them with the port of their metrics."""
        port = free_port()
        started = self.site.start(
            "projections", "serve", "projections", RAPPORT_METRICS_PORT=str(port)
        )
        return started, port

    def caught_up(self) -> bool:
        """Return whether the projections have handled all that the stream holds."""
        return behind(self.site.stream, self.site.db, TIMELINES) == 0

    def positions(self) -> Mapping[Partition, int]:
        """Return where the projections stand."""
        with self.site.db.read() as db:
            at = positions.all_of(db, TIMELINES.now(db))
        return {Partition(*place): stands.next_offset for place, stands in at.items()}


def stops_before(world: World, harm: Harm) -> Iterator[str]:
    """Harm what is unread, and see that the projections stand still before it."""
    scene = _begun(world)
    stood, ends = scene.positions(), scene.site.stream.ends(EVENTS)
    place = max(ends, key=lambda one: ends[one] - stood[one])
    harm(scene, place, stood[place])
    started, port = scene.projections()
    wait_until(lambda: started.stopped() is not None or scene.caught_up(),
               "the projections stop or go on", NOTICED_WITHIN_S, ())  # fmt: skip
    if started.stopped() is None:
        yield f"the projections went on over what is missing or harmed in {place}"
        return
    [line] = [one for one in started.log.read_text().splitlines() if SAID in one]
    reason = json.loads(line).get("reason") or ""
    world.note(f"said: {reason}")
    if "restore" not in reason or "backup" not in reason:
        yield f"the projections stopped and did not say what to do: {line}"
    if STOPPED not in _metrics(port):
        yield "rapport_consumer_stopped is not 1"
    if (stands := scene.positions()[place]) > stood[place] + HARMED:
        yield f"the position of {place} moved from {stood[place]} to {stands}"
    # What was projected before can be read all the same; a machine that is busy starts slowly.
    wait_until(started.answers, "what was projected before can be read", NOTICED_WITHIN_S)


def _begun(world: World) -> Scene:
    """Have some records projected, and as many more that wait."""
    broker = world.broker() if world.engines.stream == "kafka" else None
    site = world.installation(stream=f"kafka://{broker.address}" if broker else "embedded")
    tenant: Tenant = site.tenant("north")
    taking = site.ingest().ready()
    scene = Scene(world, site, Sender(world.journal(), lambda: taking.address, tenant), broker)
    started, _ = scene.projections()
    started.ready()
    scene.send(BEFORE)
    wait_until(scene.caught_up, "the first records are projected", NOTICED_WITHIN_S, [started])
    started.stop()
    scene.send(AFTER)
    taking.stop()
    return scene


def _removed_from_kafka(scene: Scene, place: Partition, stood: int) -> None:
    with asking(scene.broker.address if scene.broker else "") as admin:
        admin.delete_records({TopicPartition(place.topic, place.number): stood + HARMED})


def _removed_from_the_file(scene: Scene, place: Partition, stood: int) -> None:
    with closing(sqlite3.connect(scene.site.settings.stream_file)) as db:
        where = "place = (SELECT place FROM partitions WHERE topic = ? AND number = ?)"
        found = (place.topic, place.number)
        db.execute(f'DELETE FROM records WHERE {where} AND "offset" < ?', (*found, stood + HARMED))  # noqa: S608 - ours.
        db.execute(f"UPDATE partitions SET begins = ? WHERE {where}", (stood + HARMED, *found))  # noqa: S608 - ours.
        db.commit()


def _flipped_in_a_segment(scene: Scene, place: Partition, stood: int) -> None:
    assert scene.broker is not None
    text = _unread(scene, place, stood + HARMED)
    scene.broker.stop()
    folder = scene.broker.folder / "data" / f"{place.topic}-{place.number}"
    [segment] = [one for one in folder.glob("*.log") if one.stat().st_size]
    _flip(segment, text, scene.world.chance)
    scene.broker.restart()


def _flipped_in_the_file(scene: Scene, place: Partition, stood: int) -> None:
    path, text = scene.site.settings.stream_file, _unread(scene, place, stood + HARMED)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _flip(path, text, scene.world.chance)


def _unread(scene: Scene, place: Partition, offset: int) -> str:
    """Return the sender's own id of the event at a place, which stands in its bytes once."""
    with closing(scene.site.stream.consumer("scene", [EVENTS], lambda _: 0)) as consumer:
        found: list[Any] = []
        while not found:
            found = [
                record
                for record in consumer.poll(1_000, 1.0)
                if record.place == place and record.offset == offset
            ]
    return str(json.loads(found[0].value)["id"])


def _flip(path: Path, text: str, chance: random.Random) -> None:
    """Change one digit of an id inside its record: what is left is still well-formed JSON."""
    whole = bytearray(path.read_bytes())
    at = whole.index(f'"{text}"'.encode()) + 1 + chance.randrange(text.index("-") + 1, len(text))
    whole[at] ^= 1
    path.write_bytes(whole)


def run_retention_kafka(world: World) -> Iterator[str]:
    """Delete records before the projections have read them."""
    return stops_before(world, _removed_from_kafka)


def run_retention_embedded(world: World) -> Iterator[str]:
    """Remove rows before the projections have read them."""
    return stops_before(world, _removed_from_the_file)


def run_flipped_kafka(world: World) -> Iterator[str]:
    """Flip a bit of a record in the broker's segment file, with the broker stopped."""
    return stops_before(world, _flipped_in_a_segment)


def run_flipped_embedded(world: World) -> Iterator[str]:
    """Flip a bit of a record in the engine's file."""
    return stops_before(world, _flipped_in_the_file)


def _metrics(port: int) -> str:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


RETENTION_KAFKA = Experiment(
    "retention-kafka",
    run_retention_kafka,
    (
        Guard(
            name="nothing-is-skipped-in-silence",
            file="shared/stream/kafka/consumer.py",
            old='"auto.offset.reset": "error"',
            new='"auto.offset.reset": "earliest"',
        ),
    ),
    (KAFKA,),
)

RETENTION_EMBEDDED = Experiment(
    "retention-embedded",
    run_retention_embedded,
    (
        Guard(
            name="nothing-is-skipped-in-silence",
            file="shared/stream/embedded/consumer.py",
            old="            if not row.begins <= position <= row.ends:\n",
            new="            position = max(position, row.begins)\n"
            "            if not position <= row.ends:\n",
        ),
    ),
    (EMBEDDED,),
)

FLIPPED_KAFKA = Experiment(
    "flipped-byte-kafka",
    run_flipped_kafka,
    (
        Guard(
            name="checksums-are-compared",
            file="shared/stream/kafka/consumer.py",
            old='"check.crcs": True',
            new='"check.crcs": False',
        ),
    ),
    (KAFKA,),
)

FLIPPED_EMBEDDED = Experiment(
    "flipped-byte-embedded",
    run_flipped_embedded,
    (
        Guard(
            name="checksums-are-compared",
            file="shared/stream/embedded/damage.py",
            old="row.offset != start + index or not intact(row)",
            new="row.offset != start + index",
        ),
    ),
    (EMBEDDED,),
    short=True,
)
