"""Published values as oracles: bands, cut-offs, missing answers, reversal, risk items."""

from dataclasses import replace

import pytest

from shared.alliance.scoring import check, score
from shared.instrument import INSTRUMENTS, Instrument, latest
from tests.support.ratings import answers, without


def the(key: str) -> Instrument:
    """Return version 1 of an instrument."""
    return INSTRUMENTS[key, "1"]


@pytest.mark.parametrize(
    ("key", "edges"),
    [
        # Kroenke, Spitzer & Williams 2001; Spitzer et al. 2006; CORE System Trust; Beck 1996.
        ("phq-9", ["0 4 minimal", "5 9 mild", "10 14 moderate", "15 19 moderately severe",
                   "20 27 severe"]),
        ("gad-7", ["0 4 minimal", "5 9 mild", "10 14 moderate", "15 21 severe"]),
        ("core-10", ["11 14 mild", "15 19 moderate", "20 24 moderate to severe", "25 40 severe"]),
        ("bdi-2", ["0 13 minimal", "14 19 mild", "20 28 moderate", "29 63 severe"]),
    ],
)  # fmt: skip
def test_bands_have_their_published_edges(key: str, edges: list[str]) -> None:
    """A score on either edge of a published band falls in that band."""
    scale = the(key).leading
    for edge in edges:
        low, high, label = edge.split(" ", 2)
        for value in (float(low), float(high), float(high) + 0.5):
            band = scale.band(min(value, scale.maximum))
            assert band is not None
            assert band.label == label


@pytest.mark.parametrize(
    ("key", "value", "meets", "change", "confidence"),
    [
        ("srs-3", 36, "below", None, None),
        ("ors", 25, "below", 5, 0.95),
        ("phq-9", 10, "at_or_above", 6, 0.95),
        ("gad-7", 8, "at_or_above", 4, 0.95),
        ("core-10", 11, "at_or_above", 6, 0.90),
        ("bdi-2", None, None, None, None),
        ("wai-sr", None, None, None, None),
        ("wai-sr-t", None, None, None, None),
        ("pulse", None, None, None, None),
    ],
)
def test_published_cut_offs_and_reliable_changes(
    key: str,
    value: float | None,
    meets: str | None,
    change: float | None,
    confidence: float | None,
) -> None:
    """Cut-offs and reliable changes are the published ones; none is made up."""
    leading = the(key).leading
    first = leading.cutoffs[0] if leading.cutoffs else None
    assert (first.value, first.meets) == (value, meets) if first else value is None
    found = leading.reliable_change
    assert (found.value, found.confidence) == (change, confidence) if found else change is None


def test_phq_9_allows_two_missing_answers() -> None:
    """Two answers may be missing: mean × 9 (Arrieta 2017); with three there is no score."""
    phq = the("phq-9")
    assert score(phq, without(phq, 2, 1, 2)).scales["total"].value == 18
    mixed = {"items": {"1": 3, "2": 3, "3": 0, "4": 0, "5": 1, "6": 1, "9": 1}}
    assert score(phq, mixed).scales["total"].value == pytest.approx(9 * 9 / 7, abs=1e-6)
    found = score(phq, without(phq, 2, 1, 2, 3))
    assert (dict(found.scales), found.unscored_because) == ({}, "too_many_missing")


def test_a_risk_item_is_read_in_any_case() -> None:
    """A rating without a score still shows its risk item; a null or a lone total never says 0."""
    phq = the("phq-9")
    alone = score(phq, {"items": {"9": 2}})
    assert (alone.unscored_because, alone.risk, alone.risk_items) == (
        "too_many_missing", {"9": 2}, "seen",
    )  # fmt: skip
    for data in ({"total": 12}, answers(phq, 1, _9=None), without(phq, 1, 9)):
        found = score(phq, data)
        assert (found.risk, found.risk_items) == ({}, "not_seen")
        assert "total" in found.scales


def test_gad_7_allows_one_missing_answer() -> None:
    """One answer may be missing: mean × 7; with two there is no score."""
    gad = the("gad-7")
    assert score(gad, without(gad, 2, 7)).scales["total"].value == 14
    assert score(gad, without(gad, 2, 6, 7)).unscored_because == "too_many_missing"


