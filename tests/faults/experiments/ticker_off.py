"""The ticker stands still for three days: the same alerts, only known later."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.clock import format_time, parse_time
from tests.faults.content import a_story
from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.virtual import as_it_happens, lived, lived_by, unlike

LIFE: Final = timedelta(days=12)
OFF: Final = timedelta(days=3)
EVERY: Final = timedelta(hours=6)


def run(world: World) -> Iterable[str]:
    """Live through twelve days with and without three days of ticks."""
    end = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
    start = end - LIFE
    story = sorted(a_story(world.chance, clients=3, now=end - OFF), key=lambda one: one["time"])
    schedule = as_it_happens(story, start, end, EVERY)
    tell = world.receiver().url
    plain = lived(schedule, tell)
    # Something falls due while nobody ticks: else nothing would be proved.
    due = [parse_time(one[3]) for one in plain.known if one[3] > format_time(start + EVERY)]
    if not due:
        yield "nothing falls due: the experiment proves nothing"
        return
    begins = world.chance.choice(due) - EVERY * world.chance.randint(1, OFF // EVERY - 1)
    silent = [
        replace(one, without=("ticker",)) if begins <= one.at < begins + OFF else one
        for one in schedule
    ]
    broken = lived_by(world, silent, tell)
    world.note(f"{len(plain.episodes)} episodes, off from {format_time(begins)}")
    yield from unlike(plain, broken)


EXPERIMENT = Experiment(
    "ticker-off",
    run,
    guards=(
        Guard(
            name="effective-when-it-fell-due",
            file="services/alerts/episodes.py",
            old="        current = current or _Open(moment.at, rule.title)\n",
            new="        current = current or _Open(\n"
            "            moment.at if moment.grace is None else until, rule.title)\n",
            tries=3,
        ),
    ),
)
