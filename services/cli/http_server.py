"""The HTTP server as a process: granian, which ends when the process that started it is gone.

Without this, a server whose parent was killed would go on listening on the port, and the next
start would find it taken.
"""

import os
import signal
import threading
import time

from granian.cli import entrypoint

LOOK_EVERY_S = 0.5


def end_with(parent: int) -> None:
    """Terminate this process, in order, once its parent is another than ``parent``."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve what the command line says, as ``granian`` does."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    entrypoint()  # type: ignore[no-untyped-call]  # granian's is not typed.


if __name__ == "__main__":
    main()
