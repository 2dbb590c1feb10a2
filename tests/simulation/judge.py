"""What must hold in the end, whatever happened on the way (the invariants of ARCHITECTURE.md)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import select

from services.alerts import tables
from services.alerts.alert import delivered
from services.alerts.ledger import (
    COLLECTED,
    GIVEN_UP,
    GROUPED,
    HELD,
    LEDGER,
    NOBODY,
    PENDING,
    QUIET,
    SENT,
    STEPS,
    STREAM,
    UNSAID,
    WAITING,
    WEBHOOK,
)
from services.alerts.notices import KINDS
from services.alerts.outbox import RETRY_AFTER
from services.alerts.webhook import signed
from services.cli.catching_up import caught_up
from services.projections import read_models
from shared.clock import EPOCH, to_micros
from shared.envelope import Envelope
from shared.storage.table_sets import FIRST
from shared.stream import parking
from shared.stream.codec import decode
from shared.stream.ports import ALERTS, EVENTS
from tests.simulation.installation import ALL, PARTITIONS
from tests.simulation.scenario import END
from tests.simulation.world import World

RAPPORT: Final = "rapport"
"""The sender of what Rapport writes itself."""


def judge_arrivals(world: World, events: Sequence[Envelope]) -> None:
    """Acknowledged ⊆ stream ⊆ acknowledged ∪ unknown, for each organisation."""
    found: dict[str, set[str]] = defaultdict(set)
    for envelope in events:
        if envelope.sender != RAPPORT:
            found[envelope.organisation].add(envelope.event.id)
    for one in ALL:
        caller, there = world.callers[one.name], found.pop(one.id, set())
        assert caller.acknowledged <= there, f"lost: {sorted(caller.acknowledged - there)}"
        assert there <= caller.arrived, f"made up: {sorted(there - caller.arrived)}"
    assert not found, f"of an organisation that does not exist: {sorted(found)}"


def judge_end(world: World) -> None:
    """Judge a world that has come to rest."""
    events, told = on_stream(world, EVENTS), ledger(world)
    judge_arrivals(world, events)
    _at_the_ends(world)
    _nothing_parked(world)
    _one_effect_each(world, events)
    _everything_was_told(world, told)
    _whatever_is_open_was_told(world, told)
    _nobody_was_told_otherwise(world, told)
    _nobody_believes_what_was_taken_back(world, told)
    _alerts_stand_on_the_stream(world, told)


def _at_the_ends(world: World) -> None:
    """Every consumer has handled all that the stream holds, by the product's own measure."""
    installation = world.installation
    assert caught_up(installation.stream, installation.database), "a consumer lags"


def _nothing_parked(world: World) -> None:
    """No record failed for any reason of its own: everything that was sent can be handled."""
    with world.installation.database.read() as db:
        parked = db.execute(select(parking.TABLE.c.error, parking.TABLE.c.code_place)).all()
    assert not parked, f"parked: {parked}"


def on_stream(world: World, topic: str) -> list[Envelope]:
    """Return everything that stands on a topic."""
    installation = world.installation
    reader = installation.stream.consumer(f"judge {len(world.trace)}", [topic], lambda _: 0)
    found: list[Envelope] = []
    while records := reader.poll(10_000, 0):
        found += [decode(record) for record in records]
    reader.close()
    return found


def _one_effect_each(world: World, events: Sequence[Envelope]) -> None:
    """Each event is one fact of its client, or one in every partition, for both consumers."""
    expected: set[tuple[str, str, str]] = set()
    for envelope in events:
        if envelope.sender != RAPPORT:
            expected.add((envelope.organisation, envelope.client or "", envelope.event.id))
    for table in (read_models.of(FIRST).facts.rows, tables.of(FIRST).facts):
        asked = select(table.c.organisation, table.c.client, table.c.id).where(
            table.c.sender != RAPPORT
        )
        with world.installation.database.read() as db:
            rows = [tuple(row) for row in db.execute(asked)]
        assert set(rows) == expected, f"{table.name} differs: {sorted(set(rows) ^ expected)}"
        many = sum(1 for row in rows if not row[1])
        once = sum(1 for row in expected if not row[1])
        assert many == once * PARTITIONS
        assert len(rows) - many == len(expected) - once


def _everything_was_told(world: World, told: Sequence[Any]) -> None:
    """Nothing is pending; what counts as sent arrived; what was given up was tried often.

    What is told in a message of many alerts is settled with it, and only while its day lasts held.
    """
    arrived = {(one.url, one.message.id) for one in world.receivers.received}
    named = {(row.organisation, row.alert): row for row in told if row.kind in KINDS}
    latest = {(row.organisation, row.alert): row for row in sorted(told, key=_number)}
    speaking = {(row.organisation, row.alert, row.recipient) for row in told
                if row.channel == WEBHOOK and row.status in (SENT, GIVEN_UP, HELD)
                and latest[row.organisation, row.alert].kind != "retracted"}  # fmt: skip
    for row in told:
        assert row.status not in (PENDING, COLLECTED, QUIET), f"never sent: {row}"
        if row.status == HELD:
            assert row.due_at > to_micros(END), f"its day is over: {row}"
        if row.status == GROUPED:
            spoke = (row.organisation, row.under, row.recipient)
            assert spoke in speaking, f"nobody speaks for it: {row}"
        if row.channel != WEBHOOK or row.recipient == NOBODY:
            continue
        if row.message is not None and row.status in (SENT, GIVEN_UP):
            whole = named[row.organisation, row.message]
            assert (whole.recipient, whole.status) == (row.recipient, row.status), f"{row} {whole}"
            assert row.alert in orjson.loads(whole.body)["alerts"], f"not in its message: {row}"
            continue
        name = (_url(row.organisation, row.recipient), row.id)
        if row.status == SENT:
            assert name in arrived, f"counts as sent and never arrived: {row}"
        if row.status == GIVEN_UP:
            assert world.receivers.unanswered[name] > len(RETRY_AFTER), f"given up early: {row}"


