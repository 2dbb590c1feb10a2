"""What is about several clinics is told to whoever reads for one of them, in whatever way."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from services.alerts.ledger import LEDGER, NOBODY, STEPS, WEBHOOK
from services.alerts.notices import KINDS
from services.alerts.rules.caseload_interrupted import CaseloadInterrupted
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.databases import migrated, sqlite_url

HERE, THERE = an.CLINIC, "oak"
QUIET_DAYS = 3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with two clinics, in which it is the 40th day."""
    with migrated(sqlite_url(tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        made.arm()
        made.clock.set(an.on(40))
        yield made
        made.close()


def silent(world: AlertsWorld, since: float, known: float) -> None:
    """Let a source that sends for both clinics be silent."""
    said = {"source": an.SENDER, "clinics": [HERE, THERE]}
    event = an.an_event("feed.silent", an.on(since), said, client=None, sender="rapport")
    world.tell(replace(event, recorded_at=an.on(known)))


def told(world: AlertsWorld) -> list[str]:
    """Return who is told of the alert, in whatever way."""
    asked = select(LEDGER.c.recipient).where(LEDGER.c.alert.in_(
        select(STEPS.c.alert).where(STEPS.c.kind.not_in(KINDS))))  # fmt: skip
    with world.db.read() as db:
        rows = db.scalars(asked.where(LEDGER.c.channel == WEBHOOK, LEDGER.c.recipient != NOBODY))
        return sorted(rows)


@pytest.mark.parametrize("way", ["at once", "summary", "report", "report of an earlier version"])
def test_each_clinic_is_told(world: AlertsWorld, way: str) -> None:
    """At once, as history, and after a quiet start: its own leaders, and those of the whole."""
    whole = world.a_recipient("whole")
    here = world.a_recipient("here", clinics=[HERE])
    world.a_recipient("elsewhere", clinics=["ash"])
    if way.startswith("report"):
        world.deliver_by(quiet_days=QUIET_DAYS)
    silent(world, since=20 if way == "summary" else 40, known=40)
    (alert,) = world.shown()
    assert alert["clinic"] is None
    if way != "at once":
        assert told(world) == []
    if way.endswith("version"):
        with world.db.write() as db:
            db.execute(STEPS.update().values(clinics=None))
    world.live(QUIET_DAYS + 1)
    assert told(world) == sorted([whole] if way.endswith("version") else [whole, here])


def test_each_clinic_reads_it(world: AlertsWorld) -> None:
    """Whoever is told of a silent source reads it, and finds it by their clinic; nobody else."""
    silent(world, since=40, known=40)
    (alert,) = world.shown()
    for clinic in (HERE, THERE):
        key = world.a_key(clinics=[clinic])
        read = world.get(f"/v1/alerts/{alert['id']}", key).json or {}
        assert read["evidence"] == alert["evidence"] != []
        assert world.alerts(f"?clinic={clinic}", key) == world.alerts(f"?clinic={clinic}") != []
    for clinic in ("ash", HERE.upper(), HERE[1:]):
        key = world.a_key(clinics=[clinic])
        assert world.get(f"/v1/alerts/{alert['id']}", key).status_code == 404
        assert world.alerts(key=key) == world.alerts(f"?clinic={clinic}") == []


def test_what_happened_elsewhere_is_counted(db: Database, tmp_path: Path) -> None:
    """Of a caseload at two clinics each sees its own evidence, and how much there is besides."""
    world = AlertsWorld(db, tmp_path, rules=(CaseloadInterrupted(),))
    clients = {f"cl_{n}": HERE if n < 3 else THERE for n in range(6)}
    for clinic in (HERE, THERE):
        world.arm("sessions", clinic=clinic)
    world.tell(*(an.a_session_held("h", an.on(1), client=client, clinic=clinic)
                 for client, clinic in clients.items()))  # fmt: skip
    off = [an.a_session_cancelled("c", at=an.on(3), by="clinic", client=client, clinic=clinic)
           for client, clinic in clients.items() if client != "cl_5"]  # fmt: skip
    world.tell(*off)
    (whole,) = world.shown()
    at = {clinic: [one for one in whole["evidence"] if one["clinic"] == clinic]
          for clinic in (HERE, THERE)}  # fmt: skip
    assert (len(at[HERE]), len(at[THERE])) == (3, 2)
    (here,) = world.alerts(key=world.a_key(clinics=[HERE]))
    beside = {"comment_count": 0, "note_count": 0}
    assert here == {**whole, **beside, "evidence": at[HERE], "evidence_elsewhere": 2}
    shown = world.get(f"/v1/alerts/{whole['id']}", world.a_key(clinics=[THERE])).json or {}
    assert (shown["evidence"], shown["evidence_elsewhere"]) == (at[THERE], 3)
    world.close()
