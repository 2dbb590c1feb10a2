"""The HTTP server as a process: granian, which ends when the process that started it is gone.

Without this, a server whose parent was killed would go on listening on the port, and the next
start would find it taken.
"""

import gc
import os
import signal
import threading
import time

from granian.cli import entrypoint

LOOK_EVERY_S = 0.5

COLLECT_AFTER = (50_000, 20, 50)
"""Own: a batch of events is many thousand objects for a moment, and next to no cycles; looking
through them as often as Python does by default costs an eighth of taking it (measured)."""


def end_with(parent: int) -> None:
    """Terminate this process, in order, once its parent is another than ``parent``."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve what the command line says, as ``granian`` does."""
    # Before the workers are forked, which inherit it.
    gc.set_threshold(*COLLECT_AFTER)
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    entrypoint()  # type: ignore[no-untyped-call]  # granian's is not typed.


if __name__ == "__main__":
    main()
