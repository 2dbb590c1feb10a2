"""Every group of rows, in the order in which they are measured."""

from collections.abc import Callable
from typing import Final

from tests.bench import consumers, ingest, latency, million
from tests.bench.bench import Bench
from tests.bench.findings import Findings

GROUPS: Final[dict[str, Callable[[Bench], Findings]]] = {
    "ingest": ingest.run,
    "consumers": consumers.run,
    "latency": latency.run,
    "million": million.run,
}
