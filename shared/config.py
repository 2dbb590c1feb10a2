"""The configuration: every ``RAPPORT_*`` environment variable, read here and nowhere else."""

import base64
import binascii
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from shared.errors import ConfigurationError

_Value = TypeVar("_Value")

KEY_BYTES = 32

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Named and read by prometheus-client too, when it is imported: set it before a process starts."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process is set up; see ``FIELDS`` for the variables and what they mean.

    Attributes:
        stream: ``embedded``, or ``kafka://host:port,host:port``.
        database: SQLAlchemy URL: ``sqlite:///…`` or ``postgresql+psycopg://…``.
        data_dir: Folder of the embedded engine, of SQLite and of the generated secret key.
        secret_key: 32 bytes that seal secrets and references; None: made once in ``data_dir``
            (embedded stream only).
        metrics_dir: Where processes that share a port keep their metrics; None: in memory.
    """

    stream: str
    database: str
    data_dir: Path
    secret_key: bytes | None
    host: str
    port: int
    metrics_port: int
    partitions: int
    replication: int
    publish_deadline_ms: int
    max_body_bytes: int
    tick_minutes: int
    log_level: Literal["debug", "info", "warning", "error"]
    allow_private_webhooks: bool
    metrics_dir: Path | None = None

    @property
    def needs_data_dir(self) -> bool:
        """Whether anything is kept in files here: the embedded engine, or SQLite."""
        return self.stream == "embedded" or self.database.startswith("sqlite")

    @property
    def stream_file(self) -> Path:
        """The embedded engine's own file."""
        return self.data_dir / "stream.db"


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: listing every problem at once.
    """
    source = os.environ if environment is None else environment  # noqa: TID251 - the one place.
    reader = _Reader(source)
    data_dir = Path(reader.text("DATA_DIR", "rapport-data"))
    stream = reader.parsed("STREAM", "embedded", _stream)
    settings = Settings(
        stream=stream,
        database=reader.parsed("DATABASE", f"sqlite:///{data_dir / 'rapport.db'}", _database),
        data_dir=data_dir,
        secret_key=reader.parsed("SECRET_KEY", "", _secret_key),
        host=reader.parsed("HOST", "127.0.0.1", _host),
        port=reader.number("PORT", 8080, 0, 65535),
        metrics_port=reader.number("METRICS_PORT", 9464, 0, 65535),
        partitions=reader.number("PARTITIONS", 12, 1, 1024),
        replication=reader.number("REPLICATION", 1, 1, 9),
        publish_deadline_ms=reader.number("PUBLISH_DEADLINE_MS", 10_000, 100, 600_000),
        max_body_bytes=reader.number("MAX_BODY_BYTES", 1_048_576, 1_024, 67_108_864),
        tick_minutes=reader.number("TICK_MINUTES", 15, 1, 1_440),
        log_level=reader.parsed("LOG_LEVEL", "info", _log_level),
        allow_private_webhooks=reader.parsed("ALLOW_PRIVATE_WEBHOOKS", "false", _boolean),
        metrics_dir=Path(source[METRICS_DIR]) if source.get(METRICS_DIR) else None,
    )
    if settings.secret_key is None and stream != "embedded":
        reader.problems.append(
            "RAPPORT_SECRET_KEY: needed with a Kafka stream, the same for every process;"
            " make one with: openssl rand -base64 32"
        )
    reader.refuse_unknown()
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self._known: set[str] = set()
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        self._known.add(f"RAPPORT_{name}")
        return self._source.get(f"RAPPORT_{name}", "").strip() or default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        def within(text: str) -> int:
            value = int(text) if text.lstrip("-").isdecimal() else low - 1
            if not low <= value <= high:
                raise ValueError(f"must be a whole number from {low} to {high}")
            return value

        return self.parsed(name, str(default), within)

    def parsed(self, name: str, default: str, parse: Callable[[str], _Value]) -> _Value:
        text = self.text(name, default)
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"RAPPORT_{name}: {error}")
            return parse(default)

    def refuse_unknown(self) -> None:
        for name in sorted(self._source):
            if name.startswith("RAPPORT_") and name not in self._known:
                known = ", ".join(sorted(self._known))
                self.problems.append(f"{name}: no such setting; the settings are {known}")


def _stream(text: str) -> str:
    if text == "embedded" or (text.startswith("kafka://") and len(text) > len("kafka://")):
        return text
    raise ValueError("must be 'embedded' or 'kafka://host:port[,host:port…]'")


def _database(text: str) -> str:
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must start with 'sqlite:///' or 'postgresql+psycopg://'")
    try:
        urlsplit(text).port  # noqa: B018 - raises where it cannot be read.
    except ValueError:
        # The message would repeat the address, and with it a password.
        raise ValueError("must be an address: postgresql+psycopg://user@host:port/name") from None
    return text


def _host(text: str) -> str:
    address = "127.0.0.1" if text == "localhost" else text
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1 or 0.0.0.0") from None


def _secret_key(text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("must be 32 bytes in base64; make one with: openssl rand -base64 32")
    return key


def _log_level(text: str) -> Literal["debug", "info", "warning", "error"]:
    match text.lower():
        case "debug" | "info" | "warning" | "error" as level:
            return level
        case _:
            raise ValueError("must be debug, info, warning or error")


def _boolean(text: str) -> bool:
    if text.lower() in {"true", "1", "yes"}:
        return True
    if text.lower() in {"false", "0", "no"}:
        return False
    raise ValueError("must be true or false")


def child_environment(changes: Mapping[str, str], *, ours_too: bool = True) -> dict[str, str]:
    """Return the environment for a process of ours: this one's, with ``changes``.

    Args:
        changes: What is set besides.
        ours_too: Whether it has this process's own settings of Rapport.
    """
    inherited = {
        name: text
        for name, text in os.environ.items()  # noqa: TID251 - the one place.
        if ours_too or not name.startswith("RAPPORT_")
    }
    return {**inherited, **changes}