def _whatever_is_open_was_told(world: World, told: Sequence[Any]) -> None:
    """Somebody was told of each alert that stands open, or is still to be told in a summary."""
    known = {
        (row.organisation, row.alert)
        for row in told
        if (row.channel == WEBHOOK and row.status not in UNSAID) or row.status == WAITING
    }
    inbox = tables.of(FIRST).inbox
    with world.installation.database.read() as db:
        rows = db.execute(select(inbox).where(inbox.c.state == "open")).all()
    for row in rows:
        body = orjson.loads(row.body)
        if delivered(body["urgency"]) and "absorbed_by" not in body:
            assert (row.organisation, row.alert) in known, f"told to nobody: {body}"


def _number(row: Any) -> int:
    return int(row.number)


def _nobody_was_told_otherwise(world: World, told: Sequence[Any]) -> None:
    """Whatever arrived stands in the ledger, for that recipient, under one id and in order."""
    rows = {
        (_url(row.organisation, row.recipient), row.id): row
        for row in told
        if row.channel == WEBHOOK and row.recipient != NOBODY and row.message is None
    }
    bodies: dict[str, bytes] = {}
    last: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str]] = set()
    secrets = {one.url(role): one.recipient_secret(role) for one in ALL
               for role in one.recipients.values()}  # fmt: skip
    for one in world.receivers.received:
        name = (one.url, one.message.id)
        assert name in rows, f"told what the ledger does not hold: {name}"
        assert bodies.setdefault(one.message.id, one.message.body) == one.message.body
        whole = signed(one.message, secrets[one.url], EPOCH)["webhook-signature"]
        assert one.signature == whole, f"signed with another secret: {name}"
        row = rows[name]
        if row.kind not in KINDS:
            assert orjson.loads(one.message.body)["data"]["alert"] == row.alert
        if name not in seen:
            seen.add(name)
            before = last.get((one.url, row.alert), 0)
            assert before < row.number, f"told in another order: {row}"
            last[one.url, row.alert] = row.number


def _nobody_believes_what_was_taken_back(world: World, told: Sequence[Any]) -> None:
    """Whoever was told of an alert before it was retracted was told, or often tried, that it was.

    One that nobody was told of may vanish, and be told of when it holds again.
    """
    retracted: dict[str, int] = {}
    first: dict[tuple[str, str], int] = {}
    steps = {row.id: row.number for row in told}
    for row in told:
        if row.kind == "retracted":
            retracted[row.alert] = max(row.number, retracted.get(row.alert, 0))
        elif row.channel == WEBHOOK and row.recipient != NOBODY:
            name = (row.alert, _url(row.organisation, row.recipient))
            first[name] = min(row.number, first.get(name, row.number))
    corrected = {
        (row.alert, _url(row.organisation, row.recipient))
        for row in told
        if row.kind == "retracted" and row.channel == WEBHOOK and row.recipient != NOBODY
        and row.status in (SENT, GIVEN_UP)
    }  # fmt: skip
    for one in world.receivers.received:
        about = orjson.loads(one.message.body)["data"]
        for alert in retracted.keys() & set(
            about["alerts"] if "alerts" in about else [about["alert"]]
        ):
            name = (alert, one.url)
            # Of a message of many, by the first step that it may have told.
            number = first.get(name, 0) if "alerts" in about else steps[one.message.id]
            afterwards = number > retracted[alert]
            assert afterwards or name in corrected, f"{one.url} still believes {alert}"


def _alerts_stand_on_the_stream(world: World, told: Sequence[Any]) -> None:
    """Each step of the ledger is on the topic of alerts, and nothing else; both sides agree."""
    said = {(one.organisation, one.event.id) for one in on_stream(world, ALERTS)}
    kept = {
        (row.organisation, f"{row.alert}/{row.step}")
        for row in told
        if row.channel == STREAM and row.status == SENT
    }
    assert said == kept, f"the topic of alerts differs: {sorted(said ^ kept)}"
    with world.installation.database.read() as db:
        steps = db.execute(select(STEPS).order_by(STEPS.c.alert, STEPS.c.number)).all()
        newest = {
            (organisation, alert["id"]): alert["state"]
            for organisation, client in {(row.organisation, row.client) for row in steps}
            for alert, _ in read_models.of(FIRST).alerts.query(db, organisation, [client])
        }
    bodies = {
        (row.organisation, row.alert): orjson.loads(row.body)
        for row in steps
        if (row.organisation, f"{row.alert}/{row.step}") in kept
    }
    # What was taken back before anybody was told of it has vanished.
    states = {name: one["state"] for name, one in bodies.items() if not one.get("untold")}
    assert newest == states, f"alerts are shown otherwise: {newest} {states}"


def ledger(world: World) -> list[Any]:
    """Return the rows of the ledger, each with the id of its step."""
    asked = select(LEDGER, STEPS.c.id, STEPS.c.kind, STEPS.c.body).join(
        STEPS,
        (STEPS.c.organisation == LEDGER.c.organisation)
        & (STEPS.c.alert == LEDGER.c.alert)
        & (STEPS.c.number == LEDGER.c.number),
    )
    with world.installation.database.read() as db:
        return list(db.execute(asked).all())


def _url(organisation: str, recipient: str) -> str:
    (one,) = [one for one in ALL if one.id == organisation]
    return one.url(one.recipients[recipient])
