"""Rows of a table: columns become data by what the type's schema says they mean."""

from typing import Any

import pytest

from services.ingest.tables import read_row
from shared.errors import Fault


@pytest.mark.parametrize(
    ("row", "data"),
    [
        ({"type": "rating.given", "items.1": "3", "items.2": "", "scales.bond": "4.5"},
         {"items": {"1": 3}, "scales": {"bond": 4.5}}),
        ({"type": "session.held", "session": "12", "session_number": "12"},
         {"session": "12", "session_number": 12}),
        ({"type": "session.held", "co_therapists": "a; b"}, {"co_therapists": ["a", "b"]}),
        ({"type": "clinic.configured", "sends": "sessions"}, {"sends": ["sessions"]}),
        ({"type": "care.started", "measures.0.instrument": "phq-9", "measures.0.every_days": "14",
          "measures.1.instrument": "gad-7"},
         {"measures": [{"instrument": "phq-9", "every_days": 14}, {"instrument": "gad-7"}]}),
        ({"type": "plan.reviewed", "with_client": "TRUE", "adapted": "false"},
         {"with_client": True, "adapted": False}),
        ({"type": "rule.configured", "settings.ratio": "1.5", "settings.on": "true",
          "settings.word": "north", "settings.list": "a;b"},
         {"settings": {"ratio": 1.5, "on": True, "word": "north", "list": ["a", "b"]}}),
        ({"type": "record.corrected", "target.type": "rapport.session.held",
          "data.session": "7", "data.session_number": "7"},
         {"target": {"type": "rapport.session.held"},
          "data": {"session": "7", "session_number": 7}}),
        ({"type": "rating.given", "items.1": "often"}, {"items": {"1": "often"}}),
        ({"type": "rating.given", "note": "7", "items": "x", "items.1": "3"},
         {"note": "7", "items": {"1": 3}}),
        ({"type": "no.such", "x": "1"}, {"x": "1"}),
    ],
)  # fmt: skip
def test_a_cell_means_what_the_schema_says(row: dict[str, str], data: dict[str, Any]) -> None:
    """Numbers, booleans, lists and nesting come from the schema; what fits nothing stays text."""
    assert read_row(row).data == data


def test_own_columns_are_the_event_s_and_never_its_data() -> None:
    """A type needs no prefix, and an empty cell is as good as none."""
    draft = read_row(
        {"type": "care.ended", "time": " t ", "subject": "c", "id": "", "reason": "x"}
    )
    assert draft.attributes == {
        "specversion": "1.0",
        "type": "rapport.care.ended",
        "time": "t",
        "subject": "c",
    }
    assert draft.data == {"reason": "x"}


def test_a_fault_names_the_column() -> None:
    """Whoever mends a table looks for a column, not for a JSON pointer."""
    locate = read_row({"type": "rating.given"}).locate
    assert locate(Fault("/data/items/9", "", "")).pointer == "items.9"
    assert locate(Fault("/time", "", "")).pointer == "time"
    assert locate(Fault("/data", "", "")).pointer == ""
