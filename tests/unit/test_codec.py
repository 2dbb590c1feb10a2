"""Event ↔ record: the same back, nothing of the sender's in headers or key."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import EPOCH
from shared.envelope import Envelope, Event
from shared.errors import Unreadable
from shared.stream import codec
from shared.stream.ports import EVENTS, Outgoing, Record

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
times = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds.
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - the same.
    timezones=st.just(UTC),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
envelopes = st.builds(
    Envelope,
    organisation=st.just("org_1"),
    sender=st.just("src_1"),
    event=st.builds(
        Event,
        type=st.sampled_from(["record.retracted", "clinic.configured"]),
        source=texts,
        id=texts,
        time=times,
        subject=st.none() | st.just("cl_1"),
        data=st.dictionaries(texts, values, max_size=4),
        backfill=st.booleans(),
        version=st.integers(1, 9),
    ),
    content=st.just("c" * 32),
    recorded_at=times,
)


def as_record(sent: Outgoing, **changes: Any) -> Record:
    """Return the record that an engine makes of what was sent."""
    headers = tuple((k, v) for k, v in sent.headers if changes.get(k, v) is not None)
    value = changes.get("value", sent.value)
    return Record(sent.topic, 0, 0, sent.key, value, headers, EPOCH)


@given(envelopes)
def test_decoding_gives_back_what_was_encoded(envelope: Envelope) -> None:
    """Nothing is lost between an envelope and its record."""
    assert codec.decode(as_record(codec.encode(envelope, EVENTS))) == envelope


@given(envelopes)
def test_the_senders_words_stay_inside_the_value(envelope: Envelope) -> None:
    """Neither headers nor key depend on the sender's own source, and hold no id of theirs."""
    sent = codec.encode(envelope, EVENTS)
    names = dict(sent.headers)
    assert names["ce_id"].decode() == envelope.id
    assert names["ce_source"].decode() == "/organisations/org_1/sources/src_1"
    assert sent.key.decode() == f"org_1:{envelope.client or ''}"


@pytest.mark.parametrize("header", ["ce_specversion", "ce_type", "ce_time", "ce_organisation"])
def test_a_record_without_its_headers_is_unreadable(header: str) -> None:
    """A record that Rapport did not write says so instead of half working."""
    event = Event("session.held", "s", "1", EPOCH, "cl_1", {})
    sent = codec.encode(Envelope("org_1", "src_1", event, "c", EPOCH), EVENTS)
    with pytest.raises(Unreadable):
        codec.decode(as_record(sent, **{header: None}))


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_value_is_unreadable(value: bytes) -> None:
    """Damaged bytes are told apart from an event."""
    event = Event("session.held", "s", "1", EPOCH, "cl_1", {})
    sent = codec.encode(Envelope("org_1", "src_1", event, "c", EPOCH), EVENTS)
    with pytest.raises(Unreadable):
        codec.decode(as_record(sent, value=value))


@pytest.mark.parametrize(
    ("organisation", "client"),
    [("org_1", None), ("org_1", ""), ("", "cl_1"), ("o" * 65, "cl_1"), ("org_1", "a\0b")],
)
def test_what_names_nobody_is_unreadable(organisation: str, client: str | None) -> None:
    """A fact about a client who is not named, or by no opaque id, can be held for nobody."""
    event = Event("session.held", "s", "1", EPOCH, client, {})
    sent = codec.encode(Envelope(organisation, "src_1", event, "c", EPOCH), EVENTS)
    with pytest.raises(Unreadable):
        codec.decode(as_record(sent))
