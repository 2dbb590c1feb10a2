"""Poison of every kind, put straight onto the topic: nothing stops, nobody else is touched.

What nobody can decode must be in the quarantine, as found; what names a client and cannot be
handled must be parked with its client's later records behind it; and everybody else's timelines
and alerts must be those of a run without any poison.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from shared.errors import Unreadable
from shared.ids import CLIENT, opaque_id
from shared.stream import quarantine
from shared.stream.codec import decode, key_of
from shared.stream.parking import PARKED, QUEUED, TABLE
from shared.stream.ports import EVENTS, QUARANTINE, Outgoing, Record, Stream
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.faultless import unlike_faultless
from tests.faults.guards import Guard
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Sender
from tests.faults.notices import told_wrongly
from tests.faults.parts.load import a_rating_of
from tests.faults.records import Contents

PUBLISH_WITHIN_S: Final = 30.0
READ_WITHIN_S: Final = 1.0
DEEP: Final = b'{"source":"s","id":"i","content":"c","backfill":false,"data":' + b"[" * 50_000

Kind = Callable[[Outgoing], Outgoing]


def _header(name: str, value: bytes | None) -> Kind:
    """Return what gives a record another header, or takes one away."""

    def changed(record: Outgoing) -> Outgoing:
        kept = tuple(pair for pair in record.headers if pair[0] != name)
        return replace(record, headers=kept if value is None else (*kept, (name, value)))

    return changed


def _value(value: bytes) -> Kind:
    """Return what gives a record another body."""
    return lambda record: replace(record, value=value)


def _data(data: bytes) -> Kind:
    """Return what gives a record other data in a sound body."""
    return _value(b'{"source":"s","id":"i","content":"c","backfill":false,"data":' + data + b"}")


NOBODY_DECODES: Final[Mapping[str, Kind]] = {
    "no headers": lambda record: replace(record, headers=()),
    "no specversion": _header("ce_specversion", None),
    "another specversion": _header("ce_specversion", b"0.3"),
    "no organisation": _header("ce_organisation", None),
    "no subject": _header("ce_subject", None),
    "a subject that is no id": _header("ce_subject", b"a name, perhaps"),
    "a type that is no UTF-8": _header("ce_type", b"\xff\xfe"),
    "no time": _header("ce_time", None),
    "a time that is none": _header("ce_time", b"yesterday"),
    "a recordedtime that is none": _header("ce_recordedtime", b"2026-02-30T00:00:00Z"),
    "a version that is no number": _header("ce_dataschema", b"/schemas/rating.given/one"),
    "an empty value": _value(b""),
    "a value of bytes": _value(bytes(range(256))),
    "a value that is a list": _value(b"[]"),
    "a value that is a number": _value(b"1e999"),
    "a value without its fields": _value(b"{}"),
    "half a value": _value(b'{"source":"s","id":"i","da'),
    "a value too deep": _value(DEEP),
}
"""What → how a sound record is spoilt, so that no envelope can be read from it."""

NOBODY_HANDLES: Final[Mapping[str, Kind]] = {
    "an unknown type": _header("ce_type", b"rapport.mood.guessed"),
    "an unknown version": _header("ce_dataschema", b"/schemas/rating.given/99"),
    "data that are null": _data(b"null"),
    "data that are a list": _data(b"[1,2]"),
    "data without fields": _data(b"{}"),
    "items that are a text": _data(b'{"instrument":"srs-3","rater":"client","items":"nine"}'),
}
"""The same, with an envelope that names a client; some of it may be tolerated."""


def run(world: World) -> Iterator[str]:
    """Send a story in two halves, with all poison between them, and look once it has settled."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    batches = in_batches(a_story(world.chance, 1 if world.short else 2), world.chance)
    middle = len(batches) // 2
    sender.send_all(batches[:middle])
    victims = _poisoned(site, tenant, world.chance, sender)
    sender.send_all(batches[middle:])
    site.wait_settled()
    found = _all_of(site.stream, EVENTS)
    yield from _quarantined(site, found)
    yield from _parked(world, site, victims)
    yield from unlike_faultless(site, journal, _sound(found, victims))
    yield from told_wrongly(site, receiver.messages, 0)
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")


