"""Recipients that fail, hang, redirect, drip, lie and pour, all beside one that is fine."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Final

import psutil

from shared.storage.recipients import Recipients
from shared.storage.sealing import Sealer, load_secret_key
from tests.faults.checker import Expectation, violations
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.experiments.broker_away import shortened
from tests.faults.guards import Edit, Guard
from tests.faults.journal import Sender
from tests.faults.parts.hostile import MANNERS, Hostile, a_hostile
from tests.faults.processes import wait_until

TOTAL_S: Final = 2.0
TOLD_WITHIN_S: Final = 60.0
"""Each of seventeen costs two seconds at most, then is spared; and a busy machine."""

TRIED_WITHIN_S: Final = 120.0
GROWTH_MB: Final = 96
"""Far below what a recipient could pour in the time that an attempt may take."""

SHORTER: Final = (
    Edit("services/alerts/webhook.py", "READ_TIMEOUT_S: Final = 10.0",
         "READ_TIMEOUT_S: Final = 1.5"),
    Edit("services/alerts/webhook.py", "TOTAL_TIMEOUT_S: Final = 15.0",
         f"TOTAL_TIMEOUT_S: Final = {TOTAL_S}"),
    Edit("services/alerts/outbox.py",
         "    timedelta(minutes=5),\n    timedelta(minutes=30),\n    timedelta(hours=2),\n"
         "    timedelta(hours=5),\n",
         "    timedelta(seconds=5),\n" * 4),
)  # fmt: skip
"""The schedule of 75 hours, and the limits on an attempt, made short enough to wait for."""


def run(world: World) -> Iterator[str]:
    """Tell them all of alerts: the fine one in time, the rest once they have come to reason."""
    world.tree = shortened(world, *SHORTER)
    site = world.installation()
    hostile = [world.keep(a_hostile(manner)) for manner in MANNERS]
    fine = world.keep(a_hostile("fine"))
    journal = world.journal()
    tenant = site.tenant("north")
    people = Recipients(site.db, Sealer(load_secret_key(site.settings, site.db)))
    for number, one in enumerate([*hostile, fine]):
        people.add(tenant.organisation, f"recipient-{number}", role="leadership", url=one.url)
    up = site.up().ready()
    sender = Sender(journal, lambda: up.address, tenant)
    with _memory(up.pid) as grown:
        sender.send_all(in_batches(a_story(world.chance, 2), world.chance))
        wait_until(site.caught_up, "everything is judged", TRIED_WITHIN_S, [up])
        yield from _told_in_time(fine, hostile)
        for one in hostile:
            one.manner = "fine"
        site.wait_settled()
    everybody = [fine, *hostile]
    world.note(f"{len(fine.taken)} notifications each, grown by {max(grown):.0f} MB")
    if max(grown) > GROWTH_MB:
        yield f"memory grew by {max(grown):.0f} MB"
    for one in everybody:
        yield from _once(one, {message.id for message in fine.taken})
    messages = [message for one in everybody for message in one.taken]
    yield from violations(site, journal, Expectation(messages=messages))


def _told_in_time(fine: Hostile, hostile: Sequence[Hostile]) -> Iterator[str]:
    """Say so where the fine one waits for the others, and wait until all were tried twice."""
    began = time.monotonic()
    tried = [one for one in hostile if one.manner != "accepting and resetting"]
    while time.monotonic() - began < TRIED_WITHIN_S:
        if all(len(one.attempts) > 1 or one.taken for one in tried) and fine.taken:
            return
        if not fine.taken and time.monotonic() - began > TOLD_WITHIN_S:
            yield f"after {TOLD_WITHIN_S:g} s the fine recipient was told nothing"
            return
        time.sleep(0.1)
    waiting = [one.url.rpartition("/")[2] for one in tried if not one.attempts]
    if waiting:
        yield f"after {TRIED_WITHIN_S:g} s not tried: {', '.join(waiting)}"


def _once(one: Hostile, everybody: Set[str]) -> Iterator[str]:
    """Say where a recipient was told otherwise than each step once, under one id and body.

    What is taken back before the others were tried is told, with its correction, to those alone
    who may have heard of it: so somebody may be told of more than what everybody is.
    """
    manner = one.url.rpartition("/")[2]
    ids = Counter(message.id for message in one.taken)
    if missing := everybody - ids.keys():
        yield f"{manner}: not told of {len(missing)} of {len(everybody)} steps"
    if twice := [id for id, times in ids.items() if times > 1]:
        yield f"{manner}: {len(twice)} steps came again after they had been taken"
    bodies = {(message.id, message.raw) for message in one.attempts}
    if len(bodies) > len(ids):
        yield f"{manner}: {len(bodies)} ids and bodies for {len(ids)} steps"


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """Yield a list that gets how much more memory a process holds than at first, in MB."""
    process, stopping = psutil.Process(pid), threading.Event()
    first = process.memory_info().rss
    grown = [0.0]

    def look() -> None:
        while not stopping.wait(0.05):
            grown.append((process.memory_info().rss - first) / 1_000_000)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield grown
    finally:
        stopping.set()
        thread.join()


EXPERIMENT = Experiment(
    "hostile-receiver",
    run,
    (
        Guard(
            name="whoever-drips-is-broken-off",
            file="services/alerts/webhook.py",
            old="        watch.start()\n",
            new="",
            loud=True,
        ),
        Guard(
            name="only-2xx-is-a-delivery",
            file="services/alerts/webhook.py",
            old="200 <= status < 300",
            new="200 <= status < 400",
        ),
        Guard(
            name="no-body-is-read",
            file="services/alerts/webhook.py",
            old="            return connection.getresponse().status\n",
            new="            answer = connection.getresponse()\n"
            "            answer.read()\n"
            "            return answer.status\n",
        ),
    ),
    (EMBEDDED, KAFKA),
)
