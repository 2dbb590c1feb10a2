"""The same world, driven by Hypothesis: what fails is shrunk to the few actions that matter."""

from contextlib import closing
from datetime import timedelta
from typing import ClassVar, Final, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.simulation.actions import Action, Arrive, Away, End, Fate, Mind, Pass, Send, Step
from tests.simulation.installation import ROLES, an_installation
from tests.simulation.points import Fault, Side, kinds_at
from tests.simulation.processes import INGEST, WORKERS
from tests.simulation.receivers import Mood
from tests.simulation.scenario import ORGANISATIONS
from tests.simulation.schedule import LONG_ENOUGH, POINTS
from tests.simulation.simulate import Simulator
from tests.simulation.world import EVERY_WORKER, World

EXAMPLES: Final = 8
ACTIONS: Final = 25
SCENARIOS: Final = 3

passes = st.sampled_from(
    [Pass(None), *(Pass(timedelta(seconds=seconds)) for seconds in LONG_ENOUGH)]
)


@st.composite
def faults(draw: st.DrawFn, worker: str) -> tuple[Fault, ...]:
    """Draw what hits a step: nothing, or one thing."""
    if draw(st.booleans()):
        return ()
    point = draw(st.sampled_from(sorted(set(POINTS[worker]))))
    kind = draw(st.sampled_from(kinds_at(point, pauses=True)))
    return (Fault(kind, point, draw(st.integers(1, 3))),)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw a step; where it is paused, the other replica and time go on."""
    process, worker = draw(st.sampled_from(EVERY_WORKER))
    twin = Step(f"{process[:-1]}{3 - int(process[-1])}", worker)
    others: st.SearchStrategy[Action] = st.one_of(passes, st.just(twin), st.just(End(process)))
    meanwhile = tuple(draw(st.lists(others, max_size=3)))
    return Step(process, worker, draw(faults(worker)), meanwhile)


@st.composite
def sends(draw: st.DrawFn) -> Send:
    """Draw a request."""
    return Send(
        organisation=draw(st.sampled_from(ORGANISATIONS)),
        pick=draw(st.integers(0, 2)),
        count=draw(st.integers(1, 3)),
        replica=draw(st.sampled_from(INGEST)),
        fate=draw(st.sampled_from(get_args(Fate))),
        faults=draw(faults("ingest")),
    )


class Machine(RuleBasedStateMachine):
    """A world; its rules are the actions, its invariants are checked at every action."""

    simulator: ClassVar[Simulator]

    def __init__(self) -> None:
        """Begin nothing yet: Hypothesis chooses the scenario."""
        super().__init__()
        self._world: World | None = None

    @initialize(number=st.integers(0, SCENARIOS - 1))
    def begin(self, number: int) -> None:
        """Begin a scenario."""
        self._world = self.simulator.begin(number)

    @rule(action=sends())
    def send(self, action: Send) -> None:
        """Let a caller tell something."""
        self._act(action)

    @rule(action=steps())
    def step(self, action: Step) -> None:
        """Let a worker work."""
        self._act(action)

    @rule(action=passes)
    def wait(self, action: Pass) -> None:
        """Let time pass."""
        self._act(action)

    @rule(process=st.sampled_from([*INGEST, *WORKERS]), orderly=st.booleans())
    def end(self, process: str, orderly: bool) -> None:
        """Kill or stop a process."""
        self._act(End(process, orderly=orderly))

    @rule(
        organisation=st.sampled_from(ORGANISATIONS),
        role=st.sampled_from(ROLES),
        mood=st.sampled_from(get_args(Mood)),
    )
    def mind(self, organisation: str, role: str, mood: Mood) -> None:
        """Change a receiver's mood."""
        self._act(Mind(organisation, role, mood))

    @rule(replica=st.sampled_from(INGEST), pick=st.integers(0, 2))
    def arrive(self, replica: str, pick: int) -> None:
        """Let a delayed request arrive."""
        self._act(Arrive(replica, pick))

    @rule(side=st.sampled_from(get_args(Side)))
    def away(self, side: Side) -> None:
        """Let the database or the stream answer nobody for a while."""
        self._act(Away(side))

    def teardown(self) -> None:
        """Heal the world, and judge how it ends."""
        if self._world is not None:
            self.simulator.end(self._world)

    def _act(self, action: Action) -> None:
        assert self._world is not None
        self._world.act(action)


def test_any_actions_end_right() -> None:
    """Whatever actions Hypothesis puts together, the end is as without trouble."""
    with an_installation() as installation, closing(Simulator(installation)) as simulator:
        Machine.simulator = simulator
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=ACTIONS,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
