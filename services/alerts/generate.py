"""Write what can be set of each rule beside the language: ``python -m services.alerts.generate``.

With ``--check`` nothing is written: the exit code is 1 when the committed file is not what the
rules say today.
"""

import argparse
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from services.alerts.bootstrap import EVERY_RULE
from services.alerts.orders import DELIVERY, DELIVERY_DEFAULTS
from shared.rule_settings import FILE

PATH: Final = Path(str(files("shared"))) / FILE


def generated() -> str:
    """Return what belongs in the file."""
    said = {rule.name: dict(rule.defaults) for rule in EVERY_RULE} | {
        DELIVERY: dict(DELIVERY_DEFAULTS)
    }
    return json.dumps(said, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or check it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m services.alerts.generate", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="only say whether it is stale")
    stale = not PATH.exists() or PATH.read_text(encoding="utf-8") != generated()
    if parser.parse_args(arguments).check:
        if stale:
            sys.stderr.write(f"stale: shared/{FILE}; run make schemas\n")
        return int(stale)
    PATH.write_text(generated(), encoding="utf-8")
    sys.stderr.write(f"wrote shared/{FILE}{'' if stale else ' (as it was)'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
