"""Logging: one line per outcome, with an ``action`` and ids, never narrative."""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

import orjson
import structlog

ALLOWED_FIELDS = frozenset(
    {
        "action", "attempt", "code", "consumer", "count", "duration_ms", "error", "event",
        "generation", "group", "key", "level", "method", "offset", "organisation", "outcome",
        "partition", "port", "read_model", "reason", "route", "sender", "service", "status",
        "step", "timestamp", "topic", "version", "where", "worker",
    }
)  # fmt: skip
"""Fields that a log line may have. Nothing that a sender wrote is among them (invariant 7)."""


def configure(level: str = "info") -> None:
    """Send JSON lines to stderr, dropping every field that is not on the allow-list."""
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format="%(message)s")
    # A migration that has nothing to do is not worth a line.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _to_stderr(level, remembered=True)


@contextmanager
def beside_data() -> Iterator[None]:
    """Send warnings to stderr until the end of the block: what a command prints is data."""
    before = structlog.get_config()
    _to_stderr("warning", remembered=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def logger(service: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a part of Rapport; call ``log.info(action, …ids…)`` on it."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(service=service)
    return bound


def _to_stderr(level: str, *, remembered: bool) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            structlog.processors.JSONRenderer(serializer=_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Bytes go past the encoder of texts: a line per request is written in one call.
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Unfailing())),
        cache_logger_on_first_use=remembered,
    )


def _line(fields: MutableMapping[str, Any], **_: Any) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


class _Unfailing:
    """Stderr, but for its failures: a worker must not die of a log on a disk that is full."""

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            sys.stderr.buffer.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.buffer.flush()


def _only_allowed(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = [name for name in line if name not in ALLOWED_FIELDS]
    for name in dropped:
        del line[name]
    line["action"] = line.pop("event", line.get("action", ""))
    return line
