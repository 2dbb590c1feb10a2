"""What a world comes to, in words that do not depend on opaque ids: two worlds can be compared."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import select

from services.alerts import tables
from services.alerts.ledger import GIVEN_UP, GROUPED, HELD, SENT, SUMMARY, WEBHOOK
from services.projections.timelines import Timelines, Viewer
from shared.ids import CLIENT, event_id
from shared.storage.registry import Registry
from shared.storage.table_sets import FIRST
from tests.simulation.installation import ALL, SEALER, Organisation
from tests.simulation.judge import ledger
from tests.simulation.world import World

_OPAQUE: Final = re.compile(r"\b(?:cl|th|pe)_[0-9a-f]{24}\b")

TIMES_OF_JUDGEMENT: Final = ("judged_at", "alerts")
"""Fields of a timeline that depend on when it was judged, not only on the facts."""

SAID: Final = ("client", "rule", "urgency", "effective_at")
"""What must be the same of an open alert."""

FEED_RULE: Final = "source-silent"
"""Depends on when records arrived, as it should."""

TOLD: Final = (SENT, GIVEN_UP, HELD, GROUPED)
"""By itself, later in the digest of its day, or by another alert of its group."""

Told = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must be the same, however the facts arrived.

    Attributes:
        timelines: By organisation and client reference.
        episodes: By organisation.
        told: Open alerts, and to whom their telling was settled, by organisation; None where
            the alert was history when it became known, and waits for its summary.
    """

    timelines: Mapping[tuple[str, str], str]
    episodes: Mapping[str, list[str]]
    told: Mapping[str, Told]


def outcome(world: World) -> Outcome:
    """Read what a world that has come to rest comes to."""
    registry = Registry(world.installation.database, SEALER, world.clock)
    timelines: dict[tuple[str, str], str] = {}
    episodes: dict[str, list[str]] = {}
    told: dict[str, Told] = {}
    for one in ALL:
        words = Words(world, registry, one)
        timelines |= _timelines(world, registry, one, words)
        episodes[one.name] = sorted(words.plain(row) for row in _episodes(world, one))
        told[one.name] = {words.plain(alert): whom for alert, whom in _told(world, one)}
    return Outcome(timelines, episodes, told)


class Words:
    """Opaque ids of one organisation → what they stand for."""

    def __init__(self, world: World, registry: Registry, one: Organisation) -> None:
        """Learn the names of clients and of events."""
        self._registry = registry
        self._organisation = one.id
        clients = registry.find(one.id, [(CLIENT, name) for name in world.scenario.clients])
        self.clients = {reference: opaque for (_, reference), opaque in clients.items()}
        self._events: dict[str, str] = {}
        self._revealed: dict[str, str] = {}
        for telling in world.scenario.tellings[one.name]:
            document = telling.document
            client = self.clients.get(document.get("subject", ""))
            name = event_id(one.id, client, document["source"], document["id"])
            self._events[name] = document["id"]

    def plain(self, value: Any) -> str:
        """Return canonical JSON in the senders' own words."""
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        unknown = set(_OPAQUE.findall(text)) - self._revealed.keys()
        if unknown:
            self._revealed |= self._registry.reveal(self._organisation, unknown)
        text = _OPAQUE.sub(lambda found: self._revealed[found[0]], text)
        for name, words in self._events.items():
            text = text.replace(name, words)
        return text


def _timelines(
    world: World, registry: Registry, one: Organisation, words: Words
) -> dict[tuple[str, str], str]:
    timelines = Timelines(world.installation.database, registry)
    found: dict[tuple[str, str], str] = {}
    for reference, opaque in words.clients.items():
        read = timelines.read(Viewer(one.id), opaque)
        assert read is not None
        kept = {name: value for name, value in read.items() if name not in TIMES_OF_JUDGEMENT}
        found[one.name, reference] = words.plain(kept)
    return found


def _episodes(world: World, one: Organisation) -> list[dict[str, Any]]:
    table = tables.of(FIRST).episodes
    asked = select(table).where(table.c.organisation == one.id, table.c.rule != FEED_RULE)
    with world.installation.database.read() as db:
        rows = [dict(row) for row in db.execute(asked).mappings()]
    return [
        {name: value for name, value in row.items() if name not in ("known_at", "episode")}
        for row in rows
    ]


def _told(
    world: World, one: Organisation
) -> Iterator[tuple[dict[str, Any], frozenset[str] | None]]:
    """Yield each open alert as it stands, with the roles to whom telling it was settled."""
    readers: dict[str, set[str]] = {}
    history: set[str] = set()
    for row in ledger(world):
        if row.channel == WEBHOOK and row.status in TOLD:
            readers.setdefault(row.alert, set()).add(one.recipients.get(row.recipient, "?"))
        elif row.channel == SUMMARY:
            history.add(row.alert)
    inbox = tables.of(FIRST).inbox
    asked = select(inbox).where(inbox.c.organisation == one.id, inbox.c.state == "open")
    with world.installation.database.read() as db:
        bodies = [orjson.loads(row.body) for row in db.execute(asked)]
    for body in bodies:
        if body["rule"] != FEED_RULE:
            # What another alert tells of depends on which of them was told first.
            elsewhere = body["id"] in history or "absorbed_by" in body
            whom = None if elsewhere else frozenset(readers.get(body["id"], ()))
            yield {name: body[name] for name in SAID}, whom


def compare(expected: Outcome, found: Outcome) -> None:
    """See that a world came to the same as one without trouble."""
    for what in ("timelines", "episodes"):
        one, other = getattr(expected, what), getattr(found, what)
        for name in sorted(one.keys() | other.keys()):
            assert one.get(name) == other.get(name), (
                f"{what} of {name} differ\nwithout trouble: {one.get(name)}"
                f"\nwith trouble:    {other.get(name)}"
            )
    for name, alerts in expected.told.items():
        others = found.told[name]
        assert alerts.keys() == others.keys(), (
            f"open alerts of {name} differ\nwithout trouble: {sorted(alerts)}"
            f"\nwith trouble:    {sorted(others)}"
        )
        for alert, readers in alerts.items():
            told = others[alert]
            # Late enough, anything is history; and an alert told earlier may have had more.
            assert told is None or readers is None or readers <= told, (
                f"{alert} was told to {sorted(told)}, not to {sorted(readers)}"
            )
