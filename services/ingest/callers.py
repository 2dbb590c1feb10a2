"""Who sends: by a key with the right ``publish``, or by a source's signature."""

import re
from typing import Final

from flask import request

from services.ingest.admission import Authority
from services.ingest.ingest import Sender
from services.ingest.signatures import BadSignature, SignatureHeaders, SkewedClock, verify
from shared.clock import Clock
from shared.storage.accounts import Accounts, Source
from shared.web.auth import caller, check_right
from shared.web.errors import Problem

PUBLISH: Final = "publish"

SIGNED: Final = Authority(frozenset({PUBLISH}))
"""What a signature allows."""

_SOURCE_ID = re.compile(r"src_[0-9a-f]{24}", re.ASCII)
_CHALLENGE = {"WWW-Authenticate": 'StandardWebhooks realm="rapport"'}


def sender_by_key() -> tuple[Sender, Source]:
    """Return on whose behalf the present request speaks, as its key says.

    Raises:
        Problem: 401 without a live key, 403 where the key may not publish.
    """
    who = caller()
    check_right(who, PUBLISH)
    if who.source is None:
        raise Problem(403, "forbidden", "The key belongs to no source; make one that does.")
    authority = Authority(who.rights, who.clinics)
    return Sender(who.organisation, who.source.id, "api", authority), who.source


def sender_by_signature(
    accounts: Accounts, clock: Clock, source_id: str, body: bytes
) -> tuple[Sender, Source]:
    """Return the source that signed exactly these bytes.

    A source that does not exist, and a signature that is wrong in whatever way, get the same
    answer after the same work: nobody can find out which sources there are.

    Raises:
        Problem: 401.
    """
    source = accounts.source(source_id) if _SOURCE_ID.fullmatch(source_id) else None
    secrets = source.secrets if source else ()
    try:
        verify(_headers(), body, secrets, clock.now())
    except BadSignature:
        source = None
    except SkewedClock as skewed:
        raise Problem(401, "skewed_clock", f"{skewed}.", headers=_CHALLENGE) from None
    if source is None:
        detail = (
            "No live secret of this source signed these bytes. Sign webhook-id, webhook-timestamp"
            " and the raw body as Standard Webhooks says (HMAC-SHA256, v1)."
        )
        raise Problem(401, "bad_signature", detail, headers=_CHALLENGE)
    return Sender(source.organisation, source.id, "webhook", SIGNED), source


def _headers() -> SignatureHeaders:
    given = request.headers
    return SignatureHeaders(
        given.get("webhook-id"), given.get("webhook-timestamp"), given.get("webhook-signature")
    )
