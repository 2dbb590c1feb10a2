"""Kill a worker at its n-th call, n = 1, 2, … until the run ends without reaching n.

Each time the same prepared stream is fed, chunk by chunk, to a copy of the same database; what was
killed is started again and must finish; and the tables must then hold exactly what they hold after
an undisturbed run.
"""

import json
import pickle
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from services.alerts import ledger
from services.alerts.tables import LEASES
from shared.clock import ManualClock
from shared.storage.engine import Database
from shared.storage.positions import positions
from shared.stream.embedded.tables import LEASES as STREAM_LEASES
from shared.stream.ports import Outgoing
from tests.faults.checker import stood_still
from tests.faults.content import a_story
from tests.faults.experiment import World
from tests.faults.folds import canonical_hash, not_a_fold, rows_of
from tests.faults.forks import Forks, forks
from tests.faults.installation import TOLD_ROLES, Installation, Tenant
from tests.faults.notices import told_wrongly
from tests.faults.records import contents
from tests.support.rebuildable import every_table
from tests.support.receiver import Receiver
from tests.support.whole import WholeLine

CHUNKS: Final = 3
EVERY: Final = timedelta(minutes=20)
"""Between two chunks: each has a tick of the clock of its own."""

LEDGER_SAYS: Final = ("organisation", "alert", "step", "channel", "recipient", "number", "status")
"""What of the ledger does not depend on when, by whom and how often it was tried."""

ALL_WITHIN_S: Final = 90.0
"""Own: after so long, calls that were not tried yet are sampled no further, and it is said so."""

SHORT_SAMPLE: Final = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database with an organisation in it, and the stream that is to be fed.

    Attributes:
        folder: Holds ``rapport.db`` and ``feed``.
        tenant: The organisation.
        start: The time of the first chunk.
    """

    folder: Path
    tenant: Tenant
    start: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What a run left behind.

    Attributes:
        hashes: Table → canonical hash.
        calls: How many calls it made.
        edges: Those of them right before which something became visible to others: after a
            commit, after a message. Between two of them every call is as good as another.
    """

    hashes: Mapping[str, str]
    calls: int
    edges: Sequence[int]


