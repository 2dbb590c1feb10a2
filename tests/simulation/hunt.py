"""Look for the first seed that fails: ``python -m tests.simulation.hunt FIRST COUNT``.

Run with a copy of the product on the path from which a guard was taken out (``guards.py``).
"""

import json
import sys

from tests.simulation.many import prepare, some_until_failure


def main(first: str, count: str) -> None:
    """Print what failed first, and after how many seeds, as JSON; null where nothing did."""
    prepare()
    seeds = range(int(first), int(first) + int(count))
    run = some_until_failure(seeds)
    found = None
    if run is not None and run.reason is not None:
        reason = run.reason.strip().splitlines()
        found = {"seed": run.seed, "after": run.seed - seeds.start + 1, "reason": reason[-1]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
