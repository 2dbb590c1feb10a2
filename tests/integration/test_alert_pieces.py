"""One fact can open alerts for every client of a clinic: they are told of in pieces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from services.alerts.voice import KEPT_AT_ONCE
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.stream.codec import decode, encode
from shared.stream.handling import Item
from shared.stream.ports import EVENTS, Record
from tests.support import events as an
from tests.support.alert_rules import Cancelled
from tests.support.alerting import AlertsWorld
from tests.support.capping import CAP, an_alert, statuses
from tests.support.databases import migrated, sqlite_url

CLIENTS = KEPT_AT_ONCE + 20


@pytest.fixture
def largest() -> Iterator[list[int]]:
    """Yield a list of one number: the most steps or alerts that a statement has written so far."""
    most = [0]

    def look(*said: Any) -> None:
        _, _, asked, parameters, _, many = said
        if many and asked.startswith(("INSERT INTO ledger_steps", "INSERT INTO alerts_inbox")):
            most[0] = max(most[0], len(parameters))

    event.listen(Engine, "before_cursor_execute", look)
    yield most
    event.remove(Engine, "before_cursor_execute", look)


def test_a_large_batch_is_told_in_pieces(tmp_path: Path, largest: list[int]) -> None:
    """No statement writes more than a piece, and the day's places are counted over all of them."""
    with migrated(sqlite_url(tmp_path)) as db:
        world = AlertsWorld(db, tmp_path, rules=(Cancelled(),))
        world.a_recipient("boss")
        facts = [world.placed(an_alert(client, an.on(1))) for client in range(CLIENTS)]
        armed = world.placed(
            an.a_clinic_configured(an.CLINIC, sends=["sessions"], sender="rapport")
        )
        for start, some in ((0, facts), (CLIENTS, [armed])):
            with db.write() as transaction:
                Watcher(world.rules, world.office.accounts.recipients).handle(
                    transaction, [_item(number, one) for number, one in enumerate(some, start)], ()
                )
        assert 1 < largest[0] <= KEPT_AT_ONCE
        told = statuses(world)
        assert (told.count("pending"), told.count("held")) == (CAP, CLIENTS - CAP)
        world.close()


def _item(offset: int, envelope: Envelope) -> Item:
    """Return a fact as it stands in the first partition, whoever it is about."""
    out = encode(envelope, EVENTS)
    record = Record(EVENTS, 0, offset, out.key, out.value, out.headers, envelope.recorded_at)
    return Item(record, decode(record))
