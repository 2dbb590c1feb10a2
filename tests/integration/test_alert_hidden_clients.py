"""Alerts of a client of whom only a matter is known: none but of the matter itself."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.alerts.rule import Family, Verdict
from shared.alliance.history import Phase
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alert_rules import Cancelled, Quiet, a_step, an_episode
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


def test_nothing_but_the_matter_is_told(world: AlertsWorld) -> None:
    """There is no alert of another kind, which would say that there is such a client."""
    world.tell(an.a_boundary_noted(at=an.on(1), concerns=EVE))
    world.tell(an.a_therapist_away("2026-01-10", "2026-03-20", at=an.on(2)))
    assert (world.told(), world.alerts()) == ([], [])


def test_a_matter_with_another_therapist_tells_nothing_of_them(world: AlertsWorld) -> None:
    """A matter puts nobody into their care: that they are away concerns this client not at all."""
    world.tell(held(0), an.a_boundary_noted(at=an.on(1), therapist=ADA, concerns=EVE))
    away = an.a_therapist_away("2026-01-10", "2026-03-20", at=an.on(2), therapist=ADA)
    world.tell(away)
    assert world.alerts() == []
    world.tell(an.a_session_held("s9", an.on(3), therapist=ADA))
    assert [one["therapist"] for one in world.alerts()] == [ADA]


def test_it_is_told_where_more_is_known(world: AlertsWorld) -> None:
    """One session more, and the alert says nothing of the matter."""
    world.tell(held(0), an.a_boundary_noted(at=an.on(1), concerns=EVE))
    world.tell(an.a_therapist_away("2026-01-10", "2026-03-20", at=an.on(2)))
    assert world.told() == [("opened", "pending")]
    assert len(world.alerts(key=world.a_key("read", person=EVE))) == 1


class TestHistory:
    """What was due long ago is history by the client's other facts alone."""

    @pytest.fixture
    def quiet(self, db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
        """Yield a clinic whose deadlines are judged."""
        made = AlertsWorld(db, tmp_path, rules=(Quiet(),))
        made.arm()
        yield made
        made.close()

    def test_a_matter_makes_no_history(self, quiet: AlertsWorld) -> None:
        """Told of a matter or not, what fell due is news; by another fact it is not."""
        told = {"cl_matter": an.a_boundary_noted, "cl_other": an.a_rupture_noted, "cl_none": None}
        quiet.tell(*(held(0, client=client) for client in told), settle=False)
        quiet.tell(*(note(at=an.on(60), client=client) for client, note in told.items() if note))
        quiet.tick(1)
        found = {one["client"]: one["historical"] for one in quiet.alerts()}
        assert found == {"cl_matter": False, "cl_other": True, "cl_none": False}
