"""A record's headers as bytes, where a table keeps a record as it was found."""

import orjson


def pack_headers(headers: tuple[tuple[str, bytes], ...]) -> bytes:
    """Return headers as one JSON array; Latin-1 keeps every byte of their values."""
    return orjson.dumps([(name, value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that ``pack_headers`` packed."""
    return tuple((name, value.encode("latin-1")) for name, value in orjson.loads(packed))
