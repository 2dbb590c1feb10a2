"""Live through a schedule on the tree under test: JSON on stdin, what came of it on stdout."""

import json
import sys
from dataclasses import asdict

from shared import logs
from tests.faults.virtual import lived, schedule_of


def main() -> None:
    """Read a schedule, live through it, write what came of it."""
    logs.configure("error")
    order = json.load(sys.stdin)
    life = lived(schedule_of(order["schedule"]), order["tell"])
    json.dump(asdict(life), sys.stdout)


if __name__ == "__main__":
    main()