def test_gad_7_allows_two_missing_answers_where_a_rating_asks_for_that() -> None:
    """Sources differ: version 2 allows two, and is taken only by ratings that name it."""
    strict, lenient = the("gad-7"), INSTRUMENTS["gad-7", "2"]
    assert latest("gad-7") == strict
    assert score(lenient, without(lenient, 2, 6, 7)).scales["total"].value == 14
    mixed = {"items": {"1": 3, "2": 1, "3": 0, "4": 2, "5": 1}}
    assert score(lenient, mixed).scales["total"].value == pytest.approx(7 * 7 / 5)
    assert score(lenient, without(lenient, 2, 5, 6, 7)).unscored_because == "too_many_missing"
    assert replace(lenient.leading, max_missing=1) == strict.leading


def test_core_10_reverses_2_and_3_and_prorates() -> None:
    """Items 2 and 3 are turned round; 10 × sum ÷ answered, with one missing at most."""
    core = the("core-10")
    assert score(core, answers(core, 0)).scales["total"].value == 8
    assert score(core, answers(core, 0, _2=4, _3=4)).scales["total"].value == 0
    assert score(core, answers(core, 0, _4=4)).scales["total"].value == 12
    nine = score(core, answers(core, 1, _2=3, _3=3, _10=None))
    assert nine.scales["total"].value == 10
    assert score(core, without(core, 1, 9, 10)).unscored_because == "too_many_missing"
    assert score(core, answers(core, 0, _6=3)).risk == {"6": 3}


def test_bdi_2_allows_no_missing_answer() -> None:
    """All 21 answers, or the total alone."""
    bdi = the("bdi-2")
    assert score(bdi, answers(bdi, 1)).scales["total"].value == 21
    assert score(bdi, without(bdi, 1, 21)).unscored_because == "too_many_missing"
    assert score(bdi, {"total": 29}).scales["total"].value == 29


@pytest.mark.parametrize("key", ["srs-3", "ors"])
def test_srs_and_ors_want_all_four_or_the_total_alone(key: str) -> None:
    """All four answers or the total alone give a score; anything between has none."""
    it = the(key)
    assert score(it, answers(it, 9)).scales["total"].value == 36
    assert list(score(it, {"total": 36}).scales) == ["total"]
    parts = dict.fromkeys(it.leading.parts, 8.5)
    assert score(it, {"scales": parts}).scales["total"].value == 34
    for between in (
        without(it, 9, 4),
        {**without(it, 9, 4), "total": 36},
        {"scales": dict(list(parts.items())[:3])},
        {"scales": dict(list(parts.items())[:3]), "total": 34},
    ):
        assert score(it, between).unscored_because == "too_many_missing"
    nulls = answers(it, 0, _1=None, _2=None, _3=None, _4=None)
    assert score(it, nulls).unscored_because == "no_survey"


def test_tenths_add_up_exactly() -> None:
    """Answers in tenths that make 36 make exactly 36, which is not below the cut-off."""
    srs = the("srs-3")
    for four in ((9.1, 8.9, 9.0, 9.0), (8.7, 9.3, 9.2, 8.8), (9.9, 8.1, 8.3, 9.7)):
        items = {str(n): answer for n, answer in enumerate(four, 1)}
        assert check(srs, {"items": items, "total": 36}) == []
        assert score(srs, {"items": items}).scales["total"].value == 36


def test_wai_sr_maps_and_prorates_by_scale() -> None:
    """Goal 4, 6, 8, 11, task 1, 2, 10, 12, bond 3, 5, 7, 9; one missing per scale at most."""
    wai = the("wai-sr")
    raised = {"goal": (4, 6, 8, 11), "task": (1, 2, 10, 12), "bond": (3, 5, 7, 9)}
    for name, numbers in raised.items():
        items = {str(n): 5 if n in numbers else 1 for n in range(1, 13)}
        found = {k: v.value for k, v in score(wai, {"items": items}).scales.items()}
        assert found == {"total": 28, "goal": 4, "task": 4, "bond": 4} | {name: 20}
    one_each = score(wai, without(wai, 4, 4, 1, 3))
    assert one_each.scales["total"].value == 48
    two_of_bond = score(wai, without(wai, 4, 3, 5))
    assert set(two_of_bond.scales) == {"goal", "task"}
    assert two_of_bond.unscored_because is None


