"""Serve ingest alone: the same as ``rapport serve ingest``.

The command owns the process (topics and tables, the HTTP server, the signals); a service only
offers its parts.
"""

import os
import sys


def main() -> None:
    """Become the command."""
    command = [sys.executable, "-m", "services.cli", "serve", "ingest", *sys.argv[1:]]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter and module.


if __name__ == "__main__":
    main()
