"""The installed command on a whole line's installation, as processes of their own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from shared.config import child_environment
from tests.support.whole import SECRET_KEY, WholeLine


def rapport(line: WholeLine, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        _command(arguments),
        env=child_environment(_variables(line)),
        capture_output=True,
        text=True,
        check=False,
    )


def started(line: WholeLine, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command; the caller reads its messages and ends it."""
    return subprocess.Popen(
        _command(arguments),
        env=child_environment(_variables(line)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def summary(done: "subprocess.CompletedProcess[str]", code: int = 0) -> dict[str, Any]:
    """Return the JSON that a command printed; it must have ended with ``code``."""
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "services.cli", *arguments]


def _variables(line: WholeLine) -> Mapping[str, str]:
    settings = line.settings
    return {
        "RAPPORT_DATA_DIR": str(settings.data_dir),
        "RAPPORT_SECRET_KEY": SECRET_KEY,
        "RAPPORT_PARTITIONS": str(settings.partitions),
        "RAPPORT_STREAM": settings.stream,
        "RAPPORT_DATABASE": settings.database,
    }