def test_wai_sr_wants_to_know_sum_or_mean() -> None:
    """An instrument with both forms asks which was sent, and turns a mean into its sum."""
    wai = the("wai-sr")
    assert [(f.pointer, f.code) for f in check(wai, {"total": 48})] == [("/scored_as", "required")]
    sent = {"scored_as": "mean", "total": 4.0, "scales": {"goal": 3.5, "task": 4.25, "bond": 4.25}}
    assert check(wai, sent) == []
    assert score(wai, sent).scales["bond"].value == 17
    assert score(wai, sent).scales["total"].value == 48
    assert check(wai, {"scored_as": "mean", "total": 48})[0].code == "out_of_range"
    assert check(the("phq-9"), {"scored_as": "mean", "total": 2})[0].code == "not_allowed"


def test_answers_scales_and_total_must_agree() -> None:
    """Scores that cannot be, given the answers or the other scores, are faults."""
    phq, wai = the("phq-9"), the("wai-sr")
    assert check(phq, {**answers(phq, 1), "total": 9}) == []
    assert check(phq, {**answers(phq, 1), "total": 10})[0].pointer == "/total"
    assert check(phq, {"items": {"9": 1}, "total": 25}) == []
    assert check(phq, {"items": {"9": 1}, "total": 26})[0].code == "disagree"
    scales = {"goal": 16, "task": 16, "bond": 16}
    assert check(wai, {"scored_as": "sum", "scales": scales, "total": 48}) == []
    wrong = check(wai, {"scored_as": "sum", "scales": scales, "total": 50})
    assert [(f.pointer, f.code) for f in wrong] == [("/total", "disagree")]
    wrong = check(wai, {"scored_as": "sum", **answers(wai, 4), "scales": {**scales, "bond": 12}})
    assert [f.pointer for f in wrong] == ["/scales/bond"]
    twice = check(phq, {"scales": {"total": 3}, "total": 4})
    assert [f.code for f in twice] == ["not_accepted"]


def test_a_reversed_item_disagrees_where_it_was_not_turned() -> None:
    """A CORE-10 total that was made without turning items 2 and 3 is refused."""
    core = the("core-10")
    assert check(core, {**answers(core, 1), "total": 10})[0].code == "disagree"
    assert check(core, {**answers(core, 1), "total": 14}) == []


def test_answers_that_were_turned_round_already_are_told_apart() -> None:
    """Other software keeps reversed answers turned: a total beside them shows that; it is said."""
    core = the("core-10")
    fault = check(core, {**answers(core, 1), "total": 10})[0]
    assert "turned round already" in fault.message
    assert "turned" not in check(core, {**answers(core, 1), "total": 30})[0].message
    assert check(core, {**answers(core, 1, _2=3, _3=3), "total": 10}) == []
    assert "turned" not in check(the("phq-9"), {"items": {"9": 1}, "total": 27})[0].message


def test_an_unknown_scale_is_named_with_the_known_ones() -> None:
    """A scale that the instrument does not have is refused with the list of those it has."""
    (fault,) = check(the("wai-sr"), {"scored_as": "sum", "scales": {"trust": 3}})
    assert (fault.pointer, fault.code) == ("/scales/trust", "unknown_scale")
    assert fault.allowed == ("total", "goal", "task", "bond")


def test_an_unknown_instrument_has_no_score() -> None:
    """A version that this release does not know is kept and said to be unknown."""
    assert score(None, {"total": 3}).unscored_because == "unknown_instrument"


