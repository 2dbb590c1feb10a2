"""Who may do what: organisations, their sources, keys and recipients, as the services read them.

What stands here is on the way of every request, so it is remembered for up to a minute: a key
that was revoked, or a secret that retired, may live that much longer. Made and changed in
``enrolment.py``.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Column, Row, Select, bindparam, select

from shared.clock import Clock, SystemClock, from_micros, to_micros
from shared.errors import RapportError
from shared.storage import kept
from shared.storage.cache import Cache
from shared.storage.engine import Database
from shared.storage.sealing import Sealer

RIGHTS: Final = ("publish", "read", "act", "identify", "configure", "quality")
ROLES: Final = (
    "leadership", "supervisor", "governance", "safeguarding", "operations", "therapist",
)  # fmt: skip
CONFIDED: Final = ("governance", "safeguarding")
"""Roles that a key may be held as: they may know a protected reporter."""

VERIFICATIONS: Final = ("standard-webhooks",)

REMEMBERED: Final = 10_000
"""Keys, and sources, that one process remembers."""

_TOKEN = re.compile(r"(rk_[0-9a-f]{24})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant: everything else belongs to exactly one."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Source:
    """A registered sending system.

    Attributes:
        secrets: The live secrets, newest first: the raw bytes that signatures are made with.
        clinic: The clinic that it speaks for, where it is bound to one.
        silent_after_hours: Without a record for so long, it is called silent.
    """

    organisation: str
    id: str
    name: str
    adapter: str
    verification: str
    clinic: str | None
    silent_after_hours: int
    created_at: datetime
    secrets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, as the key says.

    Attributes:
        key: The key's id.
        clinics: The clinics that it is bound to; None: all of the organisation.
        person: Opaque id (``th_…``) of the member of staff it belongs to, if any.
        source: What its events come through; a key with the right ``publish`` always has one.
        role: What it is held as, from ``CONFIDED``; None: nothing in particular.
    """

    organisation: str
    key: str
    rights: frozenset[str]
    clinics: frozenset[str] | None = None
    person: str | None = None
    source: Source | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is told of alerts, at a webhook.

    Attributes:
        role: Whom an alert's ``tell`` names.
        clinics: The clinics it is told about; None: all.
        person: Opaque id (``th_…``) of the person who reads there, so that nobody is told of an
            alert that concerns them.
        alternate: Id of the recipient who is told instead.
        secret: What messages to it are signed with.
    """

    organisation: str
    id: str
    name: str
    role: str
    clinics: frozenset[str] | None
    person: str | None
    alternate: str | None
    disabled: bool
    url: str = field(repr=False)
    secret: bytes = field(repr=False)

    @property
    def host(self) -> str:
        """The host of the address, which may be shown; the rest may hold a token."""
        return urlsplit(self.url).hostname or ""


class UnknownOrganisation(RapportError):
    """There is no such organisation."""


class Accounts:
    """Reads the accounts; one for the life of a process, safe between threads."""

    def __init__(self, db: Database, sealer: Sealer, clock: Clock | None = None) -> None:
        """Read nothing yet."""
        self.db = db
        self._sealer = sealer
        self._clock = clock or SystemClock()
        self._keys: Cache[str, tuple[str, Caller]] = Cache(self._clock, REMEMBERED)
        self._sources: Cache[str, Source] = Cache(self._clock, REMEMBERED)

    def caller(self, token: str) -> Caller | None:
        """Return who a token ``rk_<id>_<secret>`` belongs to; None for any that is not live.

        Raises:
            DatabaseUnavailable: when the key is not remembered and the database does not answer.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        key_id, secret = parts.groups()
        known = self._keys.get(key_id) or self._load_key(key_id)
        if known is None or not hmac.compare_digest(known[0], secret_hash(secret)):
            return None
        return known[1]

    def source(self, source_id: str) -> Source | None:
        """Return the source of a globally unique id.

        Raises:
            DatabaseUnavailable: when it is not remembered and the database does not answer.
        """
        known = self._sources.get(source_id)
        if known is None:
            found = self._read_sources(kept.sources.c.id, source_id)
            known = found[0] if found else None
            if known is not None:
                self._sources.put(source_id, known)
        return known

    def sources(self, organisation: str) -> list[Source]:
        """Return the sources of an organisation by name, as they are now."""
        return self._read_sources(kept.sources.c.organisation, organisation)

    def recipients(self, organisation: str) -> list[Recipient]:
        """Return the recipients of an organisation by name, as they are now.

        Never remembered: a message must not go to an address that has been changed.
        """
        table = kept.recipients
        query = select(table).where(table.c.organisation == organisation).order_by(table.c.name)
        with self.db.read() as db:
            rows = db.execute(query).all()
        return [self._recipient(row) for row in rows]

    def organisations(self) -> list[Organisation]:
        """Return every organisation by name."""
        table = kept.organisations
        with self.db.read() as db:
            rows = db.execute(select(table.c.id, table.c.name).order_by(table.c.name)).all()
        return [Organisation(row.id, row.name) for row in rows]

    def organisation(self, name_or_id: str) -> Organisation:
        """Return one organisation.

        Raises:
            UnknownOrganisation: when there is none of that id or name.
        """
        for organisation in self.organisations():
            if name_or_id in (organisation.id, organisation.name):
                return organisation
        raise UnknownOrganisation("there is no such organisation; see: rapport org list")

    def _load_key(self, key_id: str) -> tuple[str, Caller] | None:
        table = kept.keys
        query = select(table).where(table.c.id == key_id, table.c.revoked_at.is_(None))
        with self.db.read() as db:
            row = db.execute(query).one_or_none()
        if row is None:
            return None
        caller = Caller(
            organisation=row.organisation,
            key=row.id,
            rights=frozenset(row.rights),
            clinics=_set(row.clinics),
            person=row.person,
            source=None if row.source is None else self.source(row.source),
            role=row.role,
        )
        self._keys.put(key_id, (row.secret_hash, caller))
        return row.secret_hash, caller

    def _read_sources(self, column: Column[str], value: str) -> list[Source]:
        sources, live_secrets = _sources_by(column)
        wanted = {"value": value, "now": to_micros(self._clock.now())}
        with self.db.read() as db:
            rows = db.execute(sources, wanted).all()
            secrets = db.execute(live_secrets, wanted).all()
        return [self._source(row, [s for s in secrets if s.source == row.id]) for row in rows]

    def _source(self, row: Row[Any], secrets: Iterable[Row[Any]]) -> Source:
        context = source_context(row.organisation, row.id)
        return Source(
            organisation=row.organisation,
            id=row.id,
            name=row.name,
            adapter=row.adapter,
            verification=row.verification,
            clinic=row.clinic,
            silent_after_hours=row.silent_after_hours,
            created_at=from_micros(row.created_at),
            secrets=tuple(self._sealer.open(secret.sealed, context) for secret in secrets),
        )

    def _recipient(self, row: Row[Any]) -> Recipient:
        return Recipient(
            organisation=row.organisation,
            id=row.id,
            name=row.name,
            role=row.role,
            clinics=_set(row.clinics),
            person=row.person,
            alternate=row.alternate,
            disabled=row.disabled,
            url=self._sealer.open(
                row.url, recipient_context(row.organisation, row.id, "url")
            ).decode(),
            secret=self._sealer.open(
                row.secret, recipient_context(row.organisation, row.id, "secret")
            ),
        )


# Asked again every minute for each source that sends; making a question costs more than asking it.
@cache
def _sources_by(column: Column[str]) -> tuple[Select[Any], Select[Any]]:
    """Return what asks for sources, and what asks for the secrets of theirs that are live."""
    table, held = kept.sources, kept.source_secrets
    which = column == bindparam("value")
    live = held.c.retires_at.is_(None) | (held.c.retires_at > bindparam("now"))
    return (
        select(table).where(which).order_by(table.c.name),
        select(held).join(table).where(which, live).order_by(held.c.created_at.desc(), held.c.id),
    )


def secret_hash(secret: str) -> str:
    """Return what is stored of a key's secret.

    A plain hash is enough, and fast: the secret has 256 random bits, nobody can guess it.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def source_context(organisation: str, source: str) -> str:
    """Return the context that a source's secrets are sealed under."""
    return json.dumps(["source", organisation, source])


def recipient_context(organisation: str, recipient: str, what: str) -> str:
    """Return the context that a recipient's address and secret are sealed under."""
    return json.dumps(["recipient", organisation, recipient, what])


def _set(words: list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)
