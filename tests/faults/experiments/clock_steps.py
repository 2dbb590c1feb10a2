"""The wall clock jumps by hours, forward and back, under everything that asks it."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.clock import format_time, parse_time
from tests.faults.content import Document, a_story
from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.virtual import Moment, as_it_happens, lived, lived_by, unlike

LIFE: Final = timedelta(days=9)
EVERY: Final = timedelta(hours=12)
STEADY: Final = 0.5
HOUR: Final = timedelta(hours=1)
JUMPS: Final = (-7 * HOUR, -2 * HOUR, 3 * HOUR, 8 * HOUR)


def run(world: World) -> Iterable[str]:
    """Live through nine days with a steady clock, and with one that jumps and jumps back.

    At each deadline the jumping clock is past it first, and before it again when the client's
    next event comes: nobody may be told that it was a mistake.
    """
    end = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
    story = sorted(a_story(world.chance, clients=2, now=end - EVERY), key=lambda one: one["time"])
    tell = world.receiver().url
    steady = as_it_happens(story, end - LIFE, end, EVERY)
    deadlines = [
        (client, parse_time(known_at))
        for client, _, _, known_at in lived(steady, tell).known
        if steady[1].at < parse_time(known_at) < end - EVERY
    ]
    if not deadlines:
        yield "nothing falls due: the experiment proves nothing"
        return
    before = [_reminder(story, client, at, n) for n, (client, at) in enumerate(deadlines)]
    right = sorted([*steady, *before], key=lambda moment: moment.at)
    jumping = [moment for one in right for moment in _jumped(one, before, world.chance)]
    plain, broken = lived(right, tell), lived_by(world, jumping, tell)
    world.note(f"{len(jumping) - len(right)} jumps, {len(deadlines)} deadlines")
    yield from unlike(plain, broken)


def _reminder(story: Sequence[Document], client: str, due_at: datetime, number: int) -> Moment:
    """Return an event that changes no judgement, shortly before a deadline of its client."""
    like = next(one for one in story if one.get("subject") == client)
    document = {
        **like,
        "id": f"{client}/goal/{number}",
        "type": "rapport.goal.agreed",
        "time": format_time(due_at - 3 * HOUR),
        "data": {
            "clinic": like["data"]["clinic"],
            "therapist": like["data"]["therapist"],
            "goal": f"reminder-{number}",
            "agreed_by": ["client"],
        },
    }
    return Moment(due_at - 2 * HOUR, (document,))


def _jumped(moment: Moment, before: Sequence[Moment], chance: random.Random) -> Iterable[Moment]:
    """Yield a moment, and before it perhaps another at which the clock is wrong."""
    if moment in before:
        yield Moment(moment.at + 3 * HOUR)
    elif chance.random() > STEADY:
        yield replace(moment, at=moment.at + chance.choice(JUMPS), take=())
    yield moment


EXPERIMENT = Experiment(
    "clock-steps",
    run,
    guards=(
        Guard(
            name="present-never-goes-back",
            file="services/alerts/questions.py",
            old="    latest = later(clock.c.until, made.excluded.until)\n",
            new="    latest = made.excluded.until\n",
            tries=3,
        ),
        Guard(
            name="told-at-once-whatever-the-stream-s-time",
            file="services/alerts/ledger.py",
            old="AT_ONCE if entry.status == PENDING else entry.due_at,",
            new="to_micros(step.decided_at) if entry.status == PENDING else entry.due_at,",
            tries=4,
        ),
    ),
)
