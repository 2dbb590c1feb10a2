"""Name the machine that figures were taken on, and nothing that tells whose it is."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg

from tests.support.kafka_broker import KAFKA_VERSION
from tests.support.postgres import PostgresServer

CPU_INFO = Path("/proc/cpuinfo")


def machine(postgres: PostgresServer) -> Mapping[str, str]:
    """Return what the machine is and runs."""
    memory_gb = psutil.virtual_memory().total / 2**30
    return {
        "CPU": f"{_cpu_model()}, {psutil.cpu_count()} cores",
        "memory": f"{memory_gb:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Kafka": f"{KAFKA_VERSION} on {_java()}, one broker",
        "confluent-kafka": importlib.metadata.version("confluent-kafka"),
        "kafka-python": importlib.metadata.version("kafka-python"),
        "granian": importlib.metadata.version("granian"),
        "PostgreSQL": _version(postgres),
    }


def _cpu_model() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _java() -> str:
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    return " ".join(said.stderr.splitlines()[0].replace('"', "").split()[:3])


def _version(postgres: PostgresServer) -> str:
    with postgres.database("bench_version") as url:
        address = url.replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(address) as db:
            number: int = db.info.server_version
    return f"{number // 10_000}.{number % 10_000}"
