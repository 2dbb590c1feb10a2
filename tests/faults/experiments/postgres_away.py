"""PostgreSQL killed, standing still, and its connections reset, all under load."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

from tests.faults.checker import Expectation, violations
from tests.faults.experiment import EMBEDDED_POSTGRES, KAFKA, Experiment, World
from tests.faults.guards import Edit, Guard
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Journal, Sender
from tests.faults.parts.load import BACK_WITHIN_S, Load, Sent, a_rating_of
from tests.faults.parts.postgres import BreakablePostgres
from tests.faults.parts.proxy import Proxy
from tests.faults.processes import Process
from tests.support.receiver import Receiver

KILLS: Final = 2
UNDER_WAY: Final = 10

KNOWN_WITHIN_S: Final = 6.0
"""Known references need no database, of which an answer is awaited for longer than that."""

REFUSED_WITHIN_S: Final = 18.0
"""Five seconds for an answer, three to connect, and a busy machine; the sender waits longer."""

STILL_S: Final = 14.0
FIRST_S: Final = 9.0
"""By then whoever came first has been told that it does not answer."""

WAITED_S: Final = 2.5
"""Connecting to what stands still takes three seconds."""

FEW: Final = 6
STRANGERS: Final = 8
CALL_EVERY_S: Final = 3.0
CALLERS: Final = 64
"""As many as one HTTP process serves at once."""

RESETS_S: Final = 6.0

WAITED_FOR: Final = Guard(
    name="a-database-that-is-away-is-waited-for",
    file="shared/storage/engine.py",
    old="    except (OperationalError, InterfaceError, PoolTimeout) as error:\n"
    "        if _is_our_mistake(error):",
    new="    except (InterfaceError, PoolTimeout) as error:\n        if _is_our_mistake(error):",
    also=(
        Edit(
            "shared/storage/engine.py",
            "        if error.connection_invalidated:\n",
            "        if error is None:\n",
        ),
    ),
    loud=True,
)


class Site:
    """An installation on a PostgreSQL that may come to harm, with a journal and a receiver."""

    def __init__(self, world: World, address: str, through: str | None = None) -> None:
        """Start everything.

        Args:
            world: What it is kept in.
            address: The URL of the database.
            through: The URL that the processes use instead.
        """
        self.world = world
        self.site: Installation = world.installation(database=address)
        self.receiver: Receiver = world.receiver()
        self.journal: Journal = world.journal()
        self.tenant: Tenant = self.site.tenant("north", self.receiver.url)
        self.up: Process = self.site.start("up", "up", RAPPORT_DATABASE=through or address).ready()
        self.sender = Sender(self.journal, lambda: self.up.address, self.tenant)
        self._probes = 0

    def probe(self, client: str, expected: str, within_s: float) -> Iterator[str]:
        """Send one rating; say so where it does not end as expected, or not in time."""
        self._probes += 1
        began = time.monotonic()
        sending = self.sender.send([a_rating_of(client, f"probe-{client}-{self._probes}")])
        took = time.monotonic() - began
        how = sending.why if sending.state == "unknown" else sending.state
        if how != expected:
            yield f"a rating of {client} ended as {how}, not {expected}"
        if took > within_s:
            yield f"a rating of {client} took {took:.1f} s"

    def ended(self) -> Iterator[str]:
        """Send what is unknown again, wait until all is handled and told, and check."""
        self.sender.send_unknowns_again()
        self.site.wait_settled()
        self.world.note(f"{self.journal.counts()}, {len(self.receiver.messages)} notifications")
        yield from violations(
            self.site, self.journal, Expectation(messages=self.receiver.messages)
        )


def run_killed(world: World) -> Iterator[str]:
    """Kill it; known references go on, unknown ones wait, and all goes on at its return."""
    server = world.keep(closing(BreakablePostgres()))
    site = Site(world, server.url)
    with Load(site.sender, world.chance) as load:
        for _ in range(KILLS):
            load.wait_acknowledged(UNDER_WAY)
            yield from site.probe("regular-1", "acknowledged", BACK_WITHIN_S)
            with server.away():
                yield from site.probe("regular-1", "acknowledged", KNOWN_WITHIN_S)
                yield from site.probe("stranger", "status 503", REFUSED_WITHIN_S)
                time.sleep(world.chance.uniform(0, 1))
        load.wait_acknowledged(UNDER_WAY)
    yield from site.ended()


def run_still(world: World) -> Iterator[str]:
    """Hold it still under many callers: few wait, nobody for long, and known references go on."""
    server = world.keep(closing(BreakablePostgres()))
    site = Site(world, server.url)
    with Load(site.sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        yield from site.probe("regular-1", "acknowledged", BACK_WITHIN_S)
        with server.frozen(), ThreadPoolExecutor(CALLERS) as pool:
            # Who comes first is given a connection that was sound a moment ago.
            yield from site.probe("stranger", "status 503", REFUSED_WITHIN_S)
            began = time.monotonic()
            calls = [pool.submit(_call_until, site, began + STILL_S, n) for n in range(CALLERS)]
            for _ in range(5):
                yield from site.probe("regular-1", "acknowledged", KNOWN_WITHIN_S)
            took = [one for call in calls for one in call.result() if one.began > began + FIRST_S]
        waited = sum(one.took_s > WAITED_S for one in took)
        world.note(f"{waited} of {len(took)} waited while it was known to stand still")
        if waited > FEW or not took:
            yield f"{waited} of {len(took)} callers waited for a database that stands still"
        load.wait_acknowledged(UNDER_WAY)
    yield from site.ended()


def run_resets(world: World) -> Iterator[str]:
    """Reset its connections again and again, and cut answers in the middle."""
    server = world.keep(closing(BreakablePostgres()))
    proxy = world.keep(closing(Proxy(server.port)))
    site = Site(world, server.url, through=server.url_through(proxy.port))
    with Load(site.sender, world.chance) as load:
        load.wait_acknowledged(UNDER_WAY)
        until = time.monotonic() + RESETS_S
        while time.monotonic() < until:
            proxy.reset_all()
            time.sleep(world.chance.uniform(0.05, 0.4))
        with proxy.being("reset"):
            time.sleep(2)
        with proxy.being("cut"):
            time.sleep(2)
        load.wait_acknowledged(UNDER_WAY)
    yield from site.ended()


def _call_until(site: Site, until: float, caller: int) -> list[Sent]:
    sent: list[Sent] = []
    while (began := time.monotonic()) < until:
        name = f"crowd-{caller}-{len(sent)}"
        sending = site.sender.send([a_rating_of(f"crowd-{caller % STRANGERS}", name)])
        sent.append(Sent(began, time.monotonic() - began, sending))
        time.sleep(CALL_EVERY_S)
    return sent


KILLED = Experiment(
    "postgres-killed",
    run_killed,
    (
        Guard(
            name="known-references-are-remembered",
            file="shared/storage/registry.py",
            old="            remembered = self._known.get((organisation, register, text))",
            new="            remembered = None",
        ),
        WAITED_FOR,
    ),
    (EMBEDDED_POSTGRES, KAFKA),
)

STILL = Experiment(
    "postgres-still",
    run_still,
    (
        Guard(
            name="no-wait-without-a-limit",
            file="shared/storage/engine.py",
            old="            limit_waits(self._writer, answer_within_s)\n",
            new="",
        ),
        Guard(
            name="few-wait-for-what-hangs",
            file="shared/storage/engine.py",
            old="            self._gate = Gate(answer_within_s + CONNECT_TIMEOUT_S).passed\n",
            new="",
        ),
    ),
    (EMBEDDED_POSTGRES, KAFKA),
)

RESETS = Experiment("postgres-resets", run_resets, (WAITED_FOR,), (EMBEDDED_POSTGRES, KAFKA))
