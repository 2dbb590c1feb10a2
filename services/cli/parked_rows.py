"""What ``rapport parked`` prints: queues, records and outcomes as rows."""

import json
from typing import Any, Final

from sqlalchemy import Row

from shared.clock import format_time, from_micros
from shared.stream import parking, quarantine
from shared.stream.ports import Record
from shared.stream.redrive import Queue, Retried

EVERYBODY: Final = "many"
"""What people write for the facts that concern many clients of an organisation."""


def summary(queue: Queue) -> dict[str, Any]:
    """Return a queue in one row: its head, and why that failed."""
    return {
        "consumer": queue.consumer,
        "organisation": queue.who[0],
        "client": queue.who[1] or EVERYBODY,
        "state": queue.state,
        "since": format_time(queue.since),
        "head": f"{queue.place.topic}/{queue.place.number}/{queue.head}",
        "records": queue.records,
        "attempts": queue.attempts,
        "error": queue.error or None,
        "where": queue.code_place or None,
    }


def shown(row: Row[Any], *, value: bool) -> dict[str, Any]:
    """Return one waiting record; what the sender wrote only with ``value``."""
    record = parking.record_of(row)
    headers = {name: _text(held) for name, held in record.headers}
    found = {
        "record": f"{row.topic}/{row.partition}/{row.offset}",
        "consumer": row.consumer,
        "state": row.state,
        "type": headers.get("ce_type"),
        "time": headers.get("ce_time"),
        "id": headers.get("ce_id"),
        "parked_at": format_time(from_micros(row.parked_at)),
        "attempts": row.attempts,
        "error": row.error or None,
        "where": row.code_place or None,
        "evicted_at": row.evicted_at and format_time(from_micros(row.evicted_at)),
        "evicted_by": row.evicted_by,
        "reason": row.evicted_because,
    }
    if value:
        found |= {
            "key": _text(record.key),
            "headers": json.dumps(headers),
            "value": _text(record.value),
        }
    return found


def result(one: Retried) -> dict[str, Any]:
    """Return what became of a queue."""
    return {
        "consumer": one.queue.consumer,
        "organisation": one.queue.who[0],
        "client": one.queue.who[1] or EVERYBODY,
        "handled": one.handled,
        "left": one.left,
        "error": one.error or None,
        "where": one.code_place or None,
    }


def quarantined(record: Record) -> dict[str, Any]:
    """Return where a record was found that nobody can decode."""
    headers = dict(record.headers)
    return {
        "record": f"{record.topic}/{record.partition}/{record.offset}",
        "since": format_time(record.appended_at),
        "found_at": _text(headers.get(quarantine.FOUND_AT, b"")),
        "consumer": _text(headers.get(quarantine.CONSUMER, b"")),
        "error": _text(headers.get(quarantine.ERROR, b"")),
        "bytes": len(record.value),
    }


def _text(held: bytes) -> str:
    return held.decode(errors="backslashreplace")
