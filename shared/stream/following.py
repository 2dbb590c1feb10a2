"""Run the consumer of the generation that serves, and go over to the next when it is switched."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from shared.errors import AnotherVersion
from shared.logs import logger
from shared.storage.engine import Database
from shared.stream.runner import Runner

log = logger("following")


class Following:
    """A worker: the runner of whichever generation serves.

    It asks at every step. What it had under way when a generation was switched is fenced by the
    positions, which belong to one generation: at worst it feeds the one that is kept.
    """

    def __init__(
        self,
        database: Database,
        serving: Callable[[Connection], int],
        opened: Callable[[int], Runner],
    ) -> None:
        """Join no group yet; the first step does.

        Args:
            database: Says which generation serves.
            serving: Asks it.
            opened: Generation → its runner, which joins the group.
        """
        self._database = database
        self._serving = serving
        self._opened = opened
        self._generation: int | None = None
        self._runner: Runner | None = None

    def step(self, now: datetime) -> bool:
        """Handle one batch; return whether there was anything to do.

        Raises:
            AnotherVersion: when this release must not touch what serves; step again later.
            Unavailable: when the stream or the database does not answer; step again later.
        """
        return self._current().step(now)

    def close(self) -> None:
        """Leave the group."""
        if self._runner is not None:
            self._runner.close()
        self._runner = self._generation = None

    def _retire(self) -> None:
        if self._runner is not None:
            self._runner.retire()
        self._runner = self._generation = None

    def _current(self) -> Runner:
        try:
            with self._database.ask() as db:
                generation = self._serving(db)
        except AnotherVersion:
            # Whoever may go on must not find the group taken.
            self._retire()
            raise
        if self._runner is None or generation != self._generation:
            self._retire()
            self._runner, self._generation = self._opened(generation), generation
            log.info("generation_serves", generation=generation)
        return self._runner
