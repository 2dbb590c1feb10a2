"""Was everybody told, once? The ledger against what the receivers got. (Invariant 4.)"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from services.alerts import ledger
from services.alerts.ledger import COLLECTED, GIVEN_UP, NOBODY, PENDING, SENT, WEBHOOK
from shared.envelope import TYPE_PREFIX
from shared.stream.codec import decode
from shared.stream.ports import ALERTS
from tests.faults.folds import rows_of
from tests.faults.installation import Installation
from tests.faults.records import contents
from tests.support.receiver import Received


def told_wrongly(
    installation: Installation, messages: Sequence[Received] | None, redeliveries: int
) -> Iterator[str]:
    """Say which notification was lost or doubled.

    Args:
        installation: Whose ledger.
        messages: What the receivers got and answered 2xx or not at all; None: nobody was told.
        redeliveries: How many repeats are accounted for by answers that were lost.
    """
    steps = {
        (row["organisation"], row["alert"], row["number"]): row
        for row in rows_of(installation.db, ledger.STEPS)
    }
    rows = rows_of(installation.db, ledger.LEDGER)
    for row in rows:
        if row["status"] in (PENDING, COLLECTED, GIVEN_UP):
            yield f"untold: step {row['step']} of alert {row['alert']} is {row['status']}"
    yield from _published(installation, rows, steps)
    if messages is not None:
        yield from _delivered(rows, steps, messages, redeliveries)


def _published(
    installation: Installation,
    rows: Sequence[dict[str, Any]],
    steps: dict[tuple[str, str, int], dict[str, Any]],
) -> Iterator[str]:
    """Say which step is not on the topic of alerts, or has different contents there."""
    on_topic: dict[str, set[bytes]] = defaultdict(set)
    for record in contents(installation).of(ALERTS):
        on_topic[decode(record).id].add(record.value)
    for row in rows:
        if row["channel"] == ledger.STREAM and row["status"] == SENT:
            step = steps[row["organisation"], row["alert"], row["number"]]
            if step["id"] not in on_topic:
                yield f"untold: step {step['id']} of {row['alert']} is not on the topic of alerts"
    known = {step["id"] for step in steps.values()}
    for event, values in sorted(on_topic.items()):
        if event not in known:
            yield f"told: step {event} is on the topic of alerts and in no ledger"
        if len(values) > 1:
            yield f"told: step {event} is on the topic of alerts with {len(values)} contents"


def _delivered(
    rows: Sequence[dict[str, Any]],
    steps: dict[tuple[str, str, int], dict[str, Any]],
    messages: Sequence[Received],
    redeliveries: int,
) -> Iterator[str]:
    got = Counter(message.id for message in messages)
    wanted = Counter(
        steps[row["organisation"], row["alert"], row["number"]]["id"]
        for row in rows
        if row["channel"] == WEBHOOK
        and row["status"] == SENT
        and row["recipient"] != NOBODY
        and row["message"] is None  # The rest was told in a message of its own.
    )
    for step in sorted(wanted - got):
        yield f"untold: notification {step} is settled as sent and was never received"
    for step in sorted(got.keys() - wanted.keys()):
        yield f"told: notification {step} was received and is in no ledger"
    repeats = (got - wanted).total()
    if repeats > redeliveries:
        yield f"told: {repeats} notification(s) repeated, {redeliveries} accounted for"
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for message in messages:
        bodies[message.id].add(message.raw)
    for step, different in sorted(bodies.items()):
        if len(different) > 1:
            yield f"told: notification {step} came with {len(different)} contents"
    yield from _opened_twice(rows, steps, messages)


def _opened_twice(
    rows: Sequence[dict[str, Any]],
    steps: dict[tuple[str, str, int], dict[str, Any]],
    messages: Sequence[Received],
) -> Iterator[str]:
    """Say which alert somebody was told the opening of under several ids in one round."""
    rounds: Counter[str] = Counter()
    for step in steps.values():
        rounds[step["alert"]] = max(rounds[step["alert"]], step["round"])
    listeners = Counter(
        (row["alert"], row["step"]) for row in rows
        if row["channel"] == WEBHOOK and row["recipient"] != NOBODY
    )  # fmt: skip
    opened: dict[tuple[str, str], set[str]] = defaultdict(set)
    for message in messages:
        if message.body["type"] == f"{TYPE_PREFIX}alert.opened":
            opened[message.path, message.body["data"]["alert"]].add(message.id)
    most = max(listeners.values(), default=1)
    for (_, alert), ids in sorted(opened.items()):
        if len(ids) > rounds[alert] * most:
            yield f"told: the opening of alert {alert} was told under {len(ids)} ids"
