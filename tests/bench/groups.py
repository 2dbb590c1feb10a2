"""Every group of rows, in the order in which they are measured."""

from collections.abc import Callable
from typing import Final

from tests.bench import consumers, ingest
from tests.bench.bench import Bench
from tests.bench.findings import Findings

GROUPS: Final[dict[str, Callable[[Bench], Findings]]] = {
    "ingest": ingest.run,
    "consumers": consumers.run,
}
