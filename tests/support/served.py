"""The ingest service as it is deployed: granian in a process of its own, met over TCP."""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from types import TracebackType

from shared.config import Settings
from tests.support.kafka_broker import free_port

UP_WITHIN_S = 60
ANSWER_WITHIN_S = 30


class Served:
    """A running ``python -m services.ingest``; stopped at the end of a ``with``."""

    def __init__(self, settings: Settings, *options: str, **variables: str) -> None:
        """Start it on the stream and database of ``settings``, and wait until it answers.

        Args:
            settings: Of the installation.
            options: Of the command, such as ``--workers``.
            variables: Further settings, by the names of ``RAPPORT_…`` without the prefix.
        """
        self.port = free_port()
        environment = {
            "RAPPORT_DATA_DIR": str(settings.data_dir),
            "RAPPORT_STREAM": settings.stream,
            "RAPPORT_DATABASE": settings.database,
            "RAPPORT_PORT": str(self.port),
            **{f"RAPPORT_{name}": text for name, text in variables.items()},
        }
        with tempfile.TemporaryFile() as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ingest", *options],
                env={**os.environ, **environment},  # noqa: TID251 - a child of the test.
                stdout=said,
                stderr=said,
            )
            deadline = time.monotonic() + UP_WITHIN_S
            while not self._answers():
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    said.seek(0)
                    last = said.read()[-2_000:].decode(errors="replace")
                    raise TimeoutError(f"the service did not come up; it said: {last}")
                time.sleep(0.05)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN_S)

    def post(
        self,
        path: str,
        body: bytes | Iterable[bytes],
        headers: Mapping[str, str] | Iterable[tuple[str, str | bytes]],
        *,
        chunked: bool = False,
    ) -> tuple[int, bytes]:
        """Send a request byte for byte as given, headers doubled or empty too.

        Returns:
            Status and body of the answer.
        """
        with closing(self.connect()) as connection:
            connection.putrequest("POST", path, skip_accept_encoding=True)
            pairs = headers.items() if isinstance(headers, Mapping) else headers
            for name, text in pairs:
                connection.putheader(name, text)
            if chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            else:
                assert isinstance(body, bytes)
                connection.putheader("Content-Length", str(len(body)))
            # A server that has answered already may close before it has read all of a body.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(body, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def terminate(self) -> None:
        """Ask it to stop, as an orchestrator does."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop it; return its exit code."""
        if self.process.poll() is None:
            self.terminate()
        return self.process.wait(ANSWER_WITHIN_S)

    def _answers(self) -> bool:
        with closing(self.connect()) as connection:
            try:
                connection.request("GET", "/livez")
                return connection.getresponse().status == 200
            except OSError:
                return False

    def __enter__(self) -> "Served":
        """Return the running service."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()
