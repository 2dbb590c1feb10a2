"""Two owners of one partition: one stops with records in hand, another takes over, it wakes."""

import signal
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.forks import Ended, Forks, forks
from tests.faults.guards import Guard
from tests.faults.installation import Installation
from tests.faults.journal import Sender
from tests.faults.killing import empty_feed

CONSUMERS: Final = ("projections", "alerts")


def run(world: World) -> Iterable[str]:
    """Stop a consumer right before it saves; let a process take over and go on; wake it.

    Nothing hurries the taking over: the lease, or the membership of the group, runs out in its
    own time.
    """
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    ingest = site.ingest().ready()
    sender = Sender(journal, lambda: ingest.address, tenant)
    batches = in_batches(a_story(world.chance, clients=2), world.chance)
    half = len(batches) // 2
    sender.send_all(batches[:half])
    with forks(site) as children:
        stopped = [_stopped(children, site, what) for what in CONSUMERS]
        if not all(one.stopped for one in stopped):
            yield "no consumer was stopped with records in hand: nothing is proved"
            return
        site.projections()
        site.alerts()
        site.wait_settled()
        sender.send_all(batches[half:])
        site.wait_settled()
        for one in stopped:
            children.resume(one)
    yield from _afterwards(site)
    yield from violations(site, journal, Expectation(messages=receiver.messages))


def _stopped(children: Forks, site: Installation, what: str) -> Ended:
    """Start a consumer that stops itself before it saves its first batch."""
    return children.order(
        what=what,
        only=[what],
        environment=dict(site.variables),
        start=datetime.now(UTC).isoformat(),
        feed=str(empty_feed(site)),
        fed=str(site.folder / "fed"),
        fence=1,
        signal=signal.SIGSTOP,
    )


def _afterwards(site: Installation) -> Iterator[str]:
    """Say so where a position went back: whoever owns the partition would not notice."""
    if not site.caught_up():
        yield "zombie: a position that was at the end of the stream has gone back"


EXPERIMENT = Experiment(
    "zombie",
    run,
    guards=(
        Guard(
            name="position-moves-only-from-where-it-stood",
            file="shared/storage/positions.py",
            old='    positions.c.next_offset == bindparam("expected"),\n',
            new='    positions.c.next_offset + bindparam("expected") >= 0,\n',
        ),
        Guard(
            name="position-moves-only-from-where-it-stood-on-kafka",
            file="shared/storage/positions.py",
            old='    positions.c.next_offset == bindparam("expected"),\n',
            new='    positions.c.next_offset + bindparam("expected") >= 0,\n',
            on=str(KAFKA),
        ),
    ),
    engines=(EMBEDDED, KAFKA),
)
