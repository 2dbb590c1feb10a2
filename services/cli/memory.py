"""How a process of Rapport handles its memory: set once, where the process starts."""

import ctypes
import gc
from typing import Final

_MALLOC: Final = ((-3, 131_072), (-1, 131_072), (-8, 2))
"""Options of glibc's ``mallopt``: from how many bytes on a block is mapped by itself, how many
free bytes are kept at the end of a heap, how many heaps there are. The first two are its own
defaults: setting them keeps them from rising."""


def frugal(collect_after: tuple[int, int, int]) -> bool:
    """Look for cycles seldom, and give back to the machine what a burst took.

    With each large block that is freed, glibc keeps larger ones for itself, up to 32 MiB, and each
    thread has a heap of its own: what a backlog of records took stays with the process for good,
    a tenth of its memory (measured).

    Args:
        collect_after: As for ``gc.set_threshold``.

    Returns:
        False where the C library has no such options; then it does as it always did.
    """
    gc.set_threshold(*collect_after)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*option) for option in _MALLOC)
