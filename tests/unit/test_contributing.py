"""What CONTRIBUTING shows of an instrument is true: its file loads, and scores as it says."""

import doctest
import re
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.instrument import INSTRUMENTS, load

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the page's one code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    text: str = found
    return text


def test_the_worked_example_scores_as_it_says() -> None:
    """Every line of the example gives what stands below it."""
    example = doctest.DocTestParser().get_doctest(
        block("python"), {"text": block("toml")}, "CONTRIBUTING", "CONTRIBUTING.md", 0
    )
    assert len(example.examples) >= 6
    said: list[str] = []
    found = doctest.DocTestRunner().run(example, out=said.append)
    assert found.failed == 0, "".join(said)


def test_the_worked_example_is_of_no_real_instrument() -> None:
    """It is made up, so nothing of it may be in the library."""
    assert "calm-4" not in {key for key, _ in INSTRUMENTS}


def test_a_mistake_in_the_worked_example_would_be_named() -> None:
    """Every mistake is named at once, with where it stands, as the page promises."""
    bad = block("toml").replace("range = [0, 12]", "range = [0, 13]").replace("[2]", "[5]")
    with pytest.raises(ConfigurationError) as raised:
        load("calm-4.v1.toml", bad)
    assert list(raised.value.problems) == [
        "calm-4.v1.toml: items.reversed: there is no item 5",
        "calm-4.v1.toml: scales.total: range is not what its items allow, (0.0, 12.0)",
    ]
