"""``rapport analyse`` on published tables: it prints what was published."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymannkendall
import pytest
from scipy import stats

from tests.support.analysing import analysed, found
from tests.support.published import (
    CLAUS_GROUPS,
    CLAUS_HAMD,
    CLOUD_SEEDING,
    FLOW_RATES,
    GRAYBILL,
    LOAN_COSTS,
    SUDDEN_GAINS,
    SUDDEN_GAINS_FOUND,
    TUNA,
)

CATEGORIES = ("recovered", "improved", "unchanged", "deteriorated", "harmed")


def run(folder: Path, rows: Sequence[tuple[object, ...]], *arguments: str) -> dict[str, Any]:
    """Return the JSON of a run on a table of client, occasion and score."""
    lines = ["client,occasion,score", *(",".join(map(str, row)) for row in rows)]
    return found(analysed(folder, "\n".join(lines), "--json", *arguments))


@pytest.mark.parametrize(
    ("method", "counts"),
    [
        ("jacobson-truax", (26, 3, 10, 1, 0)),
        ("edwards-nunnally", (26, 6, 5, 3, 0)),
        ("hsu-linn-lord", (12, 0, 16, 11, 1)),
        ("gulliksen-lord-novick", (26, 3, 10, 1, 0)),
        ("nunnally-kotsch", (26, 2, 11, 1, 0)),
        ("hageman-arrindell", (23, 9, 7, 1, 0)),
    ],
)
def test_clinical_significance_of_claus_et_al(
    tmp_path: Path, method: str, counts: tuple[int, ...]
) -> None:
    """The package clinicalsignificance prints these counts for its own combined approach."""
    rows = [
        (f"p{who}", occasion, score)
        for who, pair in enumerate(CLAUS_HAMD)
        for occasion, score in zip((1, 4), pair, strict=True)
    ]
    after = ("--reliability-after", "0.5") if method == "nunnally-kotsch" else ()
    said = run(
        tmp_path, rows, "--method", method, "--better", "lower", "--pre", "1", "--post", "4",
        "--reliability", "0.8", "--functional", "8", "8", "--cutoff-type", "c", *after,
    )  # fmt: skip
    found = [said["summary"][name].split()[0] for name in CATEGORIES]
    assert tuple(map(int, found)) == counts
    if method == "hageman-arrindell":
        of_the_group = (said["summary"]["share_changed"], said["summary"]["share_functional"])
        assert [round(one, 4) for one in of_the_group] == [0.9031, 0.7555]


@pytest.mark.parametrize(
    ("method", "kind", "cutoff"),
    [("jacobson-truax", "a", 19.16), ("jacobson-truax", "c", 21.6),
     ("hageman-arrindell", "c", 21.57)],
)  # fmt: skip
def test_cut_offs_of_claus_et_al(tmp_path: Path, method: str, kind: str, cutoff: float) -> None:
    """Of the BDI, from the means and SDs that the package prints beside them."""
    said = found(analysed(
        tmp_path, "client,pre,post\na,40,20\nb,30,10\n", "--wide", "pre,post", "--method", method,
        "--better", "lower", "--reliability", "0.8", "--clinical", "35.48", "8.16",
        "--functional", "8", "8", "--cutoff-type", kind, "--json",
    ))  # fmt: skip
    assert round(said["used"]["cutoff"], 2) == cutoff


def test_groups_of_claus_et_al(tmp_path: Path) -> None:
    """As usual 47.37 % improved and 5.26 % got worse, with the other 95.24 % and nobody."""
    people = zip(CLAUS_GROUPS, CLAUS_HAMD, strict=True)
    rows = [f"p{who},{arm},{pre},{post}" for who, (arm, (pre, post)) in enumerate(people)]
    said = found(analysed(
        tmp_path, "\n".join(["id,arm,before,after", *rows]), "--client", "id", "--wide",
        "before,after", "--group", "arm", "--method", "jacobson-truax", "--better", "lower",
        "--reliability", "0.8", "--json",
    ))["summary"]  # fmt: skip
    shares = [said[f"{one}_in_{arm}"] for arm in "TP"
              for one in ("improved", "unchanged", "deteriorated")]  # fmt: skip
    assert shares == [
        "9 of 19 (47.37 %)", "9 of 19 (47.37 %)", "1 of 19 (5.26 %)",
        "20 of 21 (95.24 %)", "1 of 21 (4.76 %)", "0 of 21 (0.00 %)",
    ]  # fmt: skip


def test_sudden_gains_of_wiedemann_et_al(tmp_path: Path) -> None:
    """Session, magnitude and reversal of gains, and what the package says of them all."""
    rows = [
        (who, session, "NA" if score is None else score)
        for who, scores in SUDDEN_GAINS.items()
        for session, score in enumerate(scores, 1)
    ]
    said = run(tmp_path, rows, "--method", "sudden-gains", "--better", "lower", "--points", "7")
    found = [
        (row["client"], int(row["between"]), -row["change"], row["reversed_at"] is not None)
        for row in said["rows"]
        if row["kind"] == "gain"
    ]
    assert [one for one in found if int(one[0]) <= 18] == list(SUDDEN_GAINS_FOUND)
    whole = said["summary"]
    assert (whole["clients"], whole["intervals_analysed"]) == (43, 298)
    assert (whole["gains"], whole["gains_reversed"]) == (24, 4)
    assert (whole["clients_with_gains"], whole["clients_with_several_gains"]) == (15, 8)
    assert (whole["mean_gain"], round(whole["sd_gain"], 2)) == (11, 3.43)


@pytest.mark.parametrize(
    ("scores", "asked", "means", "critical"),
    [
        ("32,31,33,5,6,7", "--points 7 --alpha 0.01", (32, 6), 4.604),
        ("NA,31,33,5,NA,7", "--without points --without share --alpha 0.01", (32, 6),
         9.925 * 2**0.5),
        ("5,NA,7,16,12,14", "--points 7", (6, 14), 3.182 * (10 / 3) ** 0.5),
        ("5,NA,7,16,12,14", "--points 7 --critical 2.776", (6, 14), 2.776 * (10 / 3) ** 0.5),
    ],
)  # fmt: skip
def test_intervals_that_wiedemann_et_al_checked(
    tmp_path: Path, scores: str, asked: str, means: tuple[float, float], critical: float
) -> None:
    """Means and critical values are those of suddengains::check_interval, with values missing."""
    table = f"client,s1,s2,s3,s4,s5,s6\na,{scores}\n"
    wide = ("--wide", "s1,s2,s3,s4,s5,s6", "--method", "sudden-gains", "--better", "lower")
    said = found(analysed(tmp_path, table, *wide, "--json", *asked.split()))
    (row,) = said["rows"]
    assert (row["between"], row["and"]) == ("s3", "s4")
    assert (row["mean_before"], row["mean_after"]) == means
    assert row["needed"] == pytest.approx(critical, rel=2e-4)


def test_a_cut_off_in_points_from_noise_alone(tmp_path: Path) -> None:
    """suddengains::define_crit1_cutoff(sd = 10.5, reliability = 0.931) is 7.645."""
    rows = [("a", 1, 30), ("a", 2, 20)]
    said = run(tmp_path, rows, "--method", "sudden-gains", "--better", "lower", "--sd", "10.5",
               "--reliability", "0.931")  # fmt: skip
    assert round(said["used"]["points"], 3) == 7.645


def test_an_individuals_chart_of_montgomery(tmp_path: Path) -> None:
    """Centre 300.5, limits 279.78 and 321.22, and no week outside them."""
    rows = [("loan", week, cost) for week, cost in enumerate(LOAN_COSTS, 1)]
    said = run(tmp_path, rows, "--method", "control-chart", "--baseline", "0")["rows"][0]
    assert (said["centre"], round(said["lower"], 2), round(said["upper"], 2)) == (
        300.5, 279.78, 321.22,
    )  # fmt: skip
    assert (round(said["moving_range"], 2), said["signals"]) == (7.79, [])


@pytest.mark.parametrize("values", [(4, 2, 7, 3, 9, 5, 10, 6, 8, 11), (30, 30, 28, 27, 27, 20)])
def test_mann_kendall_as_most_software_prints_it(tmp_path: Path, values: tuple[int, ...]) -> None:
    """S, its variance, z and normal p are pymannkendall's, with and without ties."""
    rows = [("a", at, value) for at, value in enumerate(values, 1)]
    said = run(tmp_path, rows, "--method", "trend")["rows"][0]
    expected = pymannkendall.original_test(values)
    assert (said["s"], said["var_s"]) == (expected.s, expected.var_s)
    assert (said["z"], said["p_normal"]) == pytest.approx((expected.z, expected.p))
    assert said["slope_per_occasion"] == expected.slope
    assert said["tau"] == pytest.approx(stats.kendalltau(range(len(values)), values).statistic)


