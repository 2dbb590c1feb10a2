"""What every adapter promises, whichever system's words it reads."""

import inspect
import pkgutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import adapters
from services.ingest.adapter import Adapter, Draft, Ignored, Origin, Reading
from services.ingest.adapters import ADAPTERS
from services.ingest.admission import Admitted, Authority, Refusal, admit
from shared.errors import Fault
from tests.support.front_door import NOW

ORIGIN = Origin("ehr", "north")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


def test_every_file_of_the_family_is_in_the_visible_tuple() -> None:
    """An adapter is one file and one line; neither is forgotten."""
    files = {module.name for module in pkgutil.iter_modules(adapters.__path__)}
    assert {type(adapter).__module__.rpartition(".")[2] for adapter in ADAPTERS} == files


def test_no_two_adapters_share_a_name() -> None:
    """A source names its adapter, and gets that one."""
    assert len({adapter.name for adapter in ADAPTERS}) == len(ADAPTERS)


@every_adapter
def test_an_adapter_says_whose_words_it_reads(adapter: Adapter) -> None:
    """The name is a word of the command line, and the docstring a sentence."""
    assert adapter.name == adapter.name.lower().strip()
    assert inspect.getdoc(type(adapter))


@every_adapter
@given(body=JSON)
def test_no_body_breaks_an_adapter(adapter: Adapter, body: Any) -> None:
    """Whatever JSON comes, the answer is a reading, every time the same, that can be judged."""
    reading = adapter.read(body, ORIGIN)
    assert isinstance(reading, Reading)
    again = adapter.read(body, ORIGIN)
    assert [_told(draft) for draft in reading.drafts] == [_told(draft) for draft in again.drafts]
    for draft in reading.drafts:
        verdict = admit(draft, Authority(frozenset({"publish"})), NOW)
        assert isinstance(verdict, Admitted | Refusal)


@every_adapter
@given(body=JSON)
def test_every_place_that_an_adapter_names_is_in_the_body(adapter: Adapter, body: Any) -> None:
    """A sender finds what was ignored, and what was not an event, where the pointer says."""
    reading = adapter.read(body, ORIGIN)
    found: list[Ignored | Fault] = [*reading.ignored, *reading.faults]
    for one in found:
        _resolve(body, one.pointer)


def _told(draft: Draft) -> tuple[Any, Any, str]:
    return draft.attributes, draft.data, draft.pointer


def _resolve(body: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        body = body[int(name)] if isinstance(body, list) else body[name]
    return body
