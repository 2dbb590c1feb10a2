"""A disk that is really full: under the embedded engine, and under PostgreSQL."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.experiment import EMBEDDED, EMBEDDED_POSTGRES, Experiment, World
from tests.faults.experiments.postgres_away import WAITED_FOR, Site
from tests.faults.guards import Guard
from tests.faults.journal import Sender
from tests.faults.parts.load import Load, a_rating_of
from tests.faults.parts.postgres import BreakablePostgres
from tests.faults.parts.small_disk import SmallDisk, a_small_disk

EMBEDDED_MB: Final = 64
POSTGRES_MB: Final = 256
UNDER_WAY: Final = 10
FULL_S: Final = 6.0
CERTAINLY_TOO_LARGE: Final = 400
"""Ratings in one request: more than whatever room is left in pages begun already."""


def run_embedded(world: World) -> Iterator[str]:
    """Fill the disk of stream, database and logs: 503, nothing half-written, then it goes on."""
    disk = world.keep(a_small_disk(world.folder / "disk", EMBEDDED_MB))
    site = world.installation("disk/site")
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    with Load(sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        disk.fill()
        until = time.monotonic() + FULL_S
        while time.monotonic() < until:
            # Whatever gives room back, such as a log that is begun again, is filled as well.
            disk.fill()
            time.sleep(0.1)
        yield from _too_large(sender)
        disk.clear()
        load.wait_acknowledged(UNDER_WAY)
    sender.send_unknowns_again()
    site.wait_settled()
    world.note(f"{journal.counts()}, {len(receiver.messages)} notifications")
    yield from violations(site, journal, Expectation(messages=receiver.messages))


def run_postgres(world: World) -> Iterator[str]:
    """Fill the disk of PostgreSQL: whoever needs it waits, and goes on once there is room."""
    # PostgreSQL runs as somebody else, who must be able to reach its folder.
    above = Path(world.keep(tempfile.TemporaryDirectory(prefix="rapport-disk-")))
    above.chmod(0o711)
    disk = world.keep(a_small_disk(above / "disk", POSTGRES_MB))
    server = world.keep(closing(BreakablePostgres(disk.folder)))
    site = Site(world, server.url)
    with Load(site.sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        _keep_full(disk)
        disk.clear()
        # Where it could not write its own log of writes, PostgreSQL ends; people start it again.
        if not server.running():
            world.note("PostgreSQL had ended, and was started again")
            server.restart()
        server.wait()
        load.wait_acknowledged(UNDER_WAY)
    yield from site.ended()


def _too_large(sender: Sender) -> Iterator[str]:
    batch = [
        a_rating_of(f"regular-{number % 10}", f"full-{number}")
        for number in range(CERTAINLY_TOO_LARGE)
    ]
    sending = sender.send(batch)
    if sending.why != "status 503":
        yield f"on a full disk {len(batch)} events ended as {sending.state} {sending.why}"


def _keep_full(disk: SmallDisk) -> None:
    until = time.monotonic() + FULL_S
    while time.monotonic() < until:
        disk.fill()
        time.sleep(0.1)


ON_EMBEDDED = Experiment(
    "disk-full-embedded",
    run_embedded,
    (
        Guard(
            name="only-what-is-on-the-disk-is-acknowledged",
            file="shared/stream/embedded/publisher.py",
            old="            batch.error = error\n",
            new="",
        ),
    ),
    (EMBEDDED,),
)

ON_POSTGRES = Experiment("disk-full-postgres", run_postgres, (WAITED_FOR,), (EMBEDDED_POSTGRES,))
