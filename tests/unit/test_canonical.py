"""The one way to write a fact down: what equal content is, to the byte."""

from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.canonical import canonical_content

WHEN = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["a.0", "1e5", "2.0"])
VALUES = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def whole(value: Any) -> Any:
    """Return JSON with every float that is a whole number, and can be written so, as one."""
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**64:
        return int(value)
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_the_bytes_are_those_of_sorted_json_with_whole_numbers(data: dict[str, Any]) -> None:
    """However the data are written, their canonical form is the sorted JSON of what they mean."""
    content = {"type": "t", "subject": None, "time": "2026-05-03T12:00:00Z", "data": whole(data)}
    expected = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    assert canonical_content("t", None, WHEN, data) == expected


def test_a_number_beyond_all_integers_has_a_canonical_form() -> None:
    """A number too large for an integer of JSON is written as it came."""
    assert orjson.loads(canonical_content("t", "c", WHEN, {"n": 1e300}))["data"] == {"n": 1e300}
