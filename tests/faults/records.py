"""The stream as it is: every record of it, read from offset 0 by a group of its own."""

import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.stream.codec import decode
from shared.stream.ports import ALERTS, EVENTS, Partition, Record
from tests.faults.installation import Installation
from tests.faults.processes import Loud

READ_WITHIN_S: Final = 180.0
READ: Final = (EVENTS, ALERTS)


@dataclass(frozen=True, slots=True)
class Contents:
    """Every record of the topics, in order within each partition."""

    records: tuple[Record, ...]

    def of(self, topic: str) -> Sequence[Record]:
        """Return the records of one topic."""
        return [record for record in self.records if record.topic == topic]

    def newest_recorded(self) -> datetime | None:
        """Return when the newest event was taken; None for an empty stream."""
        return max((decode(one).recorded_at for one in self.of(EVENTS)), default=None)


def contents(installation: Installation) -> Contents:
    """Read the stream of an installation from its beginning to its present end.

    Raises:
        Loud: when that takes too long.
    """
    stream = installation.stream
    missing = {
        place: end for topic in READ for place, end in stream.ends(topic).items() if end > 0
    }
    found: dict[Partition, list[Record]] = defaultdict(list)
    deadline = time.monotonic() + READ_WITHIN_S
    group = f"faults-{uuid.uuid4().hex}"
    with closing(stream.consumer(group, READ, lambda _: 0)) as consumer:
        while missing:
            for record in consumer.poll(1_000, 0.5):
                found[record.place].append(record)
                if record.offset + 1 >= missing.get(record.place, 0):
                    missing.pop(record.place, None)
            if time.monotonic() > deadline:
                raise Loud(f"the stream could not be read within {READ_WITHIN_S:g} s")
    return Contents(tuple(one for place in sorted(found) for one in found[place]))
