"""Alerts of a client of whom only a matter is known: kept from whom the matter concerns."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts.rule import Family, Verdict
from shared.alliance.history import Phase
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alert_rules import Cancelled, a_step, an_episode
from tests.support.alerting import AlertsWorld, held

EVE, ADA = an.THERAPIST, "th_ada"


class Away(Cancelled):
    """Holds while the therapist is away: what it stands on is about nobody in particular."""

    name = "test-away"
    family: Family = "consistency"
    reads = frozenset({"therapist.away"})
    defaults: Mapping[str, Any] = {}

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Return one episode per absence."""
        del settings, until
        return Verdict(
            tuple(
                an_episode(self.name, phase, [a_step("attention", one.start, one.fact)])
                for one in phase.away
            )
        )


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a clinic in which whom the matter concerns would be told of alerts."""
    made = AlertsWorld(db, tmp_path, rules=(Away(),))
    made.a_recipient("eve", person=EVE)
    made.arm()
    yield made
    made.close()


def test_it_is_kept_from_whom_the_matter_concerns(world: AlertsWorld) -> None:
    """They neither see nor are told of any alert of such a client; others see it."""
    world.tell(an.a_boundary_noted(at=an.on(1), concerns=EVE))
    world.tell(an.a_therapist_away("2026-01-10", "2026-03-20", at=an.on(2)))
    assert world.told() == []
    assert world.alerts(key=world.a_key("read", person=EVE)) == []
    assert [one["client"] for one in world.alerts(key=world.a_key("read", person=ADA))] == [
        an.CLIENT
    ]


def test_it_is_told_where_more_is_known(world: AlertsWorld) -> None:
    """One session more, and the alert says nothing of the matter."""
    world.tell(held(0), an.a_boundary_noted(at=an.on(1), concerns=EVE))
    world.tell(an.a_therapist_away("2026-01-10", "2026-03-20", at=an.on(2)))
    assert world.told() == [("opened", "pending")]
    assert len(world.alerts(key=world.a_key("read", person=EVE))) == 1