def prepared(world: World, tell: str, clients: int = 1) -> Prepared:
    """Take a story by the front door, and cut the stream that it makes into chunks."""
    folder = world.folder / "prepared"
    folder.mkdir()
    # Chunks and ticks stay apart: none lies near a quarter of an hour.
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = hour - timedelta(hours=2, minutes=-1)
    clock = ManualClock(start)
    story = a_story(world.chance, clients, now=start - timedelta(minutes=1))
    ends: list[dict[Any, int]] = []
    with closing(WholeLine(folder, clock)) as line:
        for role in TOLD_ROLES:
            line.recipients.add(line.organisation, role, role=role, url=f"{tell}/{role}")
        size = -(-len(story) // CHUNKS)
        for at in range(0, len(story), size):
            line.take(story[at : at + size])
            ends.append(dict(line.stream.ends("rapport.events")))
            clock.advance(EVERY)
        tenant = Tenant("whole", line.organisation, line.source, line.secret, line.token)
    with closing(Installation(folder)) as site:
        records = contents(site).records
    chunks: list[tuple[datetime, list[Outgoing]]] = []
    for number, end in enumerate(ends):
        begin = ends[number - 1] if number else {}
        chunk = [
            Outgoing(one.topic, one.key, one.value, one.headers, one.partition)
            for one in records
            if begin.get(one.place, 0) <= one.offset < end[one.place]
        ]
        chunks.append((start + number * EVERY, chunk))
    (folder / "feed").write_bytes(pickle.dumps(chunks))
    for left in folder.glob("stream.db*"):
        left.unlink()
    return Prepared(folder, tenant, start)


def killed_at_every_call(world: World, what: str, *, redelivered: bool = False) -> Iterator[str]:
    """Kill ``what`` at each of its calls in turn, and say what differs afterwards.

    Args:
        world: Embedded stream and SQLite.
        what: The name of a worker, as ``serve.workers`` has it; or ``all``.
        redelivered: Whether a death may repeat one message.
    """
    receiver = world.receiver()
    given = prepared(world, receiver.url)
    with runs(world, given) as (run, site_of):
        clean = run("clean", what, None)
        if not receiver.messages:
            yield "nothing was told: the experiment proves nothing"
        yield from checked(site_of("clean"), receiver, 0)
        began, tried = time.monotonic(), 0
        for at in chosen(world, clean):
            if time.monotonic() - began > ALL_WITHIN_S:
                break
            receiver.messages.clear()
            name = f"at-{at}"
            again = run(name, what, at)
            tried += 1
            wrong = [
                f"killed at call {at} of {what}: {table} is not what it is after a clean run"
                for table, of in again.hashes.items()
                if of != clean.hashes[table]
            ]
            wrong += stood_still(site_of(name))
            wrong += told_wrongly(site_of(name), receiver.messages, int(redelivered))
            if wrong:
                yield from (f"{one} (call {at} of {what})" for one in wrong[:5])
                return
            shutil.rmtree(site_of(name).folder)
        world.note(f"killed at {tried} of {clean.calls} calls")


def chosen(world: World, clean: Done) -> Sequence[int]:
    """Return at which calls to kill: all; a few of the edges in the short form.

    The edges come first, each in an order of chance, so that where time runs out no part is left
    out. Without a guard the first violation ends the run, so that all may be tried.
    """
    edges = [at for at in clean.edges if at <= clean.calls]
    others = [at for at in range(1, clean.calls + 1) if at not in clean.edges]
    world.chance.shuffle(edges)
    world.chance.shuffle(others)
    return edges[:SHORT_SAMPLE] if world.short and world.whole else [*edges, *others]


Run = Callable[[str, str, int | None], Done]


@contextmanager
def runs(world: World, given: Prepared) -> Iterator[tuple[Run, Callable[[str], Installation]]]:
    """Yield a way to run a copy of what was prepared, and a way to look at a run afterwards."""
    sites: dict[str, Installation] = {}
    with (
        closing(Installation(world.folder / "forks", tree=world.tree)) as first,
        forks(first) as children,
    ):

        def run(name: str, what: str, at: int | None) -> Done:
            site = sites[name] = copied(world, given, name)
            orders = _orders(given, site, what)
            ended = children.order(**orders, at=at)
            while ended.killed:
                leases_run_out(site)
                ended = children.order(**orders)
            report = json.loads((site.folder / "report").read_text())
            return Done(hashes_of(site), report["calls"], report["edges"])

        try:
            yield run, sites.__getitem__
        finally:
            for site in sites.values():
                site.close()


def copied(world: World, given: Prepared, name: str) -> Installation:
    """Return an installation with a copy of the prepared database and an empty stream."""
    return cloned(world, given.folder, name, given.tenant)


def cloned(world: World, given: Path, name: str, tenant: Tenant) -> Installation:
    """Return an installation with a copy of a folder's database and an empty stream."""
    folder = world.folder / name
    folder.mkdir()
    for part in given.glob("rapport.db*"):
        shutil.copy(part, folder / part.name)
    (folder / "fed").write_text("")
    site = Installation(folder, tree=world.tree)
    site.tenants.append(tenant)
    return site


def settled_by(children: Forks, site: Installation) -> None:
    """Let every worker of the tree under test handle what the stream holds."""
    empty_feed(site)
    given = Prepared(site.folder, site.tenants[0], datetime.now(UTC))
    children.order(**_orders(given, site, "nothing"))


def empty_feed(site: Installation, now: datetime | None = None) -> Path:
    """Return a feed that brings nothing but the present: the stream is full already."""
    feed = site.folder / "feed"
    feed.write_bytes(pickle.dumps([(now or datetime.now(UTC), [])]))
    (site.folder / "fed").write_text("")
    return feed


def _orders(given: Prepared, site: Installation, what: str) -> dict[str, Any]:
    return {
        "what": what,
        "environment": dict(site.variables),
        "start": given.start.isoformat(),
        "feed": str(given.folder / "feed"),
        "fed": str(site.folder / "fed"),
        "report": str(site.folder / "report"),
    }


def leases_run_out(site: Installation) -> None:
    """Let the time pass after which nobody waits for the dead any more."""
    with (
        closing(Database(f"sqlite:///{site.settings.stream_file}")) as file,
        file.write() as db,
    ):
        db.execute(STREAM_LEASES.update().values(expires_at=0))
    with site.db.write() as db:
        db.execute(LEASES.update().values(held_until=0))
        db.execute(ledger.LEDGER.update().values(held_until=0))


def hashes_of(site: Installation) -> dict[str, str]:
    """Return the canonical hash of every table whose contents follow from what was fed."""
    found = {
        table.name: canonical_hash(rows_of(site.db, table))
        for table in every_table()
        if table not in (positions, LEASES)
    }
    found["ledger_steps"] = canonical_hash(rows_of(site.db, ledger.STEPS))
    found["ledger"] = canonical_hash(
        {name: row[name] for name in LEDGER_SAYS} for row in rows_of(site.db, ledger.LEDGER)
    )
    return found


def checked(site: Installation, receiver: Receiver, redeliveries: int) -> Iterator[str]:
    """Say what does not hold of a run that was not disturbed: else nothing can be compared."""
    found = contents(site)
    yield from not_a_fold(site, found)
    yield from stood_still(site)
    yield from told_wrongly(site, receiver.messages, redeliveries)
