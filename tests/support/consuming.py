"""A program that consumes without end and says on stdout what it has handled.

``python -m tests.support.consuming KIND WHERE GROUP``: one line ``partition offset value`` per
record of ``rapport.events``, from the start.
"""

import sys

from shared.stream.ports import EVENTS
from tests.support.engines import opened
from tests.support.records import from_start

LIMIT = 7
"""Small, so that the program has something left to read when it is killed."""


def main(kind: str, where: str, group: str) -> None:
    """Consume until somebody ends the process."""
    consumer = opened(kind, where).consumer(group, [EVENTS], from_start)
    while True:
        for record in consumer.poll(LIMIT, 1.0):
            sys.stdout.write(f"{record.partition} {record.offset} {record.value.decode()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
