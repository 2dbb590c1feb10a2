"""Sealing: what must be readable again, but by nobody who only has the database.

AES-256-GCM under the installation's secret key. The context (whose value it is, and what for) is
authenticated with it, so that a sealed text moved to another row does not open there.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from shared.config import KEY_BYTES, Settings
from shared.errors import ConfigurationError, RapportError
from shared.storage import kept
from shared.storage.engine import Database, insert_or_nothing

KEY_FILE = "secret.key"
"""In the data folder; made once for the embedded engine, readable by its owner alone."""

_FORM: Final = "1."
_NONCE_BYTES: Final = 12
_FINGERPRINT: Final = "secret_key_fingerprint"


class SealBroken(RapportError):
    """A sealed value does not open: the database was edited, or belongs to another key."""


class Sealer:
    """Seals and opens under one secret key."""

    def __init__(self, secret_key: bytes) -> None:
        """Take the installation's secret key.

        Args:
            secret_key: 32 bytes.
        """
        self._cipher = AESGCM(secret_key)

    def seal(self, plain: bytes, context: str) -> str:
        """Return ``plain`` sealed, as ASCII text; it opens under the same context alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain, context.encode())
        return _FORM + base64.b64encode(sealed).decode()

    def open(self, sealed: str, context: str) -> bytes:
        """Return what was sealed.

        Raises:
            SealBroken: when it was sealed under another key or context, or was changed.
        """
        try:
            raw = base64.b64decode(sealed.removeprefix(_FORM), validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealBroken("a sealed value does not open") from error


def load_secret_key(settings: Settings, db: Database) -> bytes:
    """Return the secret key, after making sure that this database was sealed with it.

    The key comes from ``RAPPORT_SECRET_KEY``; with the embedded engine, where that is not set,
    from a file in the data folder, which is made once. The database must be migrated.

    Raises:
        ConfigurationError: when the database was sealed with another key, or the file is gone.
        DatabaseUnavailable: when the database does not answer.
    """
    path = settings.data_dir / KEY_FILE
    expected = _kept_fingerprint(db)
    key = settings.secret_key or _from_file(path, may_make=expected is None)
    if expected is None:
        expected = _keep_fingerprint(db, fingerprint(key))
    if not hmac.compare_digest(expected, fingerprint(key)):
        where = "RAPPORT_SECRET_KEY" if settings.secret_key else str(path)
        raise ConfigurationError(
            [
                f"{where}: this database was sealed with another secret key; start with the key"
                " that it was made with (the backup of the database belongs with it)"
            ]
        )
    return key


def fingerprint(secret_key: bytes) -> str:
    """Return what tells two secret keys apart and reveals neither."""
    return hmac.digest(secret_key, b"rapport fingerprint", hashlib.sha256).hex()[:32]


def _from_file(path: Path, *, may_make: bool) -> bytes:
    if not path.exists():
        if not may_make:
            raise ConfigurationError(
                [
                    f"{path}: the secret key of this database is gone; put the file back from the"
                    " backup, or set RAPPORT_SECRET_KEY to its content"
                ]
            )
        _make(path)
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except (binascii.Error, UnicodeDecodeError):
        key = b""
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError([f"{path}: does not hold 32 bytes in base64"])
    return key


def _make(path: Path) -> None:
    """Write a new key, whole or not at all; of several processes that try, one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_durably(draft, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        path.hardlink_to(draft)
        _sync(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be made: {error.strerror}"]) from error
    finally:
        draft.unlink(missing_ok=True)


def _write_durably(path: Path, content: bytes) -> None:
    """Write a file that survives a power cut: a key lost is everything sealed lost."""
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _kept_fingerprint(db: Database) -> str | None:
    table = kept.installation
    with db.read() as connection:
        return connection.scalar(select(table.c.value).where(table.c.name == _FINGERPRINT))


def _keep_fingerprint(db: Database, value: str) -> str:
    """Keep the fingerprint unless another process did; return the one that stands."""
    table = kept.installation
    with db.write() as connection:
        connection.execute(
            insert_or_nothing(connection, table).values(name=_FINGERPRINT, value=value)
        )
        stands = connection.scalar(select(table.c.value).where(table.c.name == _FINGERPRINT))
    return stands or value
