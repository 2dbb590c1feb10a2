"""What was ever shipped is still read, and reads as it did."""

import pytest

from shared.events import EVENT_TYPES, validate
from tests.support.golden_events import FOLDER, load, read, shipped

SAMPLES = shipped()


def test_every_version_ever_shipped_has_a_sample() -> None:
    """The corpus holds one sample of each version of each type, and nothing else.

    A missing one is added by ``python -m tests.support.golden_events``.
    """
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_reads_as_it_did(name: str) -> None:
    """A record of any version reads as the committed expectation, in the newest version."""
    sample = load(name)
    assert read(sample["record"]) == sample["reads"]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_sample_reads_as_is_valid_today(name: str) -> None:
    """After the chain of upcasters, data follow the newest schema of their type."""
    reads = load(name)["reads"]
    assert reads["version"] == EVENT_TYPES[reads["type"]].version
    assert validate(reads["type"], reads["data"]) == []


def test_corrections_say_which_version_their_data_follow_before_a_second_exists() -> None:
    """Every sender's type is at version 1, which is how a correction's data are read.

    A correction does not say which version of the target's schema its new data follow. Before the
    first type gets a second version, that has to be written into corrections, and ``upcast`` has
    to run the target's chain on them; then this test has done its work.
    """
    assert {EVENT_TYPES[name].version for name in EVENT_TYPES} == {1}
