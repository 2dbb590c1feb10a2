"""Making and changing accounts: what the command line does and nobody else.

Every secret is made here, returned once, and kept hashed (a key's) or sealed (those that must be
readable to sign and to verify).
"""

import base64
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from shared.clock import Clock, SystemClock, from_micros, to_micros
from shared.ids import opaque_id
from shared.storage import kept
from shared.storage.accounts import (
    CONFIDED,
    RIGHTS,
    VERIFICATIONS,
    Organisation,
    secret_hash,
    source_context,
)
from shared.storage.checks import check_one_of, check_ref, insert_new, refused
from shared.storage.engine import Database
from shared.storage.registry import organisation_context
from shared.storage.sealing import Sealer

SILENT_AFTER_HOURS: Final = 96
"""Own, not validated: four days, so that a long weekend is no silence."""

RETIRE_AFTER_HOURS: Final = 24
"""Own: for how long a rotated secret still verifies, while its sender changes over."""

SECRET_BYTES: Final = 32
WEBHOOK_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed: everything but its secret."""

    organisation: str
    id: str
    rights: tuple[str, ...]
    clinics: tuple[str, ...] | None
    person: str | None
    source: str | None
    created_at: datetime
    revoked_at: datetime | None
    role: str | None = None


class Enrolment:
    """Makes and changes accounts."""

    def __init__(self, db: Database, sealer: Sealer, clock: Clock | None = None) -> None:
        """Change nothing yet."""
        self._db = db
        self._sealer = sealer
        self._clock = clock or SystemClock()

    def create_organisation(self, name: str) -> Organisation:
        """Make an organisation with a random key for its references.

        Raises:
            Refused: when the name is empty, too long or taken.
        """
        if not 1 <= len(name.strip()) <= 200:
            raise refused("name", "needs 1 to 200 characters", "out_of_range")
        organisation = Organisation(opaque_id("org"), name.strip())
        key = secrets.token_bytes(SECRET_BYTES)
        with self._db.write() as db:
            insert_new(
                db,
                kept.organisations,
                id=organisation.id,
                name=organisation.name,
                hmac_key=self._sealer.seal(key, organisation_context(organisation.id)),
                created_at=to_micros(self._clock.now()),
            )
        return organisation

    def create_source(
        self,
        organisation: str,
        name: str,
        *,
        adapter: str = "cloudevents",
        verification: str = "standard-webhooks",
        clinic: str | None = None,
        silent_after_hours: int = SILENT_AFTER_HOURS,
    ) -> tuple[str, str]:
        """Register a sending system; return its id and its webhook secret, which is shown once.

        Raises:
            Refused: when the name is taken, or something is not what it must be.
        """
        check_ref("name", name)
        check_ref("clinic", clinic)
        check_one_of("verification", verification, VERIFICATIONS)
        if not 1 <= silent_after_hours <= 8_784:
            raise refused("silent_after_hours", "must be from 1 to 8784", "out_of_range")
        source = opaque_id("src")
        with self._db.write() as db:
            insert_new(
                db,
                kept.sources,
                organisation=organisation,
                id=source,
                name=name,
                adapter=adapter,
                verification=verification,
                clinic=clinic,
                silent_after_hours=silent_after_hours,
                created_at=to_micros(self._clock.now()),
            )
            secret = self._add_secret(db, organisation, source)
        return source, secret

    def rotate_source(
        self, organisation: str, source: str, *, keep_hours: int = RETIRE_AFTER_HOURS
    ) -> str:
        """Give a source a new secret; the old ones verify for ``keep_hours`` more.

        Args:
            organisation: Whose source.
            source: Its id.
            keep_hours: 0 to 720; 0 when a secret has leaked.
        """
        if not 0 <= keep_hours <= 720:
            raise refused("keep_hours", "must be from 0 to 720", "out_of_range")
        table = kept.source_secrets
        until = to_micros(self._clock.now() + timedelta(hours=keep_hours))
        with self._db.write() as db:
            db.execute(
                update(table)
                .where(table.c.organisation == organisation, table.c.source == source)
                .where(table.c.retires_at.is_(None) | (table.c.retires_at > until))
                .values(retires_at=until)
            )
            return self._add_secret(db, organisation, source)

    def create_key(
        self,
        organisation: str,
        rights: Collection[str],
        *,
        clinics: Collection[str] = (),
        person: str | None = None,
        source: str | None = None,
        role: str | None = None,
    ) -> tuple[str, str]:
        """Make a key; return its id and its token, which is shown once.

        Args:
            organisation: Whose key.
            rights: From ``RIGHTS``, at least one.
            clinics: The clinics that it is bound to; none: all.
            person: Opaque id (``th_…``) of the person it belongs to.
            source: Id of the source that its events come through.
            role: From ``CONFIDED``: what it is held as.

        Raises:
            Refused: when a right is unknown, or ``publish`` has no source.
        """
        if not rights:
            raise refused("right", "at least one is needed", "required", RIGHTS)
        for right in rights:
            check_one_of("right", right, RIGHTS)
        for clinic in clinics:
            check_ref("clinic", clinic)
        if role is not None:
            check_one_of("role", role, CONFIDED)
        if "publish" in rights and source is None:
            raise refused("source", "a key that publishes belongs to a source", "required")
        key_id, secret = opaque_id("rk"), secrets.token_urlsafe(SECRET_BYTES)
        with self._db.write() as db:
            insert_new(
                db,
                kept.keys,
                organisation=organisation,
                id=key_id,
                secret_hash=secret_hash(secret),
                rights=sorted(set(rights)),
                clinics=sorted(set(clinics)) or None,
                person=person,
                source=source,
                role=role,
                created_at=to_micros(self._clock.now()),
            )
        return key_id, f"{key_id}_{secret}"

    def keys(self, organisation: str) -> list[Key]:
        """Return the keys of an organisation, oldest first, revoked ones among them."""
        table = kept.keys
        query = select(table).where(table.c.organisation == organisation)
        with self._db.read() as db:
            rows = db.execute(query.order_by(table.c.created_at, table.c.id)).all()
        return [
            Key(
                organisation=row.organisation,
                id=row.id,
                rights=tuple(row.rights),
                clinics=None if row.clinics is None else tuple(row.clinics),
                person=row.person,
                source=row.source,
                role=row.role,
                created_at=from_micros(row.created_at),
                revoked_at=None if row.revoked_at is None else from_micros(row.revoked_at),
            )
            for row in rows
        ]

    def revoke_key(self, organisation: str, key: str) -> None:
        """Revoke a key: within a minute it opens nothing.

        Raises:
            Refused: when there is no such key that is not yet revoked.
        """
        table = kept.keys
        with self._db.write() as db:
            result = db.execute(
                update(table)
                .where(table.c.organisation == organisation, table.c.id == key)
                .where(table.c.revoked_at.is_(None))
                .values(revoked_at=to_micros(self._clock.now()))
            )
        if result.rowcount == 0:
            raise refused("key", "there is no such live key; see: rapport key list", "unknown")

    def _add_secret(self, db: Connection, organisation: str, source: str) -> str:
        raw = secrets.token_bytes(SECRET_BYTES)
        insert_new(
            db,
            kept.source_secrets,
            organisation=organisation,
            source=source,
            id=opaque_id("sec"),
            sealed=self._sealer.seal(raw, source_context(organisation, source)),
            created_at=to_micros(self._clock.now()),
        )
        return webhook_secret(raw)


def webhook_secret(raw: bytes) -> str:
    """Return a signing secret as Standard Webhooks libraries take it."""
    return WEBHOOK_PREFIX + base64.b64encode(raw).decode()
