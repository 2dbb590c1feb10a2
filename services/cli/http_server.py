"""The HTTP server as a process: granian, which ends when the process that started it is gone.

Without this, a server whose parent was killed would go on listening on the port, and the next
start would find it taken.
"""

import os
import signal
import sys
import threading
import time

from granian.cli import entrypoint

from services.cli.memory import frugal

LOOK_EVERY_S = 0.5

COLLECT_AFTER = (50_000, 20, 50)
"""Own: a batch of events is many thousand objects for a moment, and next to no cycles; looking
through them as often as Python does by default costs an eighth of taking it (measured)."""


def end_with(parent: int) -> None:
    """Terminate this process, in order, once its parent is another than ``parent``."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _may_end() -> None:
    """Let a worker that is told to stop while it still starts end at once.

    Until it serves, it would answer with the handler of the process that looks after the workers:
    the signal would be lost, and the worker serve on until it is killed.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main() -> None:
    """Serve what the command line says, as ``granian`` does; its first word is the starter's pid.

    Who started it may be gone before this line is reached: its parent is then already another.
    """
    parent = int(sys.argv.pop(1))
    # Before the workers are forked, which inherit it.
    frugal(COLLECT_AFTER)
    os.register_at_fork(after_in_child=_may_end)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    entrypoint()  # type: ignore[no-untyped-call]  # granian's is not typed.


if __name__ == "__main__":
    main()
