"""A program that publishes and says on stdout what was acknowledged.

``python -m tests.support.publishing KIND WHERE NAME COUNT``: four threads publish the records
``NAME-<thread>-<number>``, each thread under a key of its own; ``COUNT`` numbers per thread. It
says ``ready`` and begins with the first line on stdin, so that several begin together.
"""

import sys
import threading

from shared.stream.ports import Publisher
from tests.support.engines import opened
from tests.support.records import a_record

THREADS = 4


def main(kind: str, where: str, name: str, count: str) -> None:
    """Publish; one line on stdout per acknowledged record."""
    stream = opened(kind, where)
    publisher = stream.publisher()
    _say("ready")
    sys.stdin.readline()
    threads = [
        threading.Thread(target=_publish, args=(publisher, f"{name}-{thread}", int(count)))
        for thread in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.close()
    stream.close()


def _publish(publisher: Publisher, name: str, count: int) -> None:
    for number in range(count):
        value = f"{name}-{number}"
        publisher.publish([a_record(value.encode(), key=name.encode())], deadline_s=30)
        _say(value)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
