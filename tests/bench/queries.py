"""Questions over HTTP, asked of the installed services one after the other."""

import http.client
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from services.projections.timelines import Timelines, Viewer
from shared.storage.engine import Database
from shared.storage.registry import Registry
from tests.bench.bench import Bench
from tests.bench.findings import Cost, Findings, Row, Target
from tests.bench.installation import Installation, Process
from tests.bench.measuring import measured, percentile
from tests.bench.population import Population
from tests.support.accounts import SEALER

TEN_YEARS: Final = "timeline of a client with ten years"
TARGETS: Final = {TEN_YEARS: Target(50, "<")}
ANSWER_WITHIN_S: Final = 60
WARM_UP: Final = 5
FOLDED: Final = 20
"""Timelines folded to take what one costs."""


def ask(
    bench: Bench,
    installation: Installation,
    services: Mapping[str, Process],
    population: Population,
) -> Findings:
    """Ask each question ``queries`` times; return how long the answers took."""
    chance, people = random.Random(1), population.people
    last = people[-1].id
    asked: dict[str, tuple[str, Callable[[], str]]] = {
        "caseload, first page": ("projections", lambda: "/v1/clients"),
        "timeline of a client": (
            "projections",
            lambda: f"/v1/clients/{chance.choice(people[:-1]).id}/timeline",
        ),
        TEN_YEARS: ("projections", lambda: f"/v1/clients/{last}/timeline"),
        "alerts, first page": ("alerts", lambda: "/v1/alerts"),
    }
    findings = Findings()
    for title, (service, path) in asked.items():
        took = _took(services[service].port, installation.token, path, bench.sizes.queries)
        for share in (0.5, 0.99):
            target = TARGETS.get(title) if share > 0.5 else None
            what = f"{title}, p{share * 100:.0f} of {len(took)}"
            figure = measured([percentile(took, share) * 1e3])
            findings.rows.append(Row(what, figure, "ms", target=target))
    findings.costs += _folding(installation, population, min(FOLDED, bench.sizes.queries))
    return findings


def _took(port: int, token: str, path: Callable[[], str], count: int) -> list[float]:
    took: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    with closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    ) as connection:
        for _ in range(WARM_UP + count):
            began = time.perf_counter()
            connection.request("GET", path(), headers=headers)
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                raise RuntimeError(f"GET {path()} was answered with {answer.status}")
    return took[WARM_UP:]


def _folding(installation: Installation, population: Population, count: int) -> list[Cost]:
    """Return what it costs to fold one timeline from the database, in this process."""
    db = Database(installation.settings.database)
    timelines = Timelines(db, Registry(db, SEALER, None))
    viewer = Viewer(installation.organisation)
    some = [one.id for one in population.people[:-1][:count]]
    costs = []
    for what, clients in (("a client", some), ("ten years", [population.people[-1].id] * count)):
        began = time.process_time()
        for client in clients:
            timelines.read(viewer, client)
        spent = (time.process_time() - began) / len(clients)
        costs.append(Cost("timeline", spent * 1e3, "ms CPU/fold", what))
    db.close()
    return costs
