"""Run one step of the deliverer in a process of its own: ``deliver_once URL FOLDER``.

Starts at the clock of a made-up world, with a lease as the real one has it.
"""

import sys
from pathlib import Path

from services.alerts.deliveries import Deliverer
from services.alerts.webhook import Sender
from shared.storage.engine import Database
from shared.stream.embedded import EmbeddedStream
from tests.support import events as an
from tests.support.accounts import Office
from tests.support.alerting import DEADLINE_S, PARTITIONS


def main(url: str, folder: str) -> None:
    """Step once."""
    db = Database(url)
    stream = EmbeddedStream(Path(folder) / "stream.db", PARTITIONS)
    deliverer = Deliverer(
        db,
        stream.publisher(),
        Office(db).accounts.recipients,
        Sender(allow_private=True),
        publish_deadline_s=DEADLINE_S,
    )
    deliverer.step(an.on(1, 10, 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
