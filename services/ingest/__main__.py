"""Serve ingest alone: ``python -m services.ingest``."""

import sys

from granian.constants import Interfaces
from granian.server import Server

from shared.config import load
from shared.errors import ConfigurationError

APPLICATION = "services.ingest.bootstrap:wsgi"
BLOCKING_THREADS = 64
"""Requests that one worker has under way at once; each waits for the stream."""

STOP_WITHIN_S = 15
"""How long a stop may take: longer than one publication waits for its acknowledgement."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; finish what is under way; return the exit code."""
    try:
        settings = load()
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    Server(
        APPLICATION,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=BLOCKING_THREADS,
        workers_kill_timeout=STOP_WITHIN_S,
        websockets=False,
        factory=True,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
