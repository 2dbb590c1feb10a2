"""What one event weighs: bytes in the stream and in each table."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import text

from shared.storage.engine import Database
from shared.stream.ports import EVENTS, Stream
from tests.bench.bench import Bench
from tests.bench.findings import Cost

LEAST_BYTES: Final = 10.0
"""Tables that hold less per event are left out."""

UNIT: Final = "bytes/event"


def of(bench: Bench, db: Database, stream: Stream) -> Iterator[Cost]:
    """Yield what an event weighs in the stream and in the tables of PostgreSQL."""
    events = sum(stream.ends(EVENTS).values())
    note = f"{events:,} events"
    segments = bench.folder.rglob(f"{EVENTS}-*/*.log")
    kept = sum(path.stat().st_size for path in segments)
    if kept:
        yield Cost("stream", kept / events, UNIT, f"{note}, each kept once, as sent")
    if db.dialect != "postgresql":
        return
    asked = text(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC"
    )
    with db.read() as connection:
        sizes = list(connection.execute(asked))
    total = sum(size for _, size in sizes)
    yield Cost("database", total / events, UNIT, f"{note}, all tables with their indexes")
    for name, size in sizes:
        if size / events >= LEAST_BYTES:
            yield Cost(f"table {name}", size / events, UNIT, note)
