"""How much is measured: whole, quick, or so little that only the harness is tried."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one run measures.

    Attributes:
        repeats: How often each side of a comparison is measured.
        processes: Processes of ingest, and of the bare route beside it.
        load_s: For how long a load is measured once it runs.
        warm_up_s: For how long it runs before.
        connections: Numbers of connections that send single webhooks.
        batch_connections: How many connections send batches.
        consumed_clients: Clients whose events the consumers read from the beginning.
        consumed_repeats: How often they do.
        live: Events that come at once while consumers are measured live.
        rates: Events a second at which latencies are measured.
        latency_s: For how long each.
        kept_events: Events that databases are filled with, client by client.
        grown: Shares of them at which the cost of the next events is taken.
            many_clinics: So many clinics the organisation has at last.
        long_sessions: Sessions of the client with ten years of events; 440 are 1 651 events.
        queries: How often each question is asked.
        latency_clients: Clients with half a year of history, whom the events are about.
    """

    repeats: int
    processes: int
    load_s: float
    warm_up_s: float
    connections: tuple[int, ...]
    batch_connections: int
    consumed_clients: int
    consumed_repeats: int
    live: int
    rates: tuple[int, ...]
    latency_s: float
    latency_clients: int
    kept_events: int
    grown: tuple[float, ...]
    many_clinics: int
    long_sessions: int
    queries: int


WHOLE: Final = Sizes(
    repeats=5,
    processes=2,
    load_s=2.5,
    warm_up_s=0.8,
    connections=(1, 16, 64),
    batch_connections=16,
    consumed_clients=600,
    consumed_repeats=3,
    live=1500,
    rates=(50, 200, 500),
    latency_s=20.0,
    latency_clients=500,
    kept_events=1000000,
    grown=(0.01, 0.1, 1.0),
    many_clinics=300,
    long_sessions=440,
    queries=400,
)

QUICK: Final = Sizes(
    repeats=3,
    processes=2,
    load_s=1.5,
    warm_up_s=0.7,
    connections=(1, 16, 64),
    batch_connections=16,
    consumed_clients=120,
    consumed_repeats=2,
    live=300,
    rates=(50, 200),
    latency_s=6.0,
    latency_clients=120,
    kept_events=50000,
    grown=(0.1, 1.0),
    many_clinics=300,
    long_sessions=440,
    queries=100,
)

TINY: Final = Sizes(
    repeats=1,
    processes=1,
    load_s=0.1,
    warm_up_s=0.1,
    connections=(2,),
    batch_connections=2,
    consumed_clients=3,
    consumed_repeats=1,
    live=20,
    rates=(20,),
    latency_s=1.0,
    latency_clients=10,
    kept_events=300,
    grown=(0.4, 1.0),
    many_clinics=32,
    long_sessions=5,
    queries=3,
)
"""Its figures mean nothing; it shows that the harness works."""
