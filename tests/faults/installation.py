"""An installation made of real processes, run from a given source tree, to be killed at will."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, inspect, select

from services.alerts import bootstrap as alerts
from services.alerts.ledger import LEDGER, PENDING
from services.cli.catching_up import caught_up
from services.projections import bootstrap as projections
from shared.clock import SystemClock
from shared.config import Settings, child_environment, load
from shared.ids import CLIENT
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.enrolment import Enrolment
from shared.storage.migrate import migrate
from shared.storage.positions import positions
from shared.storage.recipients import Recipients
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.engines import open_stream
from tests.faults.guards import ROOT
from tests.faults.processes import Loud, Process, wait_until
from tests.support.kafka_broker import free_port
from tests.support.whole import SECRET_KEY

SETTLED_WITHIN_S: Final = 300.0
SETTLED_WITHOUT_S: Final = 120.0
"""Without a guard it may stand still for ever, and nobody need wait for that for long."""

PARTITIONS: Final = 4
TOLD_ROLES: Final = ("leadership", "supervisor", "governance", "safeguarding")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organisation with a source and a key.

    Attributes:
        secret: Signs the source's webhooks.
        token: Of a key that may publish, read, act and configure.
    """

    name: str
    organisation: str
    source: str
    secret: str
    token: str


class Installation:
    """Its own data folder, ports and processes; closed by whoever made it."""

    def __init__(
        self,
        folder: Path,
        *,
        tree: Path = ROOT,
        stream: str = "embedded",
        database: str | None = None,
        **variables: str,
    ) -> None:
        """Migrate the database and create the topics; start nothing yet.

        Args:
            folder: Its data folder, made where it is missing; logs lie there as ``NAME.log``.
            tree: The source tree that its processes run.
            stream: ``embedded`` or ``kafka://host:port,…``.
            database: An SQLAlchemy URL; SQLite in ``folder`` when None.
            variables: Further settings by their names without ``RAPPORT_``, as ``TICK_MINUTES``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.tree = tree
        self.variables: dict[str, str] = {
            "RAPPORT_DATA_DIR": str(folder),
            "RAPPORT_STREAM": stream,
            "RAPPORT_SECRET_KEY": SECRET_KEY,
            "RAPPORT_LOG_LEVEL": "warning",
            "RAPPORT_PARTITIONS": str(PARTITIONS),
            "RAPPORT_ALLOW_PRIVATE_WEBHOOKS": "true",
            **({} if database is None else {"RAPPORT_DATABASE": database}),
            **{f"RAPPORT_{name}": text for name, text in variables.items()},
        }
        self.settings: Settings = load(self.variables)
        self.tenants: list[Tenant] = []
        self.processes: dict[str, Process] = {}
        self.db = Database(self.settings.database)
        migrate(self.db)
        self.stream = open_stream(self.settings)
        self.stream.create_topics()
        self._sealer = Sealer(load_secret_key(self.settings, self.db))
        self.registry = Registry(self.db, self._sealer)
        self._served: Any = None

    # The people in it.

    def tenant(self, name: str, tell: str | None = None) -> Tenant:
        """Make an organisation with a source and a key; ``tell``: one recipient a role there."""
        enrolment = Enrolment(self.db, self._sealer)
        organisation = enrolment.create_organisation(name).id
        source, secret = enrolment.create_source(organisation, "practice")
        rights = ["publish", "read", "act", "configure"]
        _, token = enrolment.create_key(organisation, rights, source=source)
        people = Recipients(self.db, self._sealer)
        for role in () if tell is None else TOLD_ROLES:
            people.add(organisation, role, role=role, url=f"{tell}/{role}")
        made = Tenant(name, organisation, source, secret, token)
        self.tenants.append(made)
        return made

    def client(self, tenant: Tenant, reference: str) -> str | None:
        """Return the opaque id of a client; None for one who was never registered."""
        found = self.registry.find(tenant.organisation, [(CLIENT, reference)])
        return found.get((CLIENT, reference))

    def accounts(self) -> Accounts:
        """Return its accounts, as they are now."""
        return Accounts(self.db, self._sealer, SystemClock())

    # Its processes.

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment for a process of the installation, with its source tree."""
        paths = [str(self.tree)] if self.tree == ROOT else [str(self.tree), str(ROOT)]
        return child_environment(
            {**self.variables, "PYTHONPATH": ":".join(paths), **changes}, ours_too=False
        )

    def start(self, name: str, *command: str, **changes: str) -> Process:
        """Start a command of ``rapport`` under a name; do not wait for anything.

        Args:
            name: Names the process and its log file; of a dead one it may be used again.
            command: As in ``serve``, ``ingest``.
            changes: Variables of the environment, by their whole names.
        """
        if name in self.processes and self.processes[name].alive:
            raise ValueError(f"{name} is running")
        ports = {"RAPPORT_PORT": str(free_port()), "RAPPORT_METRICS_PORT": str(free_port())}
        # What came back after a kill is looked for where it was, as behind a load balancer.
        if name in self.processes:
            ports["RAPPORT_PORT"] = str(self.processes[name].port)
        made = Process(
            name,
            [sys.executable, "-m", "services.cli", *command],
            self.environment(**{**ports, **changes}),
            self.folder / f"{name}.log",
        )
        self.processes[name] = made
        return made

    def up(self, name: str = "up") -> Process:
        """Start everything as one command."""
        return self.start(name, "up")

    def ingest(self, name: str = "ingest", *, workers: int = 1) -> Process:
        """Start ``serve ingest``."""
        return self.start(name, "serve", "ingest", "--workers", str(workers))

    def projections(self, name: str = "projections") -> Process:
        """Start ``serve projections``."""
        return self.start(name, "serve", "projections")

    def alerts(self, name: str = "alerts") -> Process:
        """Start ``serve alerts``: the watcher, the ticker and the deliverer."""
        return self.start(name, "serve", "alerts")

    def program(self, module: str, *arguments: str) -> Sequence[str]:
        """Return the command that runs a program of ``tests`` on the installation's tree."""
        return [sys.executable, "-m", module, *arguments]

    # What it says.

    def caught_up(self) -> bool:
        """Return whether every consumer has handled all that the stream holds now."""
        with self.db.read() as db:
            # The tables are made by the processes under test: they may lack what we would make.
            if not inspect(db).has_table(positions.name):
                return False
        return caught_up(self.stream, self.db)

    def pending(self) -> int:
        """Return how many rows of the ledger are still to be sent."""
        asked = select(func.count()).select_from(LEDGER).where(LEDGER.c.status == PENDING)
        with self.db.read() as db:
            return db.execute(asked).scalar_one()

    def settled(self) -> bool:
        """Return whether everything was handled, and everybody was told."""
        return self.caught_up() and self.pending() == 0 and self.caught_up()

    def wait_settled(self, within_s: float | None = None) -> None:
        """Wait until it is settled.

        Args:
            within_s: For so long at most; by default for as long as a busy machine may take.

        Raises:
            Loud: when a process ended meanwhile, or it takes longer.
        """
        running = [one for one in self.processes.values() if one.alive]
        if within_s is None:
            within_s = SETTLED_WITHIN_S if self.tree == ROOT else SETTLED_WITHOUT_S
        wait_until(self.settled, "everything is handled and told", within_s, running)

    def get(self, tenant: Tenant, path: str, **query: str) -> Any:
        """Return the JSON of a call of the API, asked with the tenant's key; None for 404.

        The reading side is built in this process, on the installation's database: it answers also
        where no process is left.
        """
        answer = self._reading(path).get(
            path, query_string=query, headers={"authorization": f"Bearer {tenant.token}"}
        )
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Loud(f"GET {path}: {answer.status_code}")
        return answer.get_json()

    def pages(self, tenant: Tenant, path: str, what: str, **query: str) -> list[dict[str, Any]]:
        """Return everything that a paged call lists."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(tenant, path, **query)
            found += page[what]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    def close(self) -> None:
        """End every process and release everything."""
        for process in self.processes.values():
            if process.alive:
                process.resume()
                process.kill()
        if self._served is not None:
            for parts, _ in self._served.values():
                parts.close()
        self.stream.close()
        self.db.close()

    def _reading(self, path: str) -> Any:
        if self._served is None:
            showing, telling = projections.build(self.settings), alerts.build(self.settings)
            self._served = {
                "showing": (showing, projections.application(showing).test_client()),
                "telling": (telling, alerts.application(telling).test_client()),
            }
        return self._served["telling" if path.startswith("/v1/alerts") else "showing"][1]
