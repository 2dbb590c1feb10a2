"""Run the real workers, or ingest, in forked processes that die or stop at their n-th call.

A call is a statement or a commit sent to a database (the embedded stream is one), or a request to
a webhook. An order is one JSON object on a line of stdin; the answer is one line on stdout.
Forking saves the second that Python takes to import everything.
"""

import json
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Engine, event
from werkzeug.serving import make_server

from services.cli import serve
from services.cli.catching_up import ALERTS, TIMELINES, behind
from services.cli.process import Worker
from services.ingest import bootstrap as ingest
from shared import logs
from shared.clock import ManualClock
from shared.config import Settings, load
from shared.storage.engine import Database
from shared.stream.engines import open_stream
from shared.stream.ports import Stream

REST_WITHIN_S: Final = 180.0
PUBLISH_WITHIN_S: Final = 30.0
IDLE_S: Final = 0.02
ALL: Final = "all"
REQUEST: Final = "http.client.send"
LOCKING: Final = "BEGIN IMMEDIATE"
MOVING: Final = "UPDATE positions"

Order = Mapping[str, Any]


class Fuse:
    """Counts calls while it is lit, and sends its own process a signal before the n-th."""

    def __init__(self, order: Order) -> None:
        """Listen to every database of this process, and to every request that it makes.

        Args:
            order: ``at``: before which call to send the ``signal``; or ``edge``: right after
                which commit or request; or ``moved``: right after which commit that moved a
                position; or ``fence``: before which saving of a batch, when its records are in
                memory and nothing is locked.
        """
        self.count = 0
        self.edges: list[int] = []
        self.lit = False
        self.fired = False
        self._at = order.get("at")
        self._edge = order.get("edge")
        self._move = order.get("moved")
        self._moves = 0
        self._moving = False
        self._fence = order.get("fence")
        self._signal = order.get("signal", signal.SIGKILL)
        self._fences = 0
        self._last = ""
        event.listen(Engine, "before_cursor_execute", self._asked)
        event.listen(Engine, "commit", self._shown)
        sys.addaudithook(lambda name, _: self._shown() if name == REQUEST else None)

    def _called(self, *_: object) -> None:
        if self.lit:
            self.count += 1
            passed = self._edge and len(self.edges) >= self._edge
            moved = self._move and self._moves >= self._move
            if self.count == self._at or passed or moved:
                self._fire()

    def _asked(self, db: Connection, _: object, statement: str, *__: object) -> None:
        """Count a statement; see whether it begins to save a batch."""
        self._called()
        if db.dialect.name == "sqlite":
            # It locks when the transaction begins, PostgreSQL only with its first change.
            begins = statement == LOCKING and "FROM records" in self._last
        else:
            begins = statement.startswith(MOVING) and not self._last.startswith(MOVING)
        if self.lit and begins:
            self._fences += 1
            if self._fences == self._fence:
                self._fire()
        self._last = statement
        self._moving = self._moving or statement.startswith(MOVING)

    def _fire(self) -> None:
        self.fired = True
        os.kill(os.getpid(), self._signal)

    def _shown(self, *_: object) -> None:
        self._called()
        if self.lit:
            self.edges.append(self.count + 1)
            self._moves += self._moving
            self._moving = False


def main() -> None:
    """Obey orders until stdin ends."""
    for line in sys.stdin:
        order = json.loads(line)
        if "signal_to" in order:
            # One that died already stays a zombie until it is waited for.
            os.kill(order["signal_to"], order["number"])
            _say(_waited(order["signal_to"]))
            continue
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _obey(order)
        _say({"pid": pid} if order.get("background") else _waited(pid))


def _waited(pid: int) -> dict[str, Any]:
    """Return how a child ended, or that it stopped."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"pid": pid, "stopped": True}
    return {"pid": pid, "code": os.waitstatus_to_exitcode(status)}


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _obey(order: Order) -> NoReturn:
    code = 1
    try:
        logs.configure("error")
        fuse = Fuse(order)
        settings = load(order["environment"])
        if order["what"] == "ingest":
            _take(settings, fuse, order["port"])
        else:
            _work(settings, fuse, order)
        if "report" in order:
            Path(order["report"]).write_text(
                json.dumps({"calls": fuse.count, "edges": fuse.edges})
            )
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _take(settings: Settings, fuse: Fuse, port: int) -> None:
    """Serve ingest over HTTP until SIGTERM."""
    with closing(ingest.build(settings)) as parts:
        server = make_server("127.0.0.1", port, ingest.application(parts), threaded=True)
        fuse.lit = True
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with suppress(SystemExit):
            server.serve_forever(poll_interval=0.02)
        fuse.lit = False


def _work(settings: Settings, fuse: Fuse, order: Order) -> None:
    """Feed the stream chunk by chunk, and let the workers rest after each."""
    clock = ManualClock(datetime.fromisoformat(order["start"]))
    stream, database = open_stream(settings), Database(settings.database)
    workers = dict(serve.workers(settings, clock))
    for name in set(workers) - set(order.get("only", workers)):
        workers.pop(name).close()
    fed = Path(order["fed"])
    chunks = pickle.loads(Path(order["feed"]).read_bytes())  # noqa: S301 - written by the parent.
    for number, (moment, records) in enumerate(chunks):
        clock.set(moment)
        if number >= int(fed.read_text() or 0):
            with closing(stream.publisher()) as publisher:
                publisher.publish(records, PUBLISH_WITHIN_S)
            fed.write_text(str(number + 1))
        _rest(workers, clock, stream, database, fuse, order["what"])
        if fuse.fired:
            break
    for worker in workers.values():
        worker.close()
    stream.close()
    database.close()


def _rest(
    workers: Mapping[str, Worker],
    clock: ManualClock,
    stream: Stream,
    database: Database,
    fuse: Fuse,
    lit: str,
) -> None:
    """Step every worker until there is nothing left to do."""
    deadline = time.monotonic() + REST_WITHIN_S
    consumers = {"projections": TIMELINES, "alerts": ALERTS}
    busy = True
    # Whoever was stopped finishes the step in which it was, and leaves.
    while not fuse.fired and (busy or behind(stream, database, *consumers.values())):
        busy = False
        for name, worker in workers.items():
            # An idle consumer would wait a tenth of a second for more.
            if name in consumers and not behind(stream, database, consumers[name]):
                continue
            fuse.lit = lit in (name, ALL)
            busy = worker.step(clock.now()) or busy
            fuse.lit = False
        if time.monotonic() > deadline:
            raise TimeoutError(f"no rest within {REST_WITHIN_S:g} s")


if __name__ == "__main__":
    main()