def test_pulse_scores_core_and_facets() -> None:
    """The core of four alone scores the core; up to a quarter may be missing."""
    pulse = the("pulse")
    core = score(pulse, {"items": {"1": 10, "2": 8, "3": 6}})
    assert core.scales["core"].value == 8
    assert set(core.scales) == {"core", "trust", "safety", "understanding"}
    assert score(pulse, without(pulse, 5, 14, 15, 16, 17)).scales["full"].value == 5
    assert "full" not in score(pulse, without(pulse, 5, 13, 14, 15, 16, 17)).scales
    assert len(pulse.items) == 17
    assert not pulse.validated
    assert "not validated" in pulse.title


def test_wai_srt_takes_scores_and_no_answers() -> None:
    """Its map of items is not checked: answers are refused, and would score nothing."""
    wai = the("wai-srt")
    sent = {"scored_as": "sum", "scales": {"goal": 12, "task": 13, "bond": 17}}
    assert check(wai, sent) == []
    assert score(wai, sent).scales["total"].value == 42
    assert score(wai, {"scored_as": "mean", "total": 4.2}).scales["total"].value == 42
    assert [f.code for f in check(wai, answers(wai, 4))] == ["not_accepted"]
    assert score(wai, answers(wai, 4)).unscored_because == "no_survey"
    assert not any(mark.verified for mark in wai.marks)


def test_calpas_wants_to_know_sum_or_mean() -> None:
    """A sum of 6 is the worst possible and a mean of 6 nearly the best: the sender says which."""
    calpas = the("calpas-p")
    names = [scale.name for scale in calpas.scales[1:]]
    assert [f.code for f in check(calpas, {"total": 6})] == ["required"]
    for form, six in (("mean", 6), ("sum", 1)):
        sent = {"scored_as": form, "scales": dict.fromkeys(names, 6)}
        assert check(calpas, sent) == []
        assert {found.value for found in score(calpas, sent).scales.values()} == {six}
    ends = {"scored_as": "sum", "scales": dict.fromkeys(names, 42), "total": 168}
    assert check(calpas, ends) == []
    assert score(calpas, ends).scales["total"].percent == 100
    assert [f.pointer for f in check(calpas, {**ends, "total": 169})] == ["/total"]
    assert [f.code for f in check(calpas, {**ends, "total": 160})] == ["disagree"]
    assert [f.code for f in check(calpas, answers(calpas, 4))] == ["not_accepted"]


def test_calpas_total_is_the_mean_of_its_four_scales() -> None:
    """Four scales of six items each weigh the same; with one of them away there is no total."""
    calpas = the("calpas-p")
    four = {"commitment": 5.5, "working_capacity": 4, "therapist_understanding": 6.5,
            "working_strategy": 5}  # fmt: skip
    assert score(calpas, {"scored_as": "mean", "scales": four}).scales["total"].value == 5.25
    del four["commitment"]
    assert "total" not in score(calpas, {"scored_as": "mean", "scales": four}).scales


def test_seq_5_has_no_total_and_arousal_no_better() -> None:
    """Depth stands first, a total is refused, and arousal is described without a percent."""
    seq = the("seq-5")
    sent = {"scales": {"depth": 5.2, "smoothness": 4, "positivity": 7, "arousal": 4.4}}
    assert check(seq, sent) == []
    found = score(seq, sent).scales
    assert {name: one.percent for name, one in found.items()} == {
        "depth": 70, "smoothness": 50, "positivity": 100, "arousal": None,
    }  # fmt: skip
    assert found["arousal"].value == 4.4
    assert (seq.leading.name, seq.construct) == ("depth", "session")
    assert [f.code for f in check(seq, {"total": 5})] == ["not_accepted"]
    assert [f.code for f in check(seq, {"scales": {"depth": 7.1}})] == ["out_of_range"]


def test_a_cut_off_may_hold_for_one_rater_alone() -> None:
    """A child's own ratings have another cut-off than a caregiver's; others have none."""
    cors = the("cors").leading
    cutoffs = [cors.cutoff_for(rater) for rater in ("client", "parent_or_carer", "teacher")]
    assert [one and one.value for one in cutoffs] == [32, 28, None]
    everybody = the("ors").leading.cutoff_for("parent_or_carer")
    assert everybody is not None
    assert everybody.value == 25
