"""Every instrument against a second scorer, and against examples that were added up by hand."""

from fractions import Fraction
from random import Random
from typing import Any

import pytest

from shared.alliance.scoring import check, score
from shared.instrument import INSTRUMENTS, Instrument, latest
from tests.support.plain_scorer import PLAIN, PlainInstrument, plain_scores
from tests.support.ratings import answers, without


def the(key: str) -> Instrument:
    """Return version 1 of an instrument."""
    return INSTRUMENTS[key, "1"]


def values(key: str, data: dict[str, Any]) -> dict[str, float]:
    """Return the scores of a rating."""
    return {name: found.value for name, found in score(the(key), data).scales.items()}


def unscored(key: str, data: dict[str, Any]) -> str | None:
    """Return why a rating has no score."""
    return score(the(key), data).unscored_because


def test_the_second_scorer_knows_every_instrument_that_takes_answers() -> None:
    """A new instrument that takes answers is held to a second scorer too."""
    takes = {key for key, _ in INSTRUMENTS if "items" in getattr(latest(key), "accepts", ())}
    assert takes == set(PLAIN)


@pytest.mark.parametrize("key", sorted(PLAIN))
def test_both_scorers_agree_on_every_form(key: str) -> None:
    """Complete and partial forms have the same scores, and the same of them have none."""
    plain, random, partial = PLAIN[key], Random(key), 0
    for _ in range(600):
        given = _form(plain, random)
        data = {"items": {str(n): float(answer) for n, answer in given.items()}}
        expected = plain_scores(plain, given)
        found = values(key, data)
        assert found == pytest.approx({n: float(v) for n, v in expected.items()}, abs=1e-6)
        assert check(the(key), data) == []
        partial += bool(expected) and len(given) < plain.count
    assert partial or plain.whole_form or all(s.missing == 0 for s in plain.scales.values())


@pytest.mark.parametrize("key", sorted(PLAIN))
def test_every_scale_at_its_limit_of_missing_answers(key: str) -> None:
    """With as many missing as are allowed there is a score, with one more there is none."""
    instrument, plain, random = the(key), PLAIN[key], Random(key)
    for name, scale in plain.scales.items():
        for over in (0, 1):
            full = _form(plain, random, missing=0)
            gone = random.sample(list(scale.items), min(scale.missing + over, len(scale.items)))
            given = {number: answer for number, answer in full.items() if number not in gone}
            data = {"items": {str(n): float(answer) for n, answer in given.items()}}
            has_one = name in score(instrument, data).scales
            assert has_one == (not over and not (gone and plain.whole_form))


@pytest.mark.parametrize("key", sorted(PLAIN))
def test_all_the_same_answer(key: str) -> None:
    """A form with one answer throughout, straight-lined, is scored like any other."""
    plain = PLAIN[key]
    for answer in range(plain.low, plain.high + 1):
        given = {number: Fraction(answer) for number in range(1, plain.count + 1)}
        expected = {name: float(value) for name, value in plain_scores(plain, given).items()}
        assert values(key, answers(the(key), answer)) == pytest.approx(expected)


def test_arm_5_by_hand() -> None:
    """The mean of five, the third turned round: 6, 5, 8 − 2 = 6, 7, 6 are 30 ÷ 5."""
    assert values("arm-5", {"items": {"1": 6, "2": 5, "3": 2, "4": 7, "5": 6}}) == {"total": 6}
    assert values("arm-5", answers(the("arm-5"), 7, _3=1)) == {"total": 7}
    assert values("arm-5", answers(the("arm-5"), 1, _3=7)) == {"total": 1}
    # Straight sevens are 4 × 7 + 1.
    assert values("arm-5", answers(the("arm-5"), 7)) == {"total": 5.8}
    assert unscored("arm-5", without(the("arm-5"), 7, 3)) == "too_many_missing"


def test_haq_2_by_hand() -> None:
    """Straight ones are 14 × 1 + 5 × 6 = 44, straight sixes 14 × 6 + 5 × 1 = 89."""
    haq = the("haq-2")
    turned = ("_4", "_8", "_11", "_16", "_19")
    assert values("haq-2", answers(haq, 1)) == {"total": 44}
    assert values("haq-2", answers(haq, 6)) == {"total": 89}
    assert values("haq-2", answers(haq, 6, **dict.fromkeys(turned, 1))) == {"total": 114}
    assert values("haq-2", answers(haq, 1, **dict.fromkeys(turned, 6))) == {"total": 19}
    assert unscored("haq-2", without(haq, 6, 7)) == "too_many_missing"


def test_wai_s_by_hand() -> None:
    """Straight sixes: task 24, bond 24, goal 6 + 2 + 2 + 6 = 16; its map is not that of WAI-SR."""
    wai = the("wai-s")
    assert values("wai-s", answers(wai, 6)) == {"total": 64, "task": 24, "bond": 24, "goal": 16}
    best = values("wai-s", answers(wai, 7, _4=1, _10=1))
    assert best == {"total": 84, "task": 28, "bond": 28, "goal": 28}
    assert values("wai-s", answers(wai, 1, _4=7, _10=7))["total"] == 12
    assert values("wai-s", without(wai, 6, 12)) == {"bond": 24, "goal": 16}
    assert unscored("wai-s", without(wai, 6, 12, 3, 4)) == "too_many_missing"


CORE_TURNED = dict.fromkeys(("_3", "_4", "_7", "_12", "_19", "_21", "_31", "_32"), 4)