def test_the_exact_probability_stands_beside(tmp_path: Path) -> None:
    """Without ties, p is scipy's exact one for Kendall's tau, not the approximation."""
    values = (4, 2, 7, 3, 9, 5, 10, 6, 8, 11)
    rows = [("a", at, value) for at, value in enumerate(values, 1)]
    said = run(tmp_path, rows, "--method", "trend")["rows"][0]
    expected = stats.kendalltau(range(10), values, method="exact").pvalue
    assert said["p"] == pytest.approx(expected)
    assert said["p"] != said["p_normal"]


@pytest.mark.parametrize(("kind", "cutoff"), [("a", 55), ("b", 45), ("c", 50)])
def test_the_example_of_jacobson_and_truax(tmp_path: Path, kind: str, cutoff: float) -> None:
    """From 32.5 to 47.5 with SD 7.5 and reliability .80: RC 3.16; cut-offs 55, 45 and 50."""
    said = run(
        tmp_path, [("a", 1, 32.5), ("a", 2, 47.5)], "--method", "jacobson-truax", "--better",
        "higher", "--sd", "7.5", "--reliability", "0.8", "--clinical", "40", "7.5",
        "--functional", "60", "7.5", "--cutoff-type", kind,
    )  # fmt: skip
    assert round(said["rows"][0]["rci"], 2) == 3.16
    assert said["used"]["cutoff"] == cutoff
    assert said["rows"][0]["category"] == ("recovered" if kind == "b" else "improved")


