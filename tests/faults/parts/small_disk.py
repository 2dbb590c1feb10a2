"""A small file system of its own, so that a disk can really be full.

Limits: Linux, and a process that may mount (root in most containers); elsewhere ``Missing`` is
raised, and whoever asked says loudly what was not tested.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.missing import Missing

BALLAST: Final = "ballast"
_BLOCK: Final = b"\0" * 65_536


class SmallDisk:
    """A mounted tmpfs; ``folder`` is where."""

    def __init__(self, folder: Path) -> None:
        """Know where it is."""
        self.folder = folder

    def free_bytes(self) -> int:
        """Return how much room there is."""
        return shutil.disk_usage(self.folder).free

    def fill(self, leaving: int = 0) -> None:
        """Fill it with ballast until ``leaving`` bytes are free."""
        with (self.folder / BALLAST).open("ab", buffering=0) as ballast:
            while (room := self.free_bytes() - leaving) > 0:
                try:
                    written = ballast.write(_BLOCK[: min(len(_BLOCK), room)])
                except OSError:
                    return
                if not written:
                    return

    def clear(self) -> None:
        """Throw the ballast away."""
        (self.folder / BALLAST).unlink(missing_ok=True)


@contextmanager
def a_small_disk(folder: Path, size_mb: int) -> Iterator[SmallDisk]:
    """Mount a file system of ``size_mb`` on ``folder`` for the length of a ``with``.

    Raises:
        Missing: when this machine does not let us.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(
            "a small file system cannot be mounted; run as root, in a container that may mount:"
            " docker run --cap-add SYS_ADMIN …"
        ) from error
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: what a process that was just killed still holds open must not keep it.
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
