"""A small memory with two limits: how many, and for how long."""

import threading
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.clock import Clock

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

TTL_S = 60
"""Nothing read from the database is believed for longer (own, by design.md 4)."""


class Cache(Generic[_Key, _Value]):
    """Remembers at most ``limit`` values, each for at most a minute. Safe between threads."""

    def __init__(self, clock: Clock, limit: int) -> None:
        """Start empty."""
        self._clock = clock
        self._limit = limit
        self._ttl = timedelta(seconds=TTL_S)
        self._held: dict[_Key, tuple[datetime, _Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        """Return what is remembered, or None; a clock set back makes it forget."""
        found = self._held.get(key)
        if found is None:
            return None
        age = self._clock.now() - found[0]
        return found[1] if timedelta(0) <= age < self._ttl else None

    def put(self, key: _Key, value: _Value) -> None:
        """Remember a value; the one remembered longest makes room."""
        with self._lock:
            self._held.pop(key, None)
            while len(self._held) >= self._limit:
                del self._held[next(iter(self._held))]
            self._held[key] = (self._clock.now(), value)

    def __len__(self) -> int:
        """Return how many values are held, stale ones among them."""
        return len(self._held)
