"""A log that cannot be written is no reason to stop working."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.config import child_environment

FULL = Path("/dev/full")

SAYING = """
from shared import logs
logs.configure("info")
for count in range(3):
    logs.logger("test").warning("said", count=count)
print("still here")
"""


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_whoever_cannot_log_goes_on() -> None:
    """Where stderr lies on a full disk, saying something fails nobody."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SAYING],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
            env=child_environment({}),
        )
    assert done.stdout == "still here\n"
