"""A whole installation under a clock of its own: what is sent when, and what comes of it.

The same schedule is lived through twice: in this process, and by ``children/lines.py`` on the tree
under test.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import and_, select

from services.alerts.ledger import LEDGER, NOBODY, PENDING, STEPS, UNSAID, WEBHOOK
from services.alerts.notices import KINDS
from shared.clock import ManualClock, format_time, parse_time
from shared.config import child_environment
from tests.faults.content import Document
from tests.faults.experiment import World
from tests.faults.guards import ROOT
from tests.faults.installation import TOLD_ROLES
from tests.faults.processes import Loud
from tests.support.whole import WholeLine

PROGRAM: Final = "tests.faults.children.lines"
LIVED_WITHIN_S: Final = 600.0
SAID: Final = ("client", "rule", "urgency", "effective_at", "cleared_at", "title", "explanation",
               "numbers", "not_counted", "next_steps", "tell")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """Something in a schedule.

    Attributes:
        at: What the clock shows then; it need not rise.
        take: What is sent then.
        without: The workers that stand still then.
    """

    at: datetime
    take: tuple[Document, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """What came of a schedule, opaque ids mapped back.

    Attributes:
        timelines: Reference of a client → timeline, without what depends on when it was judged.
        episodes: What every alert says that was not retracted.
        told: Of each notification: client, rule, effective_at, kind and recipient's role.
        known: Of each alert: client, rule, effective_at, and when it was known.
        late: Moments after which somebody was still to be told.
    """

    timelines: dict[str, str]
    episodes: list[str]
    told: list[tuple[str, str, str, str, str]]
    known: list[tuple[str, str, str, str]]
    late: list[str]


def lived(schedule: Sequence[Moment], tell: str) -> Life:
    """Live through a schedule in this process."""
    with (
        tempfile.TemporaryDirectory(prefix="rapport-line-") as folder,
        closing(WholeLine(Path(folder), ManualClock(schedule[0].at))) as line,
    ):
        for role in TOLD_ROLES:
            line.recipients.add(line.organisation, role, role=role, url=f"{tell}/{role}")
        clock = line.clock
        assert isinstance(clock, ManualClock)
        documents: dict[tuple[str, str], Document] = {}
        late: list[str] = []
        for moment in schedule:
            clock.set(moment.at)
            if moment.take:
                line.take(moment.take)
                documents |= {(d["source"], d["id"]): d for d in moment.take}
            line.settle(without=moment.without)
            late += [format_time(moment.at)] if _pending(line) else []
        return _life(line, list(documents.values()), late)


def lived_by(world: World, schedule: Sequence[Moment], tell: str) -> Life:
    """Live through a schedule on the tree under test, in a process of its own.

    Raises:
        Loud: when that fails.
    """
    moments = [{**asdict(one), "at": format_time(one.at)} for one in schedule]
    paths = [str(world.tree)] if world.whole else [str(world.tree), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", PROGRAM],
        input=json.dumps({"tell": tell, "schedule": moments}),
        env=child_environment({"PYTHONPATH": ":".join(paths)}, ours_too=False),
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=LIVED_WITHIN_S,
        check=False,
    )
    if done.returncode != 0:
        raise Loud(f"the line failed: {done.stderr.strip().splitlines()[-1][:300]}")
    return from_json(done.stdout)


def from_json(text: str) -> Life:
    """Return the life that ``children/lines.py`` has written."""
    found: dict[str, Any] = json.loads(text)
    return Life(
        found["timelines"],
        found["episodes"],
        [(a, b, c, d, e) for a, b, c, d, e in found["told"]],
        [(a, b, c, d) for a, b, c, d in found["known"]],
        found["late"],
    )


def schedule_of(moments: Sequence[dict[str, Any]]) -> list[Moment]:
    """Return the schedule that ``lived_by`` has written."""
    return [
        Moment(parse_time(one["at"]), tuple(one["take"]), tuple(one["without"])) for one in moments
    ]


def unlike(one: Life, other: Life) -> Iterator[str]:
    """Say what two lives differ in: timelines, episodes, and of what somebody was told."""
    for reference in sorted(one.timelines.keys() | other.timelines.keys()):
        if one.timelines.get(reference) != other.timelines.get(reference):
            yield f"timeline: that of {reference} is another"
    both = (Counter(one.episodes), Counter(other.episodes))
    for episode in sorted((both[0] - both[1]) | (both[1] - both[0])):
        yield f"episode: {'missing' if episode in both[0] else 'too much'}: {episode[:300]}"
    yield from told_otherwise(one, other)
    yield from (f"late: at {at} somebody waits to be told" for at in (*one.late, *other.late))


def told_otherwise(one: Life, other: Life) -> Iterator[str]:
    """Say of which alert somebody was told in one life alone, or told twice that it began."""
    first, second = ({(c, r, e, to) for c, r, e, _, to in life.told} for life in (one, other))
    for missing in sorted(first - second):
        yield f"untold: {missing}"
    for more in sorted(second - first):
        yield f"told: {more} too much"
    for life in (one, other):
        opened = Counter((c, r, e, to) for c, r, e, kind, to in life.told if kind == "opened")
        for alert, times in sorted(opened.items()):
            if times > 1:
                yield f"told: {alert} {times} times that it began"


def as_it_happens(
    documents: Sequence[Document], start: datetime, end: datetime, every: timedelta
) -> list[Moment]:
    """Return a schedule in which everything is sent soon after it happened.

    Args:
        documents: In order of time.
        start: What happened before is sent then.
        end: The last moment.
        every: Between two moments.
    """
    moments: list[Moment] = []
    left = list(documents)
    at = start
    while at <= end:
        now = [one for one in left if parse_time(one["time"]) <= at]
        left = left[len(now) :]
        moments.append(Moment(at, tuple(now)))
        at += every
    return moments


def _pending(line: WholeLine) -> bool:
    with line.database.read() as db:
        return (
            db.execute(select(LEDGER.c.alert).where(LEDGER.c.status == PENDING)).first()
            is not None
        )


def _life(line: WholeLine, documents: Sequence[Document], late: list[str]) -> Life:
    timelines = {}
    for reference in sorted({d["subject"] for d in documents if d.get("subject")}):
        about = [d for d in documents if d.get("subject") in (None, reference)]
        timeline = line.timeline(reference)
        kept = {k: v for k, v in timeline.items() if k not in ("judged_at", "alerts")}
        timelines[reference] = line.mapped_back(kept, about)
    alerts = [one for one in line.alerts() if one["state"] != "retracted"]
    episodes = [line.mapped_back({name: one[name] for name in SAID}, []) for one in alerts]
    names = ("client", "rule", "effective_at", "known_at")
    known = [json.loads(line.mapped_back([one[name] for name in names], [])) for one in alerts]
    return Life(timelines, sorted(episodes), _told(line), sorted(map(tuple, known)), late)


def _told(line: WholeLine) -> list[tuple[str, str, str, str, str]]:
    same = and_(*(STEPS.c[name] == LEDGER.c[name] for name in ("organisation", "alert", "number")))
    asked = (
        select(LEDGER.c.recipient, STEPS)
        .join(STEPS, same)
        .where(
            LEDGER.c.channel == WEBHOOK,
            LEDGER.c.recipient != NOBODY,
            LEDGER.c.status.not_in(UNSAID),
            # Messages of many alerts: what they tell has rows of its own.
            STEPS.c.kind.not_in(KINDS),
        )
    )
    roles = {one.id: one.role for one in line.accounts.recipients(line.organisation)}
    with line.database.read() as db:
        rows = db.execute(asked).mappings().all()
    found = [
        (row["client"], row["rule"], row["effective_at"], row["kind"], roles[row["recipient"]])
        for row in rows
    ]
    return sorted(tuple(one) for one in json.loads(line.mapped_back(found, [])))
