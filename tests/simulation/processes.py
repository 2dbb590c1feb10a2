"""The processes of an installation: what each is made of, and how one starts, dies and stops."""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from services.alerts import tables
from services.alerts.bootstrap import EVERY_RULE, Worker
from services.alerts.deliveries import Deliverer
from services.alerts.ticker import Ticker
from services.alerts.watcher import Watcher
from services.ingest.ingest import Ingest
from services.projections import read_models
from services.projections.projector import Projector
from shared.storage.accounts import Accounts
from shared.storage.registry import Registry
from shared.stream.following import Following
from shared.stream.handling import Handler
from shared.stream.ports import EVENTS
from shared.stream.runner import Runner
from tests.simulation.installation import SEALER, Installation
from tests.simulation.receivers import Receivers

DEADLINE_S: Final = 10.0
TICK_EVERY: Final = timedelta(minutes=15)
BATCH_LIMITS: Final = (2, 1_000, 1_000)

INGEST: Final = ("ingest-1", "ingest-2")
WORKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "projections-1": ("runner",),
    "projections-2": ("runner",),
    "alerts-1": ("runner", "ticker", "deliverer"),
    "alerts-2": ("runner", "ticker", "deliverer"),
}
"""Each kind of process runs twice; the embedded engine lets one of two consumers read."""


class Front:
    """One life of an ingest process."""

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        """Start it: nothing is remembered from the life before."""
        self.accounts: Accounts = installation.accounts()
        stream = installation.stream
        registry = Registry(
            installation.database,
            SEALER,
            installation.clock,
            make_id=lambda register: f"{register}_{chance.getrandbits(96):024x}",
        )
        self.ingest = Ingest(
            registry,
            stream.publisher(),
            lambda: stream.partitions(EVENTS),
            installation.clock,
            DEADLINE_S,
        )


class Life:
    """One life of a process with workers: between a start and a death."""

    def __init__(
        self, process: str, installation: Installation, receivers: Receivers, batch_limit: int
    ) -> None:
        """Start its workers."""
        self.dead = False
        self.stepping: set[str] = set()
        self._installation = installation
        self._receivers = receivers
        self._batch_limit = batch_limit
        accounts = installation.accounts()
        if process.startswith("projections"):
            self.workers: Mapping[str, Worker] = {"runner": self._projecting()}
        else:
            self.workers = {
                "runner": self._watching(accounts),
                "ticker": self._ticker(accounts),
                "deliverer": self._deliverer(accounts),
            }

    def stop(self) -> None:
        """Stop in order: let go of everything that is held."""
        self.dead = True
        for worker in self.workers.values():
            worker.close()

    def _projecting(self) -> Following:
        return Following(
            self._installation.database,
            read_models.number_serving,
            lambda generation: self._runner(Projector(generation)),
        )

    def _watching(self, accounts: Accounts) -> Following:
        return Following(
            self._installation.database,
            lambda db: tables.number_to_judge(db, EVERY_RULE),
            lambda generation: self._runner(Watcher(EVERY_RULE, accounts.recipients, generation)),
        )

    def _runner(self, handler: Handler) -> Runner:
        return Runner(
            self._installation.stream,
            self._installation.database,
            handler,
            self._installation.clock,
            batch_limit=self._batch_limit,
            poll_timeout_s=0,
        )

    def _ticker(self, accounts: Accounts) -> Ticker:
        stream = self._installation.stream
        return Ticker(
            self._installation.database,
            stream.publisher(),
            lambda: stream.partitions(EVENTS),
            accounts.source,
            accounts.recipients,
            every=TICK_EVERY,
            deadline_s=DEADLINE_S,
        )

    def _deliverer(self, accounts: Accounts) -> Deliverer:
        clock = self._installation.clock
        return Deliverer(
            self._installation.database,
            self._installation.stream.publisher(),
            accounts.recipients,
            self._receivers,
            publish_deadline_s=DEADLINE_S,
            stopwatch=lambda: clock.now().timestamp(),
        )
