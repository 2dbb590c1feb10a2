"""Is the database the fold of its stream? Compared with a fresh fold into an empty SQLite."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, select

from services.alerts import bootstrap as alerts
from services.alerts import ledger, tables
from services.alerts.tables import LEASES
from services.projections import bootstrap as projections
from shared.clock import SystemClock
from shared.storage import kept
from shared.storage.engine import Database
from shared.storage.positions import positions
from shared.storage.table_sets import FIRST
from shared.stream.ports import Outgoing
from tests.faults.installation import Installation
from tests.faults.records import Contents
from tests.support.rebuildable import every_table

COPIED: Final[tuple[Table, ...]] = (
    kept.organisations,
    kept.sources,
    kept.source_secrets,
    kept.keys,
    kept.recipients,
    kept.registry,
)
"""What no fold makes: copied, so that opaque ids and rights are the same."""

WATCHED: Final = tables.of(FIRST)

NOT_FOLDED: Final[frozenset[Table]] = frozenset(
    {positions, LEASES, WATCHED.inbox, WATCHED.concerned, WATCHED.clients, WATCHED.seen}
)
"""Positions and leases are how far and who; what was seen is noted only until the stream says it
(``feed.seen``), which a fold finds there already; what is shown of an alert follows from the
ledger as well, and when a client is looked at again from when it was looked at last."""

STEPS_LIMIT: Final = 2_000


def not_a_fold(installation: Installation, found: Contents) -> Iterator[str]:
    """Say where tables, timelines and episodes are not what the stream makes of them."""
    with (
        tempfile.TemporaryDirectory(prefix="rapport-fold-") as name,
        closing(Installation(Path(name))) as fresh,
    ):
        _fold_again(installation, found, fresh)
        for table in every_table():
            if table not in NOT_FOLDED:
                yield from _different(table, rows_of(installation.db, table), fresh.db)
        for tenant in installation.tenants:
            for client in clients_of(installation, tenant.organisation):
                path = f"/v1/clients/{client}/timeline"
                served, folded = (one.get(tenant, path) for one in (installation, fresh))
                if served != folded:
                    yield f"timeline: that of {client} is not the fold of the stream"
    yield from _shown_otherwise(installation)


def canonical_hash(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a hash that two tables share exactly when they hold the same rows, in any order."""
    lines = sorted(json.dumps(dict(row), sort_keys=True, default=repr) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def rows_of(database: Database, table: Table) -> list[dict[str, Any]]:
    """Return every row of a table."""
    with database.read() as db:
        return [dict(row) for row in db.execute(select(table)).mappings()]


def clients_of(installation: Installation, organisation: str) -> list[str]:
    """Return the opaque ids of every client that was ever registered."""
    table = kept.registry
    with installation.db.read() as db:
        rows = db.execute(select(table.c.opaque).where(table.c.organisation == organisation))
        return sorted(row.opaque for row in rows if row.opaque.startswith("cl_"))


def _fold_again(installation: Installation, found: Contents, fresh: Installation) -> None:
    """Put the same records, partition by partition, through fresh workers."""
    with fresh.db.write() as db:
        for table in COPIED:
            rows = rows_of(installation.db, table)
            if rows:
                db.execute(table.insert(), rows)
    with closing(fresh.stream.publisher()) as publisher:
        outgoing = [
            Outgoing(one.topic, one.key, one.value, one.headers, one.partition)
            for one in found.records
        ]
        for start in range(0, len(outgoing), 1_000):
            publisher.publish(outgoing[start : start + 1_000], 30)
    clock = SystemClock()
    with (
        closing(projections.worker(fresh.settings, clock)) as showing,
        closing(_watcher(fresh)) as judging,
    ):
        for _ in range(STEPS_LIMIT):
            busy = [worker.step(clock.now()) for worker in (showing, judging)]
            if not any(busy) and fresh.caught_up():
                return
    raise RuntimeError("the fresh fold does not come to rest")


def _watcher(fresh: Installation) -> alerts.Worker:
    made = dict(alerts.workers(fresh.settings))
    watcher = made.pop("alerts")
    for other in made.values():
        other.close()
    return watcher


def _different(table: Table, rows: list[dict[str, Any]], fresh: Database) -> Iterator[str]:
    again = rows_of(fresh, table)
    if canonical_hash(rows) == canonical_hash(again):
        return
    mine, theirs = (
        {tuple(row[c.name] for c in table.primary_key.columns): row for row in some}
        for some in (rows, again)
    )
    for key in sorted(mine.keys() | theirs.keys(), key=repr):
        if mine.get(key) != theirs.get(key):
            which = (
                "missing" if key not in mine else "too much" if key not in theirs else "another"
            )
            columns = [
                name
                for name in mine.get(key, {})
                if theirs.get(key, {}).get(name) != mine[key][name]
            ]
            yield f"fold: {table.name} {key} is {which}, in {', '.join(columns) or 'all'}"


def _shown_otherwise(installation: Installation) -> Iterator[str]:
    """Say which alert is not shown as its last step in the ledger has it."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows_of(installation.db, ledger.STEPS), key=lambda row: row["number"]):
        last[row["organisation"], row["alert"]] = row
    shown = {(r["organisation"], r["alert"]): r for r in rows_of(installation.db, WATCHED.inbox)}
    for key, row in sorted(last.items()):
        inbox = shown.pop(key, None)
        if row["hidden"] != (inbox is None):
            yield f"shown: alert {key[1]} is {'shown' if inbox else 'not shown'} against its steps"
        elif inbox is not None and inbox["body"] != row["body"]:
            yield f"shown: alert {key[1]} is not shown as its last step has it"
    for key in sorted(shown):
        yield f"shown: alert {key[1]} is shown and has no step"
