"""Two deliverers at once, and a recipient who takes its time: each message goes out once."""

from collections.abc import Iterable
from typing import Final

from shared.storage.recipients import Recipients
from shared.storage.sealing import Sealer, load_secret_key
from tests.faults.checker import Expectation, violations
from tests.faults.content import a_story, in_batches
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.guards import Edit, Guard
from tests.faults.journal import Sender

LEADERS: Final = 5
"""Who are told the same: so many rows are free at once, for both to take."""


def run(world: World) -> Iterable[str]:
    """Let two processes deliver what one story, sent while both run, gives to tell."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    receiver.mood = "slow"
    tenant = site.tenant("north", receiver.url)
    people = Recipients(site.db, Sealer(load_secret_key(site.settings, site.db)))
    for number in range(LEADERS):
        people.add(tenant.organisation, f"leader-{number}", role="leadership", url=receiver.url)
    ingest = site.ingest().ready()
    for name in ("alerts-1", "alerts-2"):
        site.alerts(name).ready()
    sender = Sender(journal, lambda: ingest.address, tenant)
    sender.send_all(in_batches(a_story(world.chance, clients=3), world.chance))
    site.projections()
    site.wait_settled()
    world.note(f"{len(receiver.messages)} notifications")
    return violations(site, journal, Expectation(messages=receiver.messages))


EXPERIMENT = Experiment(
    "two-deliverers",
    run,
    guards=(
        Guard(
            name="a-claimed-row-is-left-alone",
            file="services/alerts/outbox.py",
            old="_FREE: Final = or_(\n    LEDGER.c.holder.is_(None),\n",
            new="_FREE: Final = or_(\n    LEDGER.c.status == PENDING,\n",
            also=(
                Edit(
                    "services/alerts/outbox.py",
                    "    return db.execute(_SETTLE, renewed).rowcount == 1\n",
                    "    anybodys = LEDGER.update().where(_IT, LEDGER.c.status == PENDING)\n"
                    "    del renewed['me']\n"
                    "    return db.execute(anybodys, renewed).rowcount == 1\n",
                ),
            ),
            tries=3,
        ),
    ),
    engines=(EMBEDDED, KAFKA),
)
