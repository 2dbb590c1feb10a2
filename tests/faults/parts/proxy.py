"""A TCP proxy that stands between a service and what it depends on, and can turn nasty.

Limits: one target; IPv4 on this machine; a mood holds for all connections, the old and the new.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal

Mood = Literal["pass", "stall", "reset", "drip", "cut"]
"""``pass``: forwards. ``stall``: takes connections and bytes, and forwards nothing, until it
passes again. ``reset``: answers with RST, at once. ``drip``: one byte each 50 ms. ``cut``:
forwards the next ``CUT_AFTER`` bytes of the answer, then closes in the middle of it."""

DRIP_S: Final = 0.05
CUT_AFTER: Final = 20
LOOK_EVERY_S: Final = 0.05
CHUNK: Final = 65_536


class Proxy:
    """Listens on ``port`` and forwards to ``target``; close it at the end."""

    def __init__(self, target: int) -> None:
        """Listen already.

        Args:
            target: A port of this machine.
        """
        self.target = target
        self.mood: Mood = "pass"
        self.refused = 0
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.settimeout(LOOK_EVERY_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    @contextmanager
    def being(self, mood: Mood) -> Iterator[None]:
        """Be in a mood; afterwards pass again."""
        self.set(mood)
        try:
            yield
        finally:
            self.set("pass")

    def set(self, mood: Mood) -> None:
        """Change the mood; ``reset`` resets what is connected, too."""
        self.mood = mood
        if mood == "reset":
            self.reset_all()

    def reset_all(self) -> None:
        """Send RST on every connection there is; new ones are not touched."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()

    def close(self) -> None:
        """Close every connection and stop listening."""
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self.reset_all()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self.mood == "reset":
                _reset(caller)
                continue
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        self._wait_while_stalled()
        try:
            answering = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            self.refused += 1
            _reset(caller)
            return
        pair = _Pair(caller, answering)
        with self._lock:
            self._pairs.add(pair)
        there = threading.Thread(
            target=self._forward, args=(caller, answering, False), daemon=True
        )
        there.start()
        self._forward(answering, caller, True)
        there.join()
        with self._lock:
            self._pairs.discard(pair)
        pair.close()

    def _forward(self, source: socket.socket, sink: socket.socket, answer: bool) -> None:
        with suppress(OSError):
            source.settimeout(None)
            while data := source.recv(CHUNK):
                self._wait_while_stalled()
                if answer and self.mood == "cut":
                    sink.sendall(data[:CUT_AFTER])
                    break
                self._send(sink, data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _send(self, sink: socket.socket, data: bytes) -> None:
        while data and self.mood == "drip":
            sink.sendall(data[:1])
            data = data[1:]
            time.sleep(DRIP_S)
        sink.sendall(data)

    def _wait_while_stalled(self) -> None:
        while self.mood == "stall" and not self._closing.is_set():
            time.sleep(LOOK_EVERY_S)


class _Pair:
    def __init__(self, *ends: socket.socket) -> None:
        self._ends = ends

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)

    def close(self) -> None:
        for end in self._ends:
            end.close()


def _reset(end: socket.socket) -> None:
    """Close with RST: what was on its way is lost, as when a machine or its network goes."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Whoever waits in recv must wake, or its file descriptor would keep the socket open.
        end.shutdown(socket.SHUT_RD)
    end.close()
