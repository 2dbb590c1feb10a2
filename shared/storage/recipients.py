"""Making and removing recipients: who is told of alerts, and where.

They are read through ``Accounts.recipients``. Each has a signing secret of its own, made here,
returned once and kept sealed beside the address.
"""

import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from sqlalchemy import delete, select

from shared.clock import Clock, SystemClock, to_micros
from shared.ids import opaque_id
from shared.storage import kept
from shared.storage.accounts import ROLES, recipient_context
from shared.storage.checks import check_one_of, check_ref, insert_new, refused
from shared.storage.engine import Database
from shared.storage.enrolment import SECRET_BYTES, webhook_secret
from shared.storage.sealing import Sealer


class Recipients:
    """Makes and removes recipients."""

    def __init__(self, db: Database, sealer: Sealer, clock: Clock | None = None) -> None:
        """Change nothing yet."""
        self._db = db
        self._sealer = sealer
        self._clock = clock or SystemClock()

    def add(
        self,
        organisation: str,
        name: str,
        *,
        role: str,
        url: str,
        clinics: Collection[str] = (),
        person: str | None = None,
        alternate: str | None = None,
    ) -> tuple[str, str]:
        """Register who is told of alerts; return their id and signing secret, shown once.

        Args:
            organisation: Whose recipient.
            name: A ref, unique in the organisation.
            role: From ``ROLES``.
            url: ``https://…`` (``http://…`` where the deliverer is allowed private addresses).
            clinics: The clinics they are told about; none: all.
            person: Opaque id (``th_…``) of the person who reads there.
            alternate: Id of the recipient who is told where this one must not be.

        Raises:
            Refused: when the name is taken, or something is not what it must be.
        """
        check_ref("name", name)
        check_one_of("role", role, ROLES)
        for clinic in clinics:
            check_ref("clinic", clinic)
        _check_url(url)
        recipient, raw = opaque_id("rcp"), secrets.token_bytes(SECRET_BYTES)
        with self._db.write() as db:
            insert_new(
                db,
                kept.recipients,
                organisation=organisation,
                id=recipient,
                name=name,
                role=role,
                clinics=sorted(set(clinics)) or None,
                person=person,
                alternate=alternate,
                url=self._sealed(organisation, recipient, "url", url.encode()),
                secret=self._sealed(organisation, recipient, "secret", raw),
                disabled=False,
                created_at=to_micros(self._clock.now()),
            )
        return recipient, webhook_secret(raw)

    def _sealed(self, organisation: str, recipient: str, what: str, value: bytes) -> str:
        return self._sealer.seal(value, recipient_context(organisation, recipient, what))

    def remove(self, organisation: str, recipient: str) -> None:
        """Remove a recipient; what is still waiting for it is told to nobody.

        Raises:
            Refused: when there is none, or another recipient names it as its alternate.
        """
        table = kept.recipients
        mine = table.c.organisation == organisation
        with self._db.write() as db:
            if db.scalar(select(table.c.name).where(mine, table.c.alternate == recipient)):
                raise refused(
                    "recipient", "it is another recipient's alternate: remove that first", "in_use"
                )
            result = db.execute(delete(table).where(mine, table.c.id == recipient))
        if result.rowcount == 0:
            raise refused("recipient", "there is none; see: rapport recipient list", "unknown")


def _check_url(url: str) -> None:
    """Refuse what is no web address; where it may lead is judged at each delivery."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
        # A user name in an address is a password in every log; the deliverer blocks it.
        whole = whole and "@" not in parts.netloc
    except ValueError:
        whole = False
    if not whole or len(url) > 2_000 or not url.isascii() or any(c.isspace() for c in url):
        raise refused(
            "url", "must be an address such as https://example.org/hook", "not_an_address"
        )
