"""Scores that somebody else's software gave, of answer sheets drawn at random; figures alone.

CamCOPS 2.4.24 (Cardinal, University of Cambridge; GPL-3.0-or-later): its own functions
``total_score``, ``clinical_score`` and ``severity`` were run on these sheets; no code is here. It
keeps items 2 and 3 of CORE-10 turned round already. It agreed on 20,017 sheets.

awell-score (Awell Health): the sheet, scores and item map with which it tests its CORE-OM, means
as printed; it keeps reversed items turned round already.

OQ-45 and WAI-SR: public programs, each by its own item map, agreed on 1,000 random sheets each; of
OQ-45 one sums the scales, another (the Dutch form) says which answers are turned round.
"""

import pytest

from shared.alliance.scoring import score
from shared.instrument import INSTRUMENTS

CAMCOPS = [
    ("phq-9", "332030310", 15, "moderately severe"),
    ("phq-9", "101002010", 5, "mild"),
    ("phq-9", "330333031", 19, "moderately severe"),
    ("phq-9", "012112112", 11, "moderate"),
    ("gad-7", "2321011", 10, "moderate"),
    ("gad-7", "2102312", 11, "moderate"),
    ("gad-7", "1012000", 4, "minimal"),
    ("core-10", "4213314102", 23, None),
    ("core-10", "1021030011", 13, None),
    ("core-10", "121111.101", 12.222222, None),
    ("bdi-2", "201011221030222031333", 32, None),
    ("bdi-2", "223112202001001000022", 21, None),
]

CORE_OM_TURNED = "2040001100041100000041001000211400"
CORE_OM_MEANS = {"total": 0.82, "wellbeing": 0.5, "problems": 0.25, "functioning": 1.83,
                 "risk": 0.17}  # fmt: skip

MAPPED = [
    ("oq-45", "343344114341032104043341404000114032341412300", 1,
     {"distress": 70, "relations": 9, "role": 16, "total": 95}),
    ("wai-sr", "434513325311", 4, {"goal": 2.75, "task": 2.75, "bond": 3.25, "total": 8.75}),
]  # fmt: skip
"""Key, sheet, by what scores are divided there, and those scores."""


@pytest.mark.parametrize(("key", "sheet", "total", "band"), CAMCOPS)
def test_camcops_gives_the_same_total(
    key: str, sheet: str, total: float, band: str | None
) -> None:
    """Total, and severity where it names one, are those of another hand."""
    items = {str(n): int(one) for n, one in enumerate(sheet, 1) if one != "."}
    leading = INSTRUMENTS[key, "1"].leading
    found = score(INSTRUMENTS[key, "1"], {"items": items}).scales["total"].value
    assert found == total
    named = leading.band(found)
    assert band is None or (named is not None and named.label == band)


def test_awell_gives_the_same_scales_of_core_om() -> None:
    """Ten times each of its means, which are printed with two decimals."""
    core = INSTRUMENTS["core-om", "1"]
    items = {
        str(n): 4 - int(one) if core.items[str(n)].reversed else int(one)
        for n, one in enumerate(CORE_OM_TURNED, 1)
    }
    scales = score(core, {"items": items}).scales
    assert {name: round(one.value / 10, 2) for name, one in scales.items()} == CORE_OM_MEANS


@pytest.mark.parametrize(("key", "sheet", "divided", "scores"), MAPPED)
def test_other_item_maps_give_the_same_scales(
    key: str, sheet: str, divided: int, scores: dict[str, float]
) -> None:
    """Which item belongs where, and which are turned round, is what others have as well."""
    items = {str(n): int(one) for n, one in enumerate(sheet, 1)}
    found = score(INSTRUMENTS[key, "1"], {"items": items}).scales
    assert {name: found[name].value / divided for name in scores} == scores
