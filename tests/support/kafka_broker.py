"""A real Kafka broker for tests: KRaft, from Maven Central's jars, on free ports, no container.

The jars are fetched once into ``build/kafka`` of the checkout. A broker can be stopped, killed
with SIGKILL and started again on the same data; several make a cluster.
"""

import base64
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kafka.errors import KafkaError

from tests.support.kafka_admin import asking
from tests.support.missing import Missing

KAFKA_VERSION = "4.1.0"
LOG4J_VERSION = "2.25.1"
HEAP = "384m"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
FETCH_TIMEOUT_S = 300

CACHE = Path(__file__).parents[2] / "build" / "kafka"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>rapport</groupId><artifactId>test-broker</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{KAFKA_VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>{LOG4J_VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId>
<version>{LOG4J_VERSION}</version></dependency>
</dependencies></project>
"""

_LOGGING = """<Configuration><Appenders><Console name="out">
<PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="info"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


def jars() -> Path:
    """Return the folder of Kafka's jars, fetching them with Maven at first.

    Raises:
        Missing: when Java is missing, or Maven is missing or cannot fetch.
    """
    if shutil.which("java") is None:
        raise Missing("Java is missing; install it with: apt-get install openjdk-17-jre-headless")
    folder = CACHE / f"jars-{KAFKA_VERSION}"
    if not folder.is_dir():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise Missing("Maven is missing; install it with: apt-get install maven")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        pom = Path(name) / "pom.xml"
        pom.write_text(_POM)
        fresh = Path(name) / "jars"
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        try:
            subprocess.run(
                [*command, f"-DoutputDirectory={fresh}"],
                check=True,
                capture_output=True,
                timeout=FETCH_TIMEOUT_S,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise Missing(f"Maven cannot fetch Kafka {KAFKA_VERSION}: {error}") from error
        # Another run may have been quicker; a rename onto a full folder fails, and that is fine.
        with suppress(OSError):
            fresh.rename(folder)


def free_port() -> int:
    """Return a TCP port that nobody listens on now.

    By chance, below those that systems give to outgoing connections: one of them would be taken
    by somebody's connection before the server that it is meant for has started.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class KafkaBroker:
    """One broker, which is its own controller too.

    Attributes:
        folder: Keeps its settings, its data and its log file ``broker.log``.
        node: Its number in the cluster.
        listens: Per node of the cluster: port for records, port of the controller.
        cluster: The cluster's id.
    """

    folder: Path
    node: int
    listens: Mapping[int, tuple[int, int]]
    cluster: str
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def shared(self) -> dict[str, str]:
        """Settings of an installation on it, by the names of ``RAPPORT_…`` without the prefix.

        Tests that share it agree on the number of partitions, whichever makes the topics.
        """
        return {"STREAM": f"kafka://{self.address}", "PARTITIONS": "4"}

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.listens[self.node][0]}"

    def format(self) -> None:
        """Write settings and an empty log folder."""
        self.folder.mkdir(parents=True)
        (self.folder / "log4j2.xml").write_text(_LOGGING)
        lines = [f"{name}={value}" for name, value in self._settings().items()]
        (self.folder / "server.properties").write_text("\n".join(lines))
        command = self._java("kafka.tools.StorageTool", "format", "-t", self.cluster, "-c")
        subprocess.run(
            [*command, str(self.folder / "server.properties")],
            check=True,
            capture_output=True,
            timeout=START_TIMEOUT_S,
        )

    def start(self) -> None:
        """Start the process; ``wait`` says when it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self.folder / "server.properties")),
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Return once it answers with every broker of its cluster registered."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._registered() < len(self.listens):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer from Kafka; see {self.folder / 'broker.log'}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it in good order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold its process still: connections are made, and nothing is answered."""
        if self._process is None:
            raise RuntimeError("only a running broker can be frozen")
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again on its old data, and wait for it."""
        self.start()
        self.wait()

    def _registered(self) -> int:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"Kafka ended; see {self.folder / 'broker.log'}")
        host, _, port = self.address.partition(":")
        with (
            suppress(OSError, KafkaError),
            socket.create_connection((host, int(port)), timeout=1),
            asking(self.address, bootstrap_timeout_ms=2_000) as admin,
        ):
            return len(admin.describe_cluster()["brokers"])
        return 0

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}"
        path = f"{jars()}/*"
        return ["java", f"-Xmx{HEAP}", "-XX:+UseSerialGC", logging, "-cp", path, main, *arguments]

    def _settings(self) -> dict[str, str]:
        records, controller = self.listens[self.node]
        copies = str(min(3, len(self.listens)))
        voters = (f"{node}@127.0.0.1:{ports[1]}" for node, ports in self.listens.items())
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{records},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{records}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            # As brokers have it by default; that we never make use of it is tested.
            "auto.create.topics.enable": "true",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            # A killed broker may only come back once its old session has ended: 9 s by default.
            "broker.session.timeout.ms": "1500",
            "broker.heartbeat.interval.ms": "300",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.cleaner.enable": "false",
        }


def cluster_of(folder: Path, count: int = 1) -> Sequence[KafkaBroker]:
    """Start a cluster in ``folder`` and return its brokers once they all answer.

    Raises:
        Missing: when Java or Maven are missing.
    """
    jars()
    listens = {node: (free_port(), free_port()) for node in range(1, count + 1)}
    # One that began with a dash, as one in 64 would, is taken for an option.
    name = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    brokers = [KafkaBroker(folder / f"node-{node}", node, listens, name) for node in listens]
    for broker in brokers:
        broker.format()
        broker.start()
    for broker in brokers:
        broker.wait()
    return brokers