def test_core_om_by_hand() -> None:
    """Ten times the mean; eight items turned round; each scale has its own rule for missing."""
    core = the("core-om")
    assert values("core-om", answers(core, 0, **CORE_TURNED)) == {
        "total": 0, "wellbeing": 0, "problems": 0, "functioning": 0, "risk": 0,
    }  # fmt: skip
    # Straight zeros: 8 × 4 = 32 of 34 items, 8 of 4, none of 12, 24 of 12, none of 6.
    assert values("core-om", answers(core, 0)) == {
        "total": pytest.approx(320 / 34, abs=1e-6), "wellbeing": 20, "problems": 0,
        "functioning": 20, "risk": 0,
    }  # fmt: skip
    # The cut-off is met at 34 of 136: 34 ones, or here 26 ones and eight threes that are turned.
    at_cutoff = answers(core, 1, **dict.fromkeys(CORE_TURNED, 3))
    assert values("core-om", at_cutoff)["total"] == 10
    three_gone = answers(core, 1, **dict.fromkeys(CORE_TURNED, 3), _2=None, _5=None, _1=None)
    # 31 ones of 31; two of problems are missing, which is one too many for it alone.
    assert values("core-om", three_gone) == {
        "total": 10, "wellbeing": 10, "functioning": 10, "risk": 10,
    }  # fmt: skip
    four_gone = {"items": {**three_gone["items"], "8": None}}
    assert set(values("core-om", four_gone)) == {"wellbeing", "functioning", "risk"}


def test_core_om_reads_risk_to_oneself_and_to_others_apart() -> None:
    """Risk items are read without any score; two of the six are about others."""
    core = the("core-om")
    found = score(core, {"items": {"6": 1, "9": 2, "16": 0, "22": 0, "24": 0, "34": 3}})
    assert dict(found.risk) == {"6": 1, "9": 2, "16": 0, "22": 0, "24": 0, "34": 3}
    assert (found.risk_items, set(found.scales)) == ("seen", {"risk"})
    about = {number: core.items[number].risk for number in core.risk_items}
    assert [n for n, whom in about.items() if whom == "others"] == ["6", "22"]
    assert [n for n, whom in about.items() if whom == "self"] == ["9", "16", "24", "34"]


def test_oq_45_by_hand() -> None:
    """Straight ones: distress 22 + 3 × 3 = 31, relations 7 + 4 × 3 = 19, role 7 + 2 × 3 = 13."""
    oq = the("oq-45")
    assert values("oq-45", answers(oq, 1)) == {
        "total": 63, "distress": 31, "relations": 19, "role": 13,
    }  # fmt: skip
    assert values("oq-45", answers(oq, 1, _2=2))["total"] == 64
    turned = dict.fromkeys(("_1", "_12", "_13", "_20", "_21", "_24", "_31", "_37", "_43"), 4)
    assert values("oq-45", answers(oq, 0, **turned))["total"] == 0
    worst = answers(oq, 4, **dict.fromkeys(turned, 0))
    assert values("oq-45", worst) == {
        "total": 180, "distress": 100, "relations": 44, "role": 36,
    }  # fmt: skip


def test_oq_45_rounds_what_stands_in_for_a_missing_answer_half_up() -> None:
    """Of role's other eight, a mean of 0.5 makes 1, and of 0.375 makes 0, a whole answer."""
    # Items 12 and 21 are turned round: 4 is 0. Four of the eight others are 1: the mean is 0.5.
    role = dict(zip(("12", "14", "21", "28", "32", "38", "39", "44"),
                    (4, 1, 4, 1, 1, 1, 0, 0), strict=True))  # fmt: skip
    assert values("oq-45", {"items": role}) == {"role": 5}
    assert values("oq-45", {"items": {**role, "38": 0}}) == {"role": 3}
    # Two of nine are more than a fifth.
    assert unscored("oq-45", {"items": {**role, "44": None}}) == "too_many_missing"


def test_oq_45_allows_a_fifth_of_each_scale_to_be_missing() -> None:
    """Five of distress, two of relations and one of role; the total wants all three scales."""
    oq = the("oq-45")
    fifth = without(oq, 1, 2, 3, 5, 6, 8, 1, 7, 4)
    # Stands in: distress 26 ÷ 20, rounded 1: 26 + 5; relations 15 ÷ 9, rounded 2: 15 + 4;
    # role 12 ÷ 8 = 1.5, rounded 2: 12 + 2.
    assert values("oq-45", fifth) == {"total": 64, "distress": 31, "relations": 19, "role": 14}
    for one_more, scale in ((9, "distress"), (16, "relations"), (12, "role")):
        items = {number: 1 for number in fifth["items"] if number != str(one_more)}
        assert set(values("oq-45", {"items": items})) == {"distress", "relations", "role"} - {
            scale
        }


def test_gbo_is_the_mean_of_the_goals_that_were_rated() -> None:
    """One, two or three goals; a goal that was never set is no missing answer."""
    assert values("gbo", {"items": {"1": 4, "2": 7, "3": 7}}) == {"total": 6}
    assert values("gbo", {"items": {"1": 4, "2": 7}}) == {"total": 5.5}
    assert values("gbo", {"items": {"2": 7}}) == {"total": 7}
    assert values("gbo", {"total": 6.3}) == {"total": 6.3}
    assert unscored("gbo", {"items": {"1": None}}) == "no_survey"


def _form(
    plain: PlainInstrument, random: Random, missing: int | None = None
) -> dict[int, Fraction]:
    """Return a form with random answers, of which some are missing."""
    if missing is None:
        missing = random.choice((0, 0, 1, 1, 2, 3, 4, plain.count // 5, plain.count // 2))
    gone = random.sample(range(1, plain.count + 1), min(missing, plain.count - 1))
    highest = (plain.high - plain.low) * plain.steps
    return {
        number: plain.low + Fraction(random.randint(0, highest), plain.steps)
        for number in range(1, plain.count + 1)
        if number not in gone
    }
