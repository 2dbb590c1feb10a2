"""The deliverer killed at every call, before and after each message too."""

from collections.abc import Iterable

from tests.faults.experiment import Experiment, World
from tests.faults.guards import Guard
from tests.faults.killing import killed_at_every_call


def run(world: World) -> Iterable[str]:
    """Kill the deliverer at every call: no notification is lost, one may come again."""
    return killed_at_every_call(world, "deliverer", redelivered=True)


EXPERIMENT = Experiment(
    "killed-deliverer",
    run,
    guards=(
        Guard(
            name="settled-only-when-sent",
            file="services/alerts/deliveries.py",
            old="        outcome = self._sender.send(",
            new="""        with self._database.write() as db:
            outbox.delivered(db, row, self._me, now)
        outcome = self._sender.send(""",
        ),
        Guard(
            name="settled-only-when-published",
            file="services/alerts/deliveries.py",
            old="        try:\n            self._publisher.publish([",
            new="""        with self._database.write() as db:
            for row in rows:
                outbox.delivered(db, row, self._me, now)
        try:
            self._publisher.publish([""",
        ),
        Guard(
            name="the-same-id-again",
            file="services/alerts/deliveries.py",
            old="    return Message(row.id, ",
            new="    return Message(str(uuid.uuid4()), ",
        ),
    ),
)
