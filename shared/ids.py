"""Names for things: random opaque ids, and ids that follow from what they name."""

import hashlib
import secrets
import uuid
from json.encoder import encode_basestring

NAMESPACE = uuid.UUID("6f0f5a0e-3b57-5d6e-9a3c-0d9a5a7f7c11")
"""The root of every UUIDv5 that Rapport derives. Never change it: ids would change with it."""

CLIENT, STAFF, PERSON = "cl", "th", "pe"
"""The three registers of references: clients; therapists and all other staff; respondents."""


def opaque_id(prefix: str) -> str:
    """Return a new random id such as ``cl_3f9c…``: 96 random bits, in lower-case hexadecimal."""
    return f"{prefix}_{secrets.token_hex(12)}"


def is_staff(opaque: str) -> bool:
    """Return whether an opaque id is a therapist's, or of other staff."""
    return opaque.startswith(f"{STAFF}_")


def derived_id(*parts: str) -> str:
    """Return the UUIDv5 that follows from ``parts``; different parts never share a name.

    The parts are joined as a JSON array, so that ``("a", "bc")`` and ``("ab", "c")`` differ. It
    is ``uuid.uuid5`` step by step: a fold names every fact, and the library's way costs thrice.
    """
    name = f"[{', '.join(map(encode_basestring, parts))}]"
    digest = hashlib.sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()
    number = bytearray(digest[:16])
    number[6] = number[6] & 0x0F | 0x50  # RFC 9562, section 5.5: version 5,
    number[8] = number[8] & 0x3F | 0x80  # and the variant.
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def event_id(organisation: str, client: str | None, source: str, sender_id: str) -> str:
    """Return the id of an event (``ce_id``, and ``id`` in the 202 answer).

    Args:
        organisation: The organisation that the credential belongs to.
        client: The opaque client id; None for an event that concerns many clients.
        source: The CloudEvents ``source`` as the sender wrote it.
        sender_id: The CloudEvents ``id`` as the sender wrote it.
    """
    return derived_id("event", organisation, client or "", source, sender_id)