def _poisoned(
    site: Installation, tenant: Tenant, chance: random.Random, sender: Sender
) -> Mapping[str, str]:
    """Publish every kind, each about a client of its own, who has one sound fact more after it.

    Returns:
        What cannot be handled → whom it is about.
    """
    sender.send([a_rating_of("template", "template")])
    [sound] = [record for record in _all_of(site.stream, EVENTS) if b'"template"' in record.value]
    kinds = [*NOBODY_DECODES.items(), *NOBODY_HANDLES.items()]
    chance.shuffle(kinds)
    victims = {}
    with closing(site.stream.publisher()) as publisher:
        for name, spoil in kinds:
            victim = opaque_id(CLIENT)
            good = _about(sound, tenant.organisation, victim)
            publisher.publish([spoil(good)], PUBLISH_WITHIN_S)
            if name in NOBODY_HANDLES:
                victims[name] = victim
                publisher.publish([good], PUBLISH_WITHIN_S)
    return victims


def _about(record: Record, organisation: str, client: str) -> Outgoing:
    headers = tuple(
        (name, client.encode() if name == "ce_subject" else value)
        for name, value in record.headers
    )
    return Outgoing(EVENTS, key_of(organisation, client), record.value, headers)


def _quarantined(site: Installation, found: list[Record]) -> Iterator[str]:
    """Say what cannot be decoded and is not in the quarantine as it was found."""
    wanted = {
        f"{record.topic}/{record.partition}/{record.offset}": record
        for record in found
        if _undecodable(record)
    }
    copies: dict[str, Record] = {}
    for copy in _all_of(site.stream, QUARANTINE):
        copies[dict(copy.headers)[quarantine.FOUND_AT].decode()] = copy
    if len(wanted) != len(NOBODY_DECODES):
        yield f"{len(wanted)} kinds cannot be decoded, not {len(NOBODY_DECODES)}"
    for place in sorted(wanted.keys() ^ copies.keys()):
        yield f"quarantine: {place} is {'missing' if place in wanted else 'sound'}"
    for place in wanted.keys() & copies.keys():
        if (copies[place].key, copies[place].value) != (wanted[place].key, wanted[place].value):
            yield f"quarantine: {place} is not there as it was found"


def _parked(world: World, site: Installation, victims: Mapping[str, str]) -> Iterator[str]:
    """Say who is held back without a reason, and whose later facts did not wait."""
    with site.db.read() as db:
        rows = db.execute(select(TABLE).order_by(TABLE.c.offset)).all()
    names = {client: name for name, client in victims.items()}
    states: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        states.setdefault((row.client, row.consumer), []).append(row.state)
    for (client, consumer), found in sorted(states.items()):
        if client not in names:
            yield f"parked: {consumer} holds back {client}, whose facts are sound"
        elif found != [PARKED, QUEUED]:
            yield f"parked: {consumer} keeps of {names[client]}: {', '.join(found)}"
    held = {names[client] for client, _ in states if client in names}
    world.note(f"held back for {', '.join(sorted(held))}")
    for name in ("an unknown type", "an unknown version"):
        if name not in held:
            yield f"parked: {name} holds nobody back"


def _sound(found: list[Record], victims: Mapping[str, str]) -> Contents:
    """Return what the stream would hold without poison."""
    poisoned = set(victims.values())
    return Contents(
        tuple(
            record
            for record in found
            if not _undecodable(record) and decode(record).client not in poisoned
        )
    )


def _undecodable(record: Record) -> bool:
    try:
        decode(record)
    except Unreadable:
        return True
    return False


def _all_of(stream: Stream, topic: str) -> list[Record]:
    left = {place for place, end in stream.ends(topic).items() if end}
    ends, found = stream.ends(topic), []
    with closing(stream.consumer(f"poison-{opaque_id(CLIENT)}", [topic], lambda _: 0)) as reader:
        while left:
            for record in reader.poll(1_000, READ_WITHIN_S):
                found.append(record)
                if record.offset + 1 >= ends[record.place]:
                    left.discard(record.place)
    return found


EXPERIMENT = Experiment(
    "poison",
    run,
    (
        Guard(
            name="a-client-s-later-facts-wait",
            file="shared/stream/parking.py",
            old='        return "handle" if head is None or record.offset < head else "queue"\n',
            new='        return "handle"\n',
            loud=True,
        ),
        Guard(
            name="what-nobody-decodes-is-passed-over",
            file="shared/stream/runner.py",
            old="            except Unreadable as error:\n",
            new="            except AssertionError as error:\n",
            loud=True,
        ),
        Guard(
            name="what-nobody-handles-is-parked",
            file="shared/stream/runner.py",
            old="        except Exception as error:\n            cause = error\n",
            new="        except AssertionError as error:\n            cause = error\n",
            loud=True,
        ),
    ),
    (EMBEDDED, KAFKA),
)
