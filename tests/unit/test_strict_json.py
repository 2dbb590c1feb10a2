"""Strict JSON: what two parsers could read differently is refused with 400, never 500."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.errors import Problem
from shared.web.strict import MAX_DEPTH, MAX_INTEGER, strict_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


def refusal(raw: bytes, limit: int | None = None) -> tuple[int, list[str]]:
    """Return the status and the codes by which a body is refused."""
    with pytest.raises(Problem) as caught:
        strict_json(raw, limit)
    return caught.value.status, [fault.code for fault in caught.value.errors]


def read_or_refused(raw: bytes) -> Any:
    """Return what a body says, or the code by which it is refused with 400."""
    try:
        return strict_json(raw)
    except Problem:
        status, codes = refusal(raw)
        assert status == 400
        return codes[0]


@given(VALUES, st.booleans())
def test_what_is_strict_comes_through_unchanged(value: Any, escaped: bool) -> None:
    """Any ordinary JSON means the same here as to the standard library."""
    assert strict_json(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=300))
def test_no_body_breaks_the_parser(raw: bytes) -> None:
    """Whatever bytes come, the answer is a value or a problem with status 400."""
    read_or_refused(raw)


@given(st.text('[]{}",:0123456789eE+-.\\ud8a ntrfNI', max_size=80))
def test_nearly_json_breaks_it_neither(text: str) -> None:
    """Neither do texts made of what JSON is made of."""
    assert json.dumps(read_or_refused(text.encode()), allow_nan=False)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"{} {}", "not_json"),
        (b'"\x01"', "not_json"),
        (b"\xff", "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"a": {"b": [{"c": 1, "\\u0063": 2}]}}', "duplicate_key"),
        (b"NaN", "not_finite"),
        (b'{"a": Infinity}', "not_finite"),
        (b"[-Infinity]", "not_finite"),
        (b"1e400", "not_finite"),
        (b"9007199254740993", "integer_too_large"),
        (b"[-9007199254740993]", "integer_too_large"),
        (b"1" * 1_000_000, "integer_too_large"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'{"\\udc00": 1}', "lone_surrogate"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b"[" * 1_000_000, "too_deep"),
        (b'{"a":' * 200_000, "too_deep"),
    ],
)
def test_each_trap_is_refused_by_its_name(raw: bytes, code: str) -> None:
    """Every ambiguity has a code of its own."""
    assert refusal(raw) == (400, [code])


def test_the_limits_themselves_are_allowed() -> None:
    """Nesting of 32, ±2⁵³ and a whole surrogate pair are taken."""
    assert strict_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert strict_json(b"[9007199254740992,-9007199254740992]") == [2**53, -(2**53)]
    assert strict_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_a_large_body_is_refused_unread() -> None:
    """Over the limit the answer is 413, even where the body is no JSON."""
    assert refusal(b"[" * 11, limit=10)[0] == 413
    assert strict_json(b"[1, 2, 3 ]", limit=10) == [1, 2, 3]


def test_nothing_sent_is_echoed() -> None:
    """A refusal names the place, never the content."""
    with pytest.raises(Problem) as caught:
        strict_json(b'{"Anna Karenina": oops}')
    assert b"Anna" not in caught.value.body()
    assert b"oops" not in caught.value.body()
