"""Sealing: what was sealed opens under the same key and context, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.storage.sealing import SealBroken, Sealer, fingerprint

KEY, OTHER_KEY = bytes(range(32)), bytes(32)


@given(plain=st.binary(max_size=200), context=st.text(max_size=40))
def test_what_was_sealed_opens_again(plain: bytes, context: str) -> None:
    """Any bytes under any context come back as they were."""
    assert Sealer(KEY).open(Sealer(KEY).seal(plain, context), context) == plain


def test_the_same_is_never_sealed_alike() -> None:
    """Two seals of one value differ, so that equal values cannot be told from outside."""
    sealer = Sealer(KEY)
    assert sealer.seal(b"same", "c") != sealer.seal(b"same", "c")


def test_another_key_opens_nothing() -> None:
    """A value sealed under one key stays shut under another."""
    with pytest.raises(SealBroken):
        Sealer(OTHER_KEY).open(Sealer(KEY).seal(b"secret", "c"), "c")


def test_a_value_moved_to_another_row_stays_shut() -> None:
    """The context is authenticated: a sealed text copied elsewhere does not open there."""
    sealer = Sealer(KEY)
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"secret", "organisation a"), "organisation b")


@given(place=st.integers(0, 46), letter=st.sampled_from("ABab01+/=. é"))
def test_a_changed_value_opens_as_nothing_else(place: int, letter: str) -> None:
    """Whichever character is changed, nothing but the value itself ever comes out."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"secret", "c")
    changed = sealed[:place] + letter + sealed[place + 1 :]
    try:
        assert sealer.open(changed, "c") == b"secret"
    except SealBroken:
        assert changed != sealed


def test_a_fingerprint_tells_keys_apart_and_reveals_none() -> None:
    """Keys have different fingerprints, and none holds the key's own bytes."""
    assert fingerprint(KEY) != fingerprint(OTHER_KEY)
    assert KEY.hex()[:8] not in fingerprint(KEY)
