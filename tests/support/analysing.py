"""Running ``rapport analyse`` on a table of a test."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from services.cli import main


def analysed(folder: Path, table: str, *arguments: str) -> Result:
    """Write a table and run the command on it."""
    file = folder / "scores.csv"
    file.write_text(table, encoding="utf-8")
    return CliRunner().invoke(main, ["analyse", str(file), *arguments])


def found(done: Result) -> dict[str, Any]:
    """Return the JSON of a run that must have succeeded."""
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said
