"""Standard Webhooks, verified over bytes: foreign libraries sign, hostile headers get nowhere."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.signatures import (
    MAX_SIGNATURES,
    TOLERANCE_S,
    BadSignature,
    SignatureHeaders,
    SkewedClock,
    verify,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECRET = bytes(range(32))
OTHER = bytes(reversed(range(32)))
BODY = '{"name": "Zoë"}'.encode()
STAMP = str(int(NOW.timestamp()))


def sign(secret: bytes = SECRET, *, id: str = "msg_1", stamp: str = STAMP) -> str:
    """Return one signature as the specification writes it."""
    digest = hmac.digest(secret, f"{id}.{stamp}.".encode() + BODY, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(
    signature: str | None, *, id: str | None = "msg_1", stamp: str | None = STAMP
) -> SignatureHeaders:
    """Return headers that are right but for what is given."""
    return SignatureHeaders(id, stamp, signature)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_what_a_foreign_library_signs_is_verified(library: type) -> None:
    """The libraries that senders use sign what this verifies, non-ASCII bodies too."""
    signer = library("whsec_" + base64.b64encode(SECRET).decode())
    signature = signer.sign("msg_1", NOW, BODY.decode())
    verify(headers(signature), BODY, [SECRET], NOW)


def test_any_live_secret_verifies_and_no_other() -> None:
    """While secrets are rotated, either of the live ones will do; a retired one will not."""
    verify(headers(sign(SECRET)), BODY, [OTHER, SECRET], NOW)
    verify(headers(sign(OTHER)), BODY, [OTHER, SECRET], NOW)
    with pytest.raises(BadSignature):
        verify(headers(sign(OTHER)), BODY, [SECRET], NOW)


def test_one_right_signature_among_others_is_enough() -> None:
    """A sender that rotates signs with both secrets, perhaps asymmetrically beside."""
    both = f"v1a,{base64.b64encode(b'x' * 64).decode()} {sign(OTHER)} {sign(SECRET)}"
    verify(headers(both), BODY, [SECRET], NOW)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param((headers(sign()), BODY + b" "), id="one byte more"),
        pytest.param((headers(sign()), BODY.replace(b": ", b":")), id="the same JSON, rewritten"),
        pytest.param((headers(sign(), id="msg_2"), BODY), id="another id"),
        pytest.param((headers(sign(), stamp=str(int(STAMP) + 1)), BODY), id="another time"),
    ],
)
def test_what_is_signed_is_exactly_these_bytes(changed: tuple[SignatureHeaders, bytes]) -> None:
    """Id, time and raw body are signed together; a change in any of them is seen."""
    with pytest.raises(BadSignature):
        verify(*changed, [SECRET], NOW)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(headers(None), id="no signature"),
        pytest.param(headers(sign(), id=None), id="no id"),
        pytest.param(headers(sign(), stamp=None), id="no time"),
        pytest.param(headers(""), id="empty signature"),
        pytest.param(headers(sign(id=""), id=""), id="empty id"),
        pytest.param(headers(sign(stamp=""), stamp=""), id="empty time"),
        pytest.param(headers(sign(id="a.b"), id="a.b"), id="id with a dot"),
        pytest.param(headers(sign(id="a,b"), id="a,b"), id="doubled id"),
        pytest.param(headers(sign(stamp=f"{STAMP},{STAMP}"), stamp=f"{STAMP},{STAMP}"),
                     id="doubled time"),
        pytest.param(headers(f"{sign()},{sign()}"), id="doubled signature"),
        pytest.param(headers(sign(id="é"), id="é"), id="non-ASCII id"),
        pytest.param(headers(sign(stamp="١٢٣"), stamp="١٢٣"), id="non-ASCII digits"),
        pytest.param(headers("v1,é"), id="non-ASCII signature"),
        pytest.param(headers(sign(stamp="1e9"), stamp="1e9"), id="time as a float"),
        pytest.param(headers(sign(stamp="-1"), stamp="-1"), id="negative time"),
        pytest.param(headers(sign(stamp="9" * 400), stamp="9" * 400), id="huge time"),
        pytest.param(headers(sign(stamp="nan"), stamp="nan"), id="not a number"),
        pytest.param(headers("v1"), id="no comma"),
        pytest.param(headers("v1,"), id="nothing after the comma"),
        pytest.param(headers("v1,%%%"), id="not base64"),
        pytest.param(headers(sign().replace("v1,", "v2,")), id="another version only"),
        pytest.param(headers(" ".join(["v1,AAAA"] * 999 + [sign()])), id="a thousand"),
        pytest.param(headers("v1," + "A" * 100_000), id="a huge signature"),
    ],
)  # fmt: skip
def test_a_malformed_header_is_a_bad_signature(hostile: SignatureHeaders) -> None:
    """Whatever stands in the headers, the answer is the one refusal, never another error."""
    with pytest.raises(BadSignature):
        verify(hostile, BODY, [SECRET], NOW)


@given(st.text() | st.none(), st.text() | st.none(), st.text() | st.none(), st.binary())
def test_no_headers_raise_anything_else(
    id: str | None, stamp: str | None, signature: str | None, body: bytes
) -> None:
    """Arbitrary text in every header never gets through, and never breaks anything."""
    with pytest.raises(BadSignature):
        verify(SignatureHeaders(id, stamp, signature), body, [SECRET], NOW)


def test_a_source_without_a_secret_verifies_nothing() -> None:
    """Neither a source that does not exist nor one whose secrets have all retired opens."""
    with pytest.raises(BadSignature):
        verify(headers(sign(b"")), BODY, [], NOW)


@pytest.mark.parametrize("sense", [-1, 1])
def test_the_clock_may_be_five_minutes_off_and_no_more(sense: int) -> None:
    """At the tolerance a signature is taken; a second beyond, the sender learns by how much."""
    at_limit = NOW + timedelta(seconds=sense * TOLERANCE_S)
    verify(headers(sign()), BODY, [SECRET], at_limit)
    with pytest.raises(SkewedClock, match="301 s"):
        verify(headers(sign()), BODY, [SECRET], at_limit + timedelta(seconds=sense))


def test_only_who_holds_a_secret_learns_of_a_skewed_clock() -> None:
    """A wrong signature with an old time is a wrong signature: the clock is judged last."""
    with pytest.raises(BadSignature):
        verify(headers(sign(OTHER)), BODY, [SECRET], NOW + timedelta(days=1))


def test_as_many_signatures_as_the_limit_are_looked_at() -> None:
    """The limit cuts no honest sender off."""
    many = " ".join(["v1,AAAA"] * (MAX_SIGNATURES - 1) + [sign()])
    verify(headers(many), BODY, [SECRET], NOW)
    with pytest.raises(BadSignature):
        verify(headers(f"v1,AAAA {many}"), BODY, [SECRET], NOW)
