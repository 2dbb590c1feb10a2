"""The contract of the family of read models: every one of them, without being asked."""

from pathlib import Path

import pytest

from services.projections import read_models
from services.projections.read_model import ReadModel
from services.projections.read_models import ReadModels, catalogue
from shared.storage.table_sets import FIRST

FOLDER = Path(read_models.__file__).parent
READ_MODELS: ReadModels = read_models.of(FIRST)


def test_the_tuple_names_every_file() -> None:
    """A read model is one file and one line in the tuple: neither without the other."""
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {model.name for model in READ_MODELS} == files
    assert len(READ_MODELS) == len(files)
    assert READ_MODELS[0] is READ_MODELS.facts


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
def test_tables_carry_the_version(model: ReadModel) -> None:
    """A version owns its tables, so that the next can be built beside it."""
    assert model.tables
    for table in model.tables:
        assert table.name.endswith(f"_v{model.version}")
        assert table.metadata is catalogue(FIRST).metadata
        assert callable(model.query)


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
def test_the_organisation_comes_first(model: ReadModel) -> None:
    """Every key and index begins with the organisation, but for what belongs to a partition."""
    for table in model.tables:
        keys = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
        firsts = {columns[0].name for columns in keys}
        assert firsts == ({"partition"} if table.name == "ticks_v1" else {"organisation"})


@pytest.mark.parametrize("which", range(len(READ_MODELS)), ids=ReadModels._fields)
def test_a_generation_owns_its_tables(which: int) -> None:
    """The same read model of another generation has the same tables under other names."""
    first, second = READ_MODELS[which], read_models.of(2)[which]
    names = [table.name for table in second.tables]
    assert names == [f"{table.name}_g2" for table in first.tables]
    indexes = [
        index.name for model in (first, second) for t in model.tables for index in t.indexes
    ]
    assert len(set(indexes)) == len(indexes)


def test_no_two_share_a_table() -> None:
    """A table belongs to one read model."""
    names = [table.name for model in READ_MODELS for table in model.tables]
    assert len(names) == len(set(names))
