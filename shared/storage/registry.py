"""The registry: a sender's reference ↔ the opaque id that stands for it on the stream.

The one write beside the stream. A reference is found by its HMAC under the organisation's own key;
the opaque id is random, so that nothing about the reference follows from it. The reference itself
is kept sealed, for callers with the right ``identify``. No consumer reads any of this.
"""

import hmac
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, select

from shared.clock import Clock, SystemClock
from shared.errors import DatabaseUnavailable
from shared.ids import CLIENT, opaque_id
from shared.metrics import REGISTRY_ERRORS, REGISTRY_SECONDS
from shared.storage import kept
from shared.storage.accounts import UnknownOrganisation
from shared.storage.cache import Cache
from shared.storage.engine import Database, insert_or_nothing
from shared.storage.sealing import Sealer

_BY_NAME: Final = select(
    kept.registry.c.register, kept.registry.c.hmac, kept.registry.c.opaque
).where(
    kept.registry.c.organisation == bindparam("organisation"),
    kept.registry.c.register.in_(bindparam("registers", expanding=True)),
    kept.registry.c.hmac.in_(bindparam("names", expanding=True)),
)
"""The register comes first in the key. Made once: making it took as long as running it."""

Wanted = tuple[str, str]
"""A register (``cl``, ``th``, ``pe``) and a reference as its sender wrote it."""

REMEMBERED: Final = 50_000
"""References that one process remembers, about 20 MB."""

BATCH: Final = 500
"""References in one statement, far below the limit of any database."""


