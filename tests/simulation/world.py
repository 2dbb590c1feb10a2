"""One simulated world: the product's own parts under a clock that only the schedule moves."""

import hashlib
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.clock import format_time
from shared.errors import Unavailable
from tests.simulation.actions import Action, Arrive, Away, End, Mind, Pass, Send, Step
from tests.simulation.callers import Caller, Request, take
from tests.simulation.checks import Checks
from tests.simulation.installation import ALL, Installation
from tests.simulation.points import Crash, Strike
from tests.simulation.processes import BATCH_LIMITS, INGEST, WORKERS, Front, Life
from tests.simulation.receivers import Receivers
from tests.simulation.scenario import STORIES_END, Scenario

EVERY_WORKER: Final = tuple((name, worker) for name, of in WORKERS.items() for worker in of)
LEASES_RUN_OUT: Final = timedelta(seconds=61)
"""Just longer than any lease or claim."""

IN_TURN: Final = (
    ("alerts", "ticker"),
    ("alerts", "runner"),
    ("alerts", "deliverer"),
    ("projections", "runner"),
)
"""Who makes work for others comes before them, so that a world settles in few steps."""

SETTLE_LIMIT: Final = 2_000
"""Steps after which a world that is still busy will never come to rest."""


class World:
    """An installation with callers, processes and receivers, driven by actions."""

    def __init__(self, installation: Installation, scenario: Scenario, seed: int) -> None:
        """Begin anew.

        Args:
            installation: Is put back to its beginning.
            scenario: What is to be told.
            seed: Decides about ids and sizes of batches.
        """
        installation.begin(scenario.silent_after_hours)
        self.installation = installation
        self.scenario = scenario
        self.clock = installation.clock
        self.receivers = Receivers(installation.points)
        self.callers = {one.name: Caller(one, scenario.tellings[one.name]) for one in ALL}
        self.trace: list[str] = []
        self._chance = random.Random(f"world {seed}")
        self._fronts: dict[str, Front] = {}
        self._lives: dict[str, Life] = {}
        self._wire: list[Request] = []
        self._depth = 0
        self._at_work: set[tuple[str, str]] = set()
        self.checks = Checks(installation)

    def digest(self) -> str:
        """Return one hash of all that happened, and of every message in the order of arrival."""
        told = [f"{one.url} {one.message} {one.signature}" for one in self.receivers.received]
        return hashlib.sha256("\n".join([*self.trace, *told]).encode()).hexdigest()

    def close(self) -> None:
        """Let go of what reads beside the product."""
        self.checks.close()

    def act(self, action: Action) -> bool:
        """Let one thing happen; return whether a worker found something to do."""
        at = len(self.trace)
        self.trace.append(f"{format_time(self.clock.now())} {'  ' * self._depth}{action}")
        busy = False
        match action:
            case Send():
                self._send(action)
            case Arrive():
                self._arrive(action, at)
            case Step():
                busy = self._step(action, at)
                note = self._at_work.add if busy else self._at_work.discard
                note((action.process, action.worker))
            case End():
                self._end(action)
            case Pass():
                self.clock.advance(self._until_next() if action.time is None else action.time)
                self.installation.points.away.clear()
            case Away():
                self.installation.points.away.add(action.side)
            case Mind():
                one = next(one for one in ALL if one.name == action.organisation)
                self.receivers.moods[one.url(action.role)] = action.mood
        self.checks.during()
        return busy

    def callers_with_something_due(self) -> list[str]:
        """Return the organisations whose caller has something to tell now."""
        return [name for name, one in self.callers.items() if one.due(self.clock.now())]

    def settle(self) -> None:
        """Step whoever has work, unhit, until nobody has; what the dead hold runs out."""
        for _ in range(SETTLE_LIMIT):
            work = self.checks.work()
            if not work:
                return
            if not any(self._one_of(*one) for one in IN_TURN if one in work):
                self.act(Pass(LEASES_RUN_OUT))
        raise AssertionError("the world does not come to rest")

    def step_everybody(self) -> None:
        """Give each worker a step, whether it seems to have work or not."""
        for process, worker in EVERY_WORKER:
            self.act(Step(process, worker))

    def with_work(self) -> list[tuple[str, str]]:
        """Return the workers for whom there is something to do now, in a fixed order."""
        work = self.checks.work()
        if not self.checks.claimable():
            work.discard(("alerts", "deliverer"))
        return [(name, worker) for name, worker in EVERY_WORKER if (name[:-2], worker) in work]

    def at_work(self, workers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return those who found something when they last looked: likely they hold the lease."""
        return [one for one in workers if one in self._at_work]

    def _one_of(self, kind: str, worker: str) -> bool:
        """Step one replica, or where it finds nothing, the other."""
        replicas = [(f"{kind}-{number}", worker) for number in (1, 2)]
        replicas.sort(key=lambda one: one not in self._at_work)
        return any(self.act(Step(*one)) for one in replicas)

    def _send(self, action: Send) -> None:
        caller = self.callers[action.organisation]
        request = caller.request(action.pick, action.count, self.clock.now())
        if request is None or action.fate == "dropped":
            return
        if action.fate == "delayed":
            self._wire.append(request)
            return
        taken = self._take(action.replica, request, action, len(self.trace) - 1)
        if action.fate == "doubled":
            self._take(action.replica, request, None, len(self.trace) - 1)
        if taken and action.fate != "answer_lost":
            caller.acknowledged.update(one["id"] for one in request.documents)

    def _arrive(self, action: Arrive, at: int) -> None:
        if self._wire:
            request = self._wire.pop(action.pick % len(self._wire))
            self._take(action.replica, request, None, at)

    def _take(self, replica: str, request: Request, action: Send | None, at: int) -> bool:
        """Let a request arrive; return whether it was acknowledged."""
        front = self._fronts.get(replica) or Front(self.installation, self._chance)
        self._fronts[replica] = front
        caller = self.callers[request.organisation.name]
        caller.arrived.update(one["id"] for one in request.documents)
        strike = Strike(())
        if action is not None:
            strike = Strike(action.faults, lambda: self._let_others(action.meanwhile))
        try:
            with self.installation.points.under(strike):
                return take(front, request, self.clock.now())
        except Unavailable:
            return False
        except Crash:
            self._fronts.pop(replica, None)
            return False
        finally:
            self._note(at, strike)

    def _step(self, action: Step, at: int) -> bool:
        life = self._lives.get(action.process)
        if life is None:
            limit = self._chance.choice(BATCH_LIMITS)
            life = Life(action.process, self.installation, self.receivers, limit)
            self._lives[action.process] = life
        if action.worker in life.stepping:
            return False
        strike = Strike(action.faults, lambda: self._pause(life, action.meanwhile))
        life.stepping.add(action.worker)
        try:
            with self.installation.points.under(strike):
                return life.workers[action.worker].step(self.clock.now())
        except Unavailable:
            return True
        except Crash:
            # All its workers die with it, also one that is paused in the middle of a step.
            life.dead = True
            if self._lives.get(action.process) is life:
                del self._lives[action.process]
            return True
        finally:
            life.stepping.discard(action.worker)
            self._note(at, strike)

    def _pause(self, life: Life, meanwhile: Sequence[Action]) -> None:
        """Let a process stand still in the middle of a step."""
        self._let_others(meanwhile)
        if life.dead:
            raise Crash("another worker of the process died meanwhile")

    def _let_others(self, meanwhile: Sequence[Action]) -> None:
        """Let the world go on while somebody stands still."""
        self._depth += 1
        with self.installation.points.under(None):
            for action in meanwhile:
                self.act(action)
        self._depth -= 1

    def _end(self, action: End) -> None:
        if action.process in INGEST:
            self._fronts.pop(action.process, None)
            return
        life = self._lives.pop(action.process, None)
        if life is None:
            return
        # One that is paused cannot hear: it is replaced, and goes on later as if nothing had been.
        if action.orderly and not life.stepping:
            life.stop()

    def _until_next(self) -> timedelta:
        now = self.clock.now()
        times = [caller.next_at(now) for caller in self.callers.values()]
        known = [one for one in times if one is not None and one <= STORIES_END]
        return min(known, default=now + timedelta(hours=1)) - now

    def _note(self, at: int, strike: Strike) -> None:
        self.trace[at] += " (hit)" * strike.hits
