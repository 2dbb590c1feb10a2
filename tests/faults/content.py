"""What the experiments send: seeded, with planted stories, so that real alerts arise."""

import json
import random
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.cli.simulation import PLANTED, configurations, half_year
from shared.clock import format_time, parse_time

Document = dict[str, Any]

QUARTER: Final = timedelta(minutes=15)
TOLD: Final = ("cancellations", "not_held", "gap", "boundary_serious", "boundary_unassessed")
"""Stories that end in a notification for certain, and not only in one that waits as history."""

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


def a_story(
    chance: random.Random, clients: int = 3, now: datetime | None = None
) -> list[Document]:
    """Return half a year of some clients with planted stories, clinics first, in order of time.

    Of the first client somebody is told, whatever the seed. Every clinic says what it sends: what
    is armed only by being seen waits for the ticker's next quarter of an hour.

    Args:
        chance: Picks the clients and makes up their lives.
        clients: How many.
        now: When it ends; a minute ago when None. No session starts at a round quarter of an hour
            of the real present, so that no deadline falls due while an experiment runs.
    """
    end = now or datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    since_quarter = timedelta(minutes=end.minute % 15)
    round_end = end - since_quarter
    first = chance.choice([one for one in sorted(PLANTED) if PLANTED[one] in TOLD])
    others = [one for one in sorted(PLANTED) if one != first]
    chosen = [first, *chance.sample(others, clients - 1)]
    told = [d for d in half_year(round_end, chance.getrandbits(32)) if d["subject"] in chosen]
    return shifted([*configurations(round_end), *told], since_quarter)


def shifted(documents: Iterable[Document], by: timedelta) -> list[Document]:
    """Return documents with every time in them moved."""
    text = json.dumps(list(documents))
    moved: list[Document] = json.loads(
        _TIME.sub(lambda found: format_time(parse_time(found[0]) + by), text)
    )
    return moved


def in_batches(
    documents: Sequence[Document], chance: random.Random, largest: int = 20
) -> list[list[Document]]:
    """Return documents cut into requests of one to ``largest`` events, their order kept."""
    batches: list[list[Document]] = []
    start = 0
    while start < len(documents):
        size = chance.choice((1, 1, 2, largest // 2, largest))
        batches.append(list(documents[start : start + max(1, size)]))
        start += max(1, size)
    return batches


def shuffled(
    documents: Sequence[Document], chance: random.Random, times: int = 1
) -> list[Document]:
    """Return every document ``times`` times, in an order of chance."""
    mixed = [*documents] * times
    chance.shuffle(mixed)
    return mixed
