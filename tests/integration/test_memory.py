"""What a burst took is given back."""

import subprocess
import sys
from typing import Final

BURST_MB: Final = 50

CHILD: Final = f"""
import gc
import psutil
from services.cli.memory import frugal

settings = frugal((12_345, 20, 50))
resident = psutil.Process().memory_info
before = resident().rss
b"x" * 20_000_000
blocks, kept = [], []
for _ in range(10):
    blocks.append(b"x" * {BURST_MB * 100_000})
    kept.append(b"y" * 1_000)
taken = resident().rss - before
del blocks
print(settings, gc.get_threshold()[0], taken, resident().rss - before)
"""


def test_what_a_burst_took_is_given_back() -> None:
    """Large blocks are gone from the process once they are freed, whatever small ones remain."""
    told = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True
    )
    settings, collect_after, taken, left = told.stdout.split()
    assert (settings, collect_after) == ("True", "12345")
    assert int(taken) > BURST_MB * 1_000_000
    assert int(left) < BURST_MB * 100_000
