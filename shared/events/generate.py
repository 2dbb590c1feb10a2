"""Write every event type's JSON Schema beside the code: ``python -m shared.events.generate``.

With ``--check`` nothing is written: the exit code is 1 when a committed file is not what the code
says today.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.events import EVENT_TYPES
from shared.events.documents import documented

FOLDER: Final = Path(__file__).parent / "schemas"


def generated() -> Mapping[str, str]:
    """Return every file that belongs in the folder: name → text."""
    files = {}
    for name, event_type in EVENT_TYPES.items():
        for version in range(1, event_type.version + 1):
            published = documented(name, version)
            if published is not None:
                text = json.dumps(published.schema, indent=2, ensure_ascii=False)
                files[f"{name}.{version}.json"] = text + "\n"
    return files


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the names of the files in ``folder`` that are missing, outdated or not ours."""
    wanted = generated()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or check them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.events.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    outdated = stale()
    if parser.parse_args(arguments).check:
        for name in outdated:
            sys.stderr.write(f"stale: shared/events/schemas/{name}\n")
        return 1 if outdated else 0
    for name, text in generated().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stderr.write(f"wrote {len(outdated)} schemas that had changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
