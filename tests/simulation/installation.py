"""One installation in memory, made once and put back to its beginning for each seed."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from services.alerts.intake import RAPPORT
from services.alerts.orders import DELIVERY
from shared.clock import ManualClock, to_micros
from shared.envelope import Envelope, Event
from shared.storage import kept
from shared.storage.accounts import Accounts, recipient_context, source_context
from shared.storage.engine import Database
from shared.storage.migrate import migrate
from shared.storage.registry import organisation_context
from shared.storage.sealing import Sealer
from shared.stream.broadcast import copies
from shared.stream.embedded import EmbeddedStream
from tests.simulation.points import Points, WatchedDatabase, WatchedStream
from tests.simulation.scenario import BEGIN, CLINIC, ORGANISATIONS, QUIET, SPARED
from tests.support.rebuildable import prepare

PARTITIONS: Final = 2
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there.
SEALER: Final = Sealer(bytes(range(32)))
ROLES: Final = ("leadership", "supervisor", "governance")
FILES: Final = ("rapport.db", "stream.db")


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation's accounts; every id and secret follows from its name."""

    name: str

    @property
    def id(self) -> str:
        """Its opaque id."""
        return f"org_{self._digits}"

    @property
    def source(self) -> str:
        """The opaque id of its one source."""
        return f"src_{self._digits}"

    @property
    def secret(self) -> bytes:
        """What its source signs with."""
        return self.name.encode().ljust(32, b"s")

    @property
    def recipients(self) -> Mapping[str, str]:
        """Recipient id → role."""
        return {f"rcp_{self._digits[:-1]}{number}": role for number, role in enumerate(ROLES)}

    def url(self, role: str) -> str:
        """Return where a recipient is told."""
        return f"https://{role}.{self.name}.example/hook"

    def recipient_secret(self, role: str) -> bytes:
        """Return what messages to a recipient are signed with."""
        return f"{self.name} {role}".encode().ljust(32, b"r")

    @property
    def _digits(self) -> str:
        return self.name.encode().hex().ljust(24, "0")[:24]


ALL: Final = tuple(Organisation(name) for name in ORGANISATIONS)


class Installation:
    """A database, a stream and a clock, for one simulated world after another."""

    def __init__(self, folder: Path) -> None:
        """Make it, and remember its beginning."""
        self.folder = folder
        self.clock = ManualClock(BEGIN)
        self.points = Points()
        _prepare(folder, self.clock)
        self.database = WatchedDatabase(f"sqlite:///{folder / 'rapport.db'}", self.points)
        self.stream = WatchedStream(folder / "stream.db", PARTITIONS, self.clock, own_thread=False)
        self.stream.points = self.points
        self._close()
        self._beginning = {name: (folder / name).read_bytes() for name in FILES}

    def begin(self, silent_after_hours: int) -> None:
        """Put everything back to where it was when it was made."""
        self._close()
        for name, content in self._beginning.items():
            (self.folder / name).write_bytes(content)
        self.clock.set(BEGIN)
        with self.database.write() as db:
            db.execute(kept.sources.update().values(silent_after_hours=silent_after_hours))

    def accounts(self) -> Accounts:
        """Return the accounts as a process that just started has them: nothing remembered."""
        return Accounts(self.database, SEALER, self.clock)

    def close(self) -> None:
        """Release everything."""
        self._close()

    def _close(self) -> None:
        # The last connection to close writes the log into the file and removes it.
        self.database.close()
        self.stream.close()


@contextmanager
def an_installation() -> Iterator[Installation]:
    """Yield an installation in memory where there is such a folder, else on the disk."""
    where = IN_MEMORY if IN_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="rapport-simulation-", dir=where))
    installation = Installation(folder)
    try:
        yield installation
    finally:
        installation.close()
        shutil.rmtree(folder)


def _prepare(folder: Path, clock: ManualClock) -> None:
    database = Database(f"sqlite:///{folder / 'rapport.db'}")
    migrate(database)
    prepare(database)
    with database.write() as db:
        for organisation in ALL:
            _enrol(db, organisation)
    database.close()
    stream = EmbeddedStream(folder / "stream.db", PARTITIONS, clock)
    stream.create_topics()
    publisher = stream.publisher()
    for wish in (_spared(), _quiet()):
        publisher.publish(copies(wish, PARTITIONS), deadline_s=10)
    publisher.close()
    stream.close()


def _spared() -> Envelope:
    """Return the wish of one organisation for few notices a day."""
    return _wish(SPARED, daily_cap=1)


def _quiet() -> Envelope:
    """Return the wish of the other for a quiet start."""
    return _wish(QUIET, quiet_days=10)


def _wish(whose: str, **settings: int) -> Envelope:
    (one,) = [one for one in ALL if one.name == whose]
    at = BEGIN - timedelta(hours=2)
    data = {"rule": DELIVERY, "settings": settings}
    event = Event("rule.configured", "urn:rapport:setup", "wish", at, None, data)
    return Envelope(one.id, RAPPORT, event, "wish", BEGIN)


def _enrol(db: Connection, one: Organisation) -> None:
    """Write the accounts of an organisation as enrolment does, but under ids that are known."""
    at = to_micros(BEGIN)
    hmac_key = SEALER.seal(one.secret, organisation_context(one.id))
    db.execute(kept.organisations.insert().values(
        id=one.id, name=one.name, hmac_key=hmac_key, created_at=at))  # fmt: skip
    db.execute(kept.sources.insert().values(
        organisation=one.id, id=one.source, name="ehr", adapter="cloudevents",
        verification="standard-webhooks", clinic=None, silent_after_hours=96,
        created_at=at))  # fmt: skip
    db.execute(kept.source_secrets.insert().values(
        organisation=one.id, source=one.source, id=f"sec_{one.source}",
        sealed=SEALER.seal(one.secret, source_context(one.id, one.source)),
        created_at=at))  # fmt: skip
    for recipient, role in one.recipients.items():
        sealed = {
            what: SEALER.seal(value, recipient_context(one.id, recipient, what))
            for what, value in (
                ("url", one.url(role).encode()),
                ("secret", one.recipient_secret(role)),
            )
        }
        db.execute(kept.recipients.insert().values(
            organisation=one.id, id=recipient, name=role, role=role, clinics=[CLINIC],
            disabled=False, created_at=at, **sealed))  # fmt: skip
