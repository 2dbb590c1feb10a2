"""Clients who turn out to be one, and the alerts of them."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.alerts.rules.boundary_serious import BoundarySerious
from shared.envelope import Envelope
from shared.storage.engine import Database
from tests.support import alert_rules
from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.poison import Fragile, FragileRule

ANN, BEN, CAT = "cl_ann", "cl_ben", "cl_cat"
NAMES = [f"cl_{number}" for number in range(20)]
CANCELLED, QUIET, SERIOUS = "test-cancelled", "test-quiet", "boundary-serious"


class Picky(FragileRule):
    """A rule with a mistake in it, that never finds anything."""

    name = "test-picky"
    defaults: Mapping[str, Any] = {"attention": 99, "urgent": 99}


def a_world(db: Database, folder: Path, fragile: Fragile) -> AlertsWorld:
    """Return an armed clinic with somebody who is told of alerts."""
    rules = (*alert_rules.RULES[:2], BoundarySerious(), Picky(fragile))
    made = AlertsWorld(db, folder, rules=rules)
    made.a_recipient("boss")
    made.a_recipient("keeper", role="governance")
    made.arm()
    return made


def cancelled(day: float, client: str, **stated: Any) -> Envelope:
    """Return a session that the therapist cancelled."""
    return an.a_session_cancelled(
        f"c{day}", at=an.on(day), by="therapist", client=client, **stated
    )


def held(day: float, client: str, **stated: Any) -> Envelope:
    """Return a held session."""
    return an.a_session_held(f"h{day}", an.on(day), client=client, **stated)


def merger(client: str, into: str, day: float = 5, **stated: Any) -> Envelope:
    """Return that a client was merged into another."""
    return an.a_merger(into, an.on(day), client=client, **stated)


def a_life(chance: random.Random) -> list[Envelope]:
    """Return what happens to some references, two pairs of which turn out to be one client."""
    names = [ANN, BEN, CAT, "cl_dan"]
    told = [cancelled(day, chance.choice(names)) for day in range(1, 30, 2)]
    told += [held(day, chance.choice(names)) for day in range(4, 40, 7)]
    pairs = [chance.sample(names, 2) for _ in range(3)]
    said = [merger(one, other, 10 + 7 * n, id=f"m{n}") for n, (one, other) in enumerate(pairs)]
    told += [*said, an.a_retraction(said[0], at=an.on(33), id="r0")]
    return [*told, an.a_correction(said[1], at=an.on(34), into=chance.choice(names), id="k1")]


def tell_a_life(world: AlertsWorld, chance: random.Random) -> None:
    """Let a life be told as it happens, with ticks in between."""
    for one in sorted(a_life(chance), key=lambda one: one.event.time):
        world.tell(one)
        world.tick()
    world.live(14)


def shown(world: AlertsWorld, rule: str = CANCELLED) -> list[tuple[str, str, str]]:
    """Return (client, state, urgency) of every alert of a rule."""
    return sorted(
        (one["client"], one["state"], one["urgency"])
        for one in world.shown()
        if one["rule"] == rule
    )
