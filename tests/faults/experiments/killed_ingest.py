"""Ingest killed at every call, while a sender with a journal sends, and sends again."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Final

from tests.faults.checker import Expectation, lost, violations
from tests.faults.content import Document, a_story
from tests.faults.experiment import Experiment, World
from tests.faults.forks import Ended, Forks, forks
from tests.faults.guards import Guard
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Journal, Sender
from tests.faults.killing import ALL_WITHIN_S, Done, chosen, cloned, settled_by
from tests.faults.processes import UP_WITHIN_S, wait_until
from tests.faults.records import contents
from tests.support.kafka_broker import free_port

REQUESTS: Final = 6
EVENTS_EACH: Final = 3
FULLY_CHECKED: Final = 3
"""So many runs, the first of them, are also handled to their end and checked in every respect."""


def run(world: World) -> Iterable[str]:
    """Kill ingest at each call in turn; what was acknowledged is there, what was not comes again.

    A clinic, whose event stands in every partition, and new references are in the first request.
    """
    given = Installation(world.folder / "given", tree=world.tree)
    tenant = given.tenant("north")
    given.close()
    story = a_story(world.chance, clients=2)[: REQUESTS * EVENTS_EACH]
    requests = [story[n : n + EVENTS_EACH] for n in range(0, len(story), EVENTS_EACH)]
    with (
        closing(Installation(world.folder / "forks", tree=world.tree)) as first,
        forks(first) as children,
    ):
        clean = _sent(world, children, given, tenant, requests, None)
        if isinstance(clean, list):
            yield from clean
            return
        began, tried = time.monotonic(), 0
        for at in chosen(world, clean):
            if time.monotonic() - began > ALL_WITHIN_S:
                break
            tried += 1
            wrong = _sent(
                world, children, given, tenant, requests, at, fully=tried <= FULLY_CHECKED
            )
            if isinstance(wrong, list) and wrong:
                yield from (f"{one} (killed at call {at})" for one in wrong)
                return
        world.note(f"killed at {tried} of {clean.calls} calls")


def _sent(
    world: World,
    children: Forks,
    given: Installation,
    tenant: Tenant,
    requests: list[list[Document]],
    at: int | None,
    *,
    fully: bool = False,
) -> Done | list[str]:
    """Send everything to an ingest that dies at a call; say what is wrong, or count its calls."""
    name = f"at-{at}"
    port = free_port()
    with (
        closing(cloned(world, given.folder, name, tenant)) as site,
        closing(Journal(site.folder / "journal.ndjson")) as journal,
    ):
        sender = Sender(journal, lambda: f"http://127.0.0.1:{port}", tenant)
        running = _started(children, site, port, at)
        for request in requests:
            if sender.send(request).state == "unknown":
                children.end(running)
                running = _started(children, site, port, None)
        sender.send_unknowns_again()
        children.end(running)
        if at is None:
            report = json.loads((site.folder / "report").read_text())
            return Done({}, report["calls"], report["edges"])
        return list(_wrong(children, site, journal, fully=fully))


def _wrong(children: Forks, site: Installation, journal: Journal, *, fully: bool) -> Iterator[str]:
    if not fully:
        yield from lost(site, journal, contents(site))
        return
    settled_by(children, site)
    yield from violations(site, journal, Expectation())


def _started(children: Forks, site: Installation, port: int, at: int | None) -> Ended:
    running = children.order(
        what="ingest",
        environment=dict(site.variables),
        port=port,
        at=at,
        report=str(site.folder / "report"),
        background=True,
    )

    def listens() -> bool:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.connect()
            except OSError:
                return False
            return True

    wait_until(listens, "ingest listens", UP_WITHIN_S)
    return running


EXPERIMENT = Experiment(
    "killed-ingest",
    run,
    guards=(
        Guard(
            name="acknowledged-only-when-written",
            file="shared/stream/embedded/publisher.py",
            old="        if not batch.settled.wait(deadline_s):\n",
            new="        if False:\n",
        ),
        Guard(
            name="reference-kept-before-its-event",
            file="shared/storage/registry.py",
            old="                self._insert(organisation, missing)\n"
            "                made, _ = self._look_up(organisation, missing)\n"
            "                found |= made\n",
            new="                for one in missing:\n"
            "                    found[one] = opaque_id(one[0])\n"
            "                    self._known.put((organisation, *one), found[one])\n",
        ),
    ),
    short=True,
)
