"""The golden corpus: one record of every version of every event type that was ever shipped.

``python -m tests.support.golden_events`` adds the sample of a new type or version. What a record
holds is never changed afterwards: it stands for bytes that lie in somebody's stream. What it reads
as changes only when a version is added, by hand, and is reviewed.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from shared.clock import format_time
from shared.envelope import Envelope, Event
from shared.events import EVENT_TYPES, EventType, upcast
from shared.stream.codec import decode, encode
from shared.stream.ports import EVENTS, Record
from tests.support.event_specimens import a_specimen

FOLDER = Path(__file__).parent.parent / "golden" / "events"
RECORDED_AT = datetime(2026, 5, 12, 12, 0, 3, tzinfo=UTC)


def shipped() -> list[str]:
    """Return the name of the sample that each version of each type must have."""
    return [
        f"{name}.{version}"
        for name, event_type in EVENT_TYPES.items()
        for version in range(1, event_type.version + 1)
    ]


def load(name: str) -> dict[str, Any]:
    """Return a committed sample: ``record`` and ``reads``."""
    sample: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return sample


def read(record: dict[str, Any]) -> dict[str, Any]:
    """Return what today's code reads from a record, as JSON."""
    taken = Record(
        topic=EVENTS,
        partition=0,
        offset=0,
        key=record["key"].encode(),
        value=orjson.dumps(record["value"]),
        headers=tuple((name, text.encode()) for name, text in record["headers"].items()),
        appended_at=RECORDED_AT,
    )
    envelope = decode(taken)
    event = upcast(envelope.event)
    return {
        "id": envelope.id,
        "organisation": envelope.organisation,
        "sender": envelope.sender,
        "client": envelope.client,
        "recorded_at": format_time(envelope.recorded_at),
        "content": envelope.content,
        "type": event.type,
        "version": event.version,
        "source": event.source,
        "event_id": event.id,
        "time": format_time(event.time),
        "backfill": event.backfill,
        "data": event.data,
    }


def a_sample(event_type: EventType) -> dict[str, Any]:
    """Return the sample of a type's newest version."""
    event = Event(
        type=event_type.name,
        source="/clinics/north/diary",
        id=f"{event_type.name}/1",
        time=datetime(2026, 5, 12, 12, 0, tzinfo=UTC),
        subject=None if event_type.scope == "clinic" else "cl_3f9c2b7a1d4e5f6071829304",
        data=a_specimen(event_type),
        version=event_type.version,
    )
    content = "c0ffee00c0ffee00c0ffee00c0ffee00"
    sender = "src_1f2e3d4c5b6a798897a6b5c4"
    envelope = Envelope("org_5d0c9b8a7f6e5d4c3b2a1908", sender, event, content, RECORDED_AT)
    outgoing = encode(envelope, EVENTS)
    record = {
        "key": outgoing.key.decode(),
        "headers": {name: text.decode() for name, text in outgoing.headers},
        "value": json.loads(outgoing.value),
    }
    return {"record": record, "reads": read(record)}


def add_missing() -> list[str]:
    """Write the samples that are missing; return their names. Existing ones are left alone."""
    added = []
    for event_type in EVENT_TYPES.values():
        path = FOLDER / f"{event_type.name}.{event_type.version}.json"
        if not path.exists():
            text = json.dumps(a_sample(event_type), indent=2, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
            added.append(path.stem)
    return added


if __name__ == "__main__":
    sys.stdout.write("".join(f"added {name}\n" for name in add_missing()))