class Registry:
    """Turns references into opaque ids; safe between threads and between processes."""

    def __init__(
        self,
        db: Database,
        sealer: Sealer,
        clock: Clock | None = None,
        *,
        make_id: Callable[[str], str] = opaque_id,
    ) -> None:
        """Read nothing yet.

        Args:
            db: Where the registry is.
            sealer: Seals the references.
            clock: Says for how long a reference is remembered.
            make_id: Register → a new random opaque id; a world that must happen again exactly as
                it did gives seeded ones.
        """
        self._db = db
        self._sealer = sealer
        self._make_id = make_id
        self._known: Cache[tuple[str, str, str], str] = Cache(clock or SystemClock(), REMEMBERED)
        self._keys: dict[str, bytes] = {}

    def opaque(self, organisation: str, wanted: Iterable[Wanted]) -> dict[Wanted, str]:
        """Return the opaque id of every reference, making those that are seen for the first time.

        A new one is committed before this returns, so nothing reaches the stream under an id that
        the registry could forget. Whoever asks first wins; everybody gets the same id.

        Raises:
            DatabaseUnavailable: when one is not remembered and the database does not answer.
        """
        began = time.perf_counter()
        try:
            found, missing = self._look_up(organisation, wanted)
            if missing:
                self._insert(organisation, missing)
                made, _ = self._look_up(organisation, missing)
                found |= made
        except DatabaseUnavailable:
            REGISTRY_ERRORS.inc()
            raise
        finally:
            REGISTRY_SECONDS.observe(time.perf_counter() - began)
        return found

    def find(self, organisation: str, wanted: Iterable[Wanted]) -> dict[Wanted, str]:
        """Return the opaque ids of those references that are known; make none.

        Raises:
            DatabaseUnavailable: when one is not remembered and the database does not answer.
        """
        with REGISTRY_ERRORS.count_exceptions(DatabaseUnavailable):
            return self._look_up(organisation, wanted)[0]

    def reveal(self, organisation: str, opaque_ids: Iterable[str]) -> dict[str, str]:
        """Return the references behind opaque ids; unknown ids, and others' ids, are left out.

        For callers with the right ``identify``; who asked is theirs to audit.
        """
        revealed = {}
        for batch in _batches(sorted(set(opaque_ids))):
            for row in self._rows(organisation, kept.registry.c.opaque.in_(batch)):
                context = _reference_context(organisation, row.register, row.opaque)
                revealed[row.opaque] = self._sealer.open(row.sealed, context).decode()
        return revealed

    def known(self, organisation: str, client: str) -> bool:
        """Return whether a client was ever sent to an organisation, by their opaque id.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        row = kept.registry
        which = (row.c.opaque == client) & (row.c.register == CLIENT)
        return bool(self._rows(organisation, which))

    def verify(self, organisation: str) -> int:
        """Open every reference of an organisation; return how many there are.

        Raises:
            SealBroken: when one does not open.
        """
        query = _query(organisation).execution_options(yield_per=BATCH)
        count = 0
        with self._db.read() as db, closing(db.execute(query)) as rows:
            for row in rows:
                context = _reference_context(organisation, row.register, row.opaque)
                self._sealer.open(row.sealed, context)
                count += 1
        return count

    def content_hash(self, organisation: str, canonical: bytes) -> str:
        """Return the keyed hash of an event's canonical content: 32 hexadecimal digits.

        Keyed, because content such as a severity of 0 to 4 could be guessed from a plain hash.
        """
        return self._hmac(organisation, b"content", canonical)[:32]

    def _look_up(
        self, organisation: str, wanted: Iterable[Wanted]
    ) -> tuple[dict[Wanted, str], list[Wanted]]:
        """Return the opaque ids that exist, and the references that have none."""
        found, unknown = {}, {}
        for register, text in dict.fromkeys(wanted):
            remembered = self._known.get((organisation, register, text))
            if remembered is None:
                unknown[self._name(organisation, (register, text))] = (register, text)
            else:
                found[register, text] = remembered
        for batch in _batches(sorted(unknown)):
            for row in self._named(organisation, batch):
                register, text = unknown.pop((row.register, row.hmac))
                self._known.put((organisation, register, text), row.opaque)
                found[register, text] = row.opaque
        return found, list(unknown.values())

    def _insert(self, organisation: str, missing: Sequence[Wanted]) -> None:
        rows = [self._new_row(organisation, one) for one in missing]
        # In one order everywhere: two processes that insert the same ones cannot deadlock.
        rows.sort(key=lambda row: (row["register"], row["hmac"]))
        with self._db.write() as db:
            db.execute(insert_or_nothing(db, kept.registry), rows)

    def _new_row(self, organisation: str, wanted: Wanted) -> Mapping[str, str]:
        register, name = self._name(organisation, wanted)
        opaque = self._make_id(register)
        sealed = self._sealer.seal(
            wanted[1].encode(), _reference_context(organisation, register, opaque)
        )
        return {
            "organisation": organisation,
            "register": register,
            "hmac": name,
            "opaque": opaque,
            "sealed": sealed,
        }

    def _named(
        self, organisation: str, names: Sequence[tuple[str, str]]
    ) -> Sequence[Row[str, str, str]]:
        wanted = {
            "organisation": organisation,
            "registers": sorted({register for register, _ in names}),
            "names": [name for _, name in names],
        }
        with self._db.ask() as db:
            return db.execute(_BY_NAME, wanted).all()

    def _rows(self, organisation: str, which: Any) -> Sequence[Row[Any]]:
        with self._db.ask() as db:
            return db.execute(_query(organisation).where(which)).all()

    def _name(self, organisation: str, wanted: Wanted) -> tuple[str, str]:
        register, text = wanted
        return register, self._hmac(
            organisation, b"reference\0" + register.encode(), text.encode()
        )

    def _hmac(self, organisation: str, use: bytes, message: bytes) -> str:
        key = self._keys.get(organisation) or self._load_key(organisation)
        return hmac.digest(key, use + b"\0" + message, "sha256").hex()

    def _load_key(self, organisation: str) -> bytes:
        """Return the organisation's key, which never changes and is remembered for good."""
        table = kept.organisations
        with self._db.read() as db:
            sealed = db.scalar(select(table.c.hmac_key).where(table.c.id == organisation))
        if sealed is None:
            raise UnknownOrganisation("there is no such organisation")
        key = self._sealer.open(sealed, organisation_context(organisation))
        self._keys[organisation] = key
        return key


def organisation_context(organisation: str) -> str:
    """Return the context that an organisation's HMAC key is sealed under."""
    return json.dumps(["organisation", organisation])


def _reference_context(organisation: str, register: str, opaque: str) -> str:
    return json.dumps(["reference", organisation, register, opaque])


def _query(organisation: str) -> Select[Any]:
    return select(kept.registry).where(kept.registry.c.organisation == organisation)


def _batches(names: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(names)
    while batch := list(islice(rest, BATCH)):
        yield batch