def test_an_individuals_chart_of_nist(tmp_path: Path) -> None:
    """Centre 50.81, limits 45.8159 and 55.8041."""
    rows = [("flow", batch, rate) for batch, rate in enumerate(FLOW_RATES, 1)]
    said = run(tmp_path, rows, "--method", "control-chart", "--baseline", "0")["rows"][0]
    found = (round(said["centre"], 2), round(said["lower"], 4), round(said["upper"], 4))
    assert found == (50.81, 45.8159, 55.8041)
    assert round(said["moving_range"], 4) == 1.8778


def test_trends_of_hollander_and_wolfe(tmp_path: Path) -> None:
    """C -6, slope -.056 and p .117 of seeded clouds; S 26 - 10 and p .1194 of tuna."""
    clouds = [("clouds", year, ratio) for year, ratio in enumerate(CLOUD_SEEDING, 1)]
    said = run(tmp_path, clouds, "--method", "trend")["rows"][0]
    assert (said["s"], round(said["p_falling"], 3)) == (-6, 0.117)
    assert round(said["slope_per_occasion"], 3) == -0.056
    tuna = [("tuna", lightness, panel) for lightness, panel in TUNA]
    said = run(tmp_path, tuna, "--method", "trend")["rows"][0]
    assert (said["s"], round(said["p"], 4), said["exact"]) == (26 - 10, 0.1194, True)
    assert round(said["tau"], 7) == 0.4444444


def test_the_example_of_sen(tmp_path: Path) -> None:
    """Slope 4, and three slopes are left out on each side at 93 %."""
    rows = [("a", at, value) for at, value in GRAYBILL]
    said = run(tmp_path, rows, "--method", "trend", "--confidence", "0.93")["rows"][0]
    found = (said["slope_per_occasion"], said["low"], said["high"])
    assert found == pytest.approx((4, 26 / 7, 35 / 8))
