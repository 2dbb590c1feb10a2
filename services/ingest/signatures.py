"""Verify Standard Webhooks signatures (symmetric, ``v1``) over the bytes as they came.

Own code, because the libraries decode the body first, raise all sorts of errors on hostile headers
and check one secret only. They are the oracles of its tests. Specification:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import re
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import RapportError

TOLERANCE_S: Final = 300
"""How far the sender's clock may be from ours, either way; the standard's own five minutes."""

MAX_SIGNATURES: Final = 16
"""Signatures looked at in one header (own): more than any sender rotates at once."""

VERSION: Final = "v1"

_ID = re.compile(r"[!-+\-/-~]{1,256}", re.ASCII)
"""Printable ASCII without a dot (it separates what is signed) and without a comma (a header that
came twice is joined with one)."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[A-Za-z0-9]{1,8},[A-Za-z0-9+/=_-]{1,512}", re.ASCII)

_NOBODYS_SECRET: Final = randomness.token_bytes(32)
"""Signs for sources that do not exist, so that they cost as much time as those that do."""


class BadSignature(RapportError):
    """Nobody who holds a live secret of this source signed these bytes, as far as we can tell."""


class SkewedClock(RapportError):
    """The signature is right, but the sender's clock is more than five minutes from ours."""


@dataclass(frozen=True, slots=True)
class SignatureHeaders:
    """The three headers of a signed request, as the server delivered them; None where absent."""

    id: str | None
    timestamp: str | None
    signature: str | None


def verify(
    headers: SignatureHeaders, body: bytes, secrets: Sequence[bytes], now: datetime
) -> None:
    """Return when one of the live secrets signed exactly these bytes within the tolerance.

    The clock is judged last: only somebody who holds a secret learns that it is off, and then the
    sentence is certainly true.

    Args:
        headers: As they came; nothing in them is trusted.
        body: The raw bytes, before anything reads them.
        secrets: Every live secret of the source; empty for a source that does not exist, which
            ends like a bad signature after the same work.
        now: The present.

    Raises:
        BadSignature: also for every malformed, missing, empty, doubled or non-ASCII header.
        SkewedClock: when the signature is right but its time is not.
    """
    signed_id, timestamp, given = _wellformed(headers)
    prefix = f"{signed_id}.{timestamp}.".encode("ascii")
    matched = False
    for secret in secrets or (_NOBODYS_SECRET,):
        expected = _sign(secret, prefix, body)
        for signature in given:
            # No early exit: how long this takes says nothing about what matched.
            matched |= hmac.compare_digest(expected, signature)
    if not matched:
        raise BadSignature
    skew_s = int(timestamp) - now.timestamp()
    if abs(skew_s) > TOLERANCE_S:
        raise SkewedClock(
            f"webhook-timestamp is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'}"
            f" this server's clock; at most {TOLERANCE_S} s are allowed. Set the sending clock,"
            " and sign anew for every attempt"
        )


def _wellformed(headers: SignatureHeaders) -> tuple[str, str, list[bytes]]:
    signed_id, timestamp = headers.id or "", headers.timestamp or ""
    tokens = (headers.signature or "").split(" ", MAX_SIGNATURES)
    if not (
        _ID.fullmatch(signed_id)
        and _TIMESTAMP.fullmatch(timestamp)
        and len(tokens) <= MAX_SIGNATURES
        and all(_SIGNATURE.fullmatch(token) for token in tokens)
    ):
        raise BadSignature
    versions = (token.partition(",") for token in tokens)
    # Other versions (the asymmetric v1a) may stand beside ours, and are not ours to judge.
    return signed_id, timestamp, [s.encode("ascii") for v, _, s in versions if v == VERSION]


def _sign(secret: bytes, prefix: bytes, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret, prefix + body, "sha256"))
