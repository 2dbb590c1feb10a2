"""Builders of accounts: organisations, sources and keys on a real database."""

from shared.clock import Clock
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.enrolment import Enrolment
from shared.storage.recipients import Recipients
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer

SECRET_KEY = bytes(range(32))
SEALER = Sealer(SECRET_KEY)


class Office:
    """The accounts of one database, as one process has them open."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        """Open them over a migrated database."""
        self.db = db
        self.accounts = Accounts(db, SEALER, clock)
        self.enrolment = Enrolment(db, SEALER, clock)
        self.recipients = Recipients(db, SEALER, clock)
        self.registry = Registry(db, SEALER, clock)

    def an_organisation(self, name: str = "North") -> str:
        """Make an organisation; return its id."""
        return self.enrolment.create_organisation(name).id

    def a_source(self, organisation: str, name: str = "ehr", **options: str | int) -> str:
        """Register a source; return its id."""
        return self.enrolment.create_source(organisation, name, **options)[0]  # type: ignore[arg-type]

    def a_token(self, organisation: str, *rights: str, **options: str | None) -> str:
        """Make a key with rights; return its token."""
        return self.enrolment.create_key(organisation, rights, **options)[1]  # type: ignore[arg-type]
