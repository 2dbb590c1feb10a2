"""Names that follow from what they name."""

import json
import uuid

from hypothesis import given
from hypothesis import strategies as st

from shared.ids import NAMESPACE, derived_id, event_id


@given(st.lists(st.text(), max_size=5))
def test_a_derived_id_is_the_standards(parts: list[str]) -> None:
    """Step by step it is the library's UUIDv5 of the parts as a JSON array."""
    name = json.dumps(parts, ensure_ascii=False)
    assert derived_id(*parts) == str(uuid.uuid5(NAMESPACE, name))


def test_an_event_id_never_changes() -> None:
    """Ids that were given out must stay: this one is written down."""
    assert event_id("org_1", "cl_1", "urn:source:ehr", "1") == (
        "1d611802-c377-5049-94ad-3828c07dcc43"
    )
    assert event_id("org_1", None, "s", "1") == event_id("org_1", "", "s", "1")
    assert event_id("org_1", "cl_1", "s", "1") != event_id("org_1", "cl_1", "s1", "")
