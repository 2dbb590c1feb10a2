"""The command on a whole line's installation, typed here or as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner, Result

from services.cli import main
from shared.config import child_environment
from tests.support.whole import SECRET_KEY, WholeLine


def typed(line: WholeLine, *arguments: str) -> Result:
    """Run a command to its end, in this process."""
    return CliRunner(env=dict(_variables(line))).invoke(main, arguments)


def started(line: WholeLine, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command; the caller reads its messages and ends it."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", *arguments],
        env=child_environment(_variables(line)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def summary(done: Result, code: int = 0) -> dict[str, Any]:
    """Return the JSON that a command printed; it must have ended with ``code``."""
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _variables(line: WholeLine) -> Mapping[str, str]:
    settings = line.settings
    return {
        "RAPPORT_DATA_DIR": str(settings.data_dir),
        "RAPPORT_SECRET_KEY": SECRET_KEY,
        "RAPPORT_PARTITIONS": str(settings.partitions),
        "RAPPORT_STREAM": settings.stream,
        "RAPPORT_DATABASE": settings.database,
    }
