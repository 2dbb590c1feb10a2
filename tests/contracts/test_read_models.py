"""The contract of the family of read models: every one of them, without being asked."""

from pathlib import Path

import pytest

from services.projections import read_models
from services.projections.read_model import ReadModel
from services.projections.read_models import FACTS, READ_MODELS
from shared.storage.positions import REBUILDABLE

FOLDER = Path(read_models.__file__).parent


def test_the_tuple_names_every_file() -> None:
    """A read model is one file and one line in the tuple: neither without the other."""
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {model.name for model in READ_MODELS} == files
    assert len(READ_MODELS) == len(files)
    assert READ_MODELS[0] is FACTS


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
def test_tables_carry_the_version(model: ReadModel) -> None:
    """A version owns its tables, so that the next can be built beside it."""
    assert model.tables
    for table in model.tables:
        assert table.name.endswith(f"_v{model.version}")
        assert table.metadata is REBUILDABLE
        assert callable(model.query)


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
def test_the_organisation_comes_first(model: ReadModel) -> None:
    """Every key and index begins with the organisation, but for what belongs to a partition."""
    for table in model.tables:
        keys = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
        firsts = {columns[0].name for columns in keys}
        assert firsts == ({"partition"} if table.name == "ticks_v1" else {"organisation"})


def test_no_two_share_a_table() -> None:
    """A table belongs to one read model."""
    names = [table.name for model in READ_MODELS for table in model.tables]
    assert len(names) == len(set(names))
