"""Reliable and clinically significant change (Jacobson & Truax 1991), and its named variants.

A change is reliable when it is larger than the noise of measurement would make it; it is
clinically significant when the person also passed from the clinical to the functional range.

    SE = SD·√(1 − r)        standard error of measurement
    S_diff = √2·SE          standard error of a difference
    RCI = (post − pre) ÷ S_diff

Sources: Jacobson & Truax 1991, J Consult Clin Psychol 59:12-19; the variants as Claus et al.
define them, J Stat Softw 111(1), with their R package clinicalsignificance.

The example of Jacobson and Truax: SD 7.5, r .80, so SE = 7.5·√.2 = 3.35 and S_diff = 4.74; who
goes from 32.5 to 47.5 has an RCI of 15 ÷ 4.74, beyond 1.96, and is past cut-off b but not yet
past c:

>>> round(standard_error(7.5, 0.8), 2), round(reliable_change(7.5, 0.8, z=1), 2)
(3.35, 4.74)
>>> round((47.5 - 32.5) / reliable_change(7.5, 0.8, z=1), 2)
3.16
>>> clinical, functional = Population(40, 7.5), Population(60, 7.5)
>>> [cutoff(kind, "higher", clinical, functional) for kind in ("a", "b", "c")]
[55.0, 45.0, 50.0]
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, correlation, fmean, stdev
from typing import Final, Literal

Category = Literal["recovered", "improved", "unchanged", "deteriorated", "harmed"]
Side = Literal["clinical", "line", "functional"]
"""Where a score lies: in one of the ranges, or exactly at the cut-off between them."""

Better = Literal["higher", "lower"]
CutoffKind = Literal["a", "b", "c"]

CATEGORIES: Final[tuple[Category, ...]] = (
    "recovered", "improved", "unchanged", "deteriorated", "harmed",
)  # fmt: skip
PUBLISHED_Z: Final[Mapping[float, float]] = {0.95: 1.96, 0.90: 1.645}
"""As the papers print them; other levels of confidence are computed. Software may take the
quantile itself (1.959964), and for Hageman–Arrindell 1.644854 instead of 1.65."""


@dataclass(frozen=True, slots=True)
class Population:
    """Mean and standard deviation of a group of people, in units of the scale."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What the variants need to know of the people who were measured twice.

    Attributes:
        pre: Of the scores before.
        post: Of the scores after.
        correlation: Pearson's, between the two; None where one of them never varies.
        n: People with both scores.
    """

    pre: Population
    post: Population
    correlation: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Noise:
    """What an index is computed with.

    Attributes:
        sample: Of the people; its SD before is the instrument's SD unless one is published.
        reliability: Of the instrument before, 0 to 1.
        reliability_after: The same after; only Nunnally–Kotsch uses it.
    """

    sample: Sample
    reliability: float
    reliability_after: float

    @property
    def error(self) -> float:
        """Standard error of measurement: SD·√(1 − r)."""
        return standard_error(self.sample.pre.sd, self.reliability)


def z_of(confidence: float) -> float:
    """Return the two-sided normal quantile: 1.96 for 0.95, 1.645 for 0.90, as published."""
    return PUBLISHED_Z.get(confidence) or NormalDist().inv_cdf((1 + confidence) / 2)


def standard_error(sd: float, reliability: float) -> float:
    """Return the standard error of measurement, SD·√(1 − r)."""
    return sd * math.sqrt(1 - reliability)


def reliable_change(sd: float, reliability: float, z: float = 1.96) -> float:
    """Return how much must change to be reliable: z·√2·SD·√(1 − r) (Jacobson & Truax 1991)."""
    return z * math.sqrt(2) * standard_error(sd, reliability)


def describe(pairs: Sequence[tuple[float, float]]) -> Sample | None:
    """Return means, SDs (n − 1) and the correlation of (before, after) of some people.

    Returns:
        None for fewer than two people: they have no SD.
    """
    if len(pairs) < 2:
        return None
    before, after = zip(*pairs, strict=True)
    pre, post = (Population(fmean(side), stdev(side)) for side in (before, after))
    together = correlation(before, after) if pre.sd and post.sd else None
    return Sample(pre, post, together, len(pairs))


def cutoff(
    kind: CutoffKind,
    better: Better,
    clinical: Population | None = None,
    functional: Population | None = None,
) -> float:
    """Return the cut-off between the clinical and the functional range (Jacobson & Truax 1991).

    a: two SDs from the clinical mean towards health. b: two SDs from the functional mean towards
    illness. c: where a person is as likely to belong to either, weighted by the SDs.

    Raises:
        ValueError: when the population that it needs was not given.
    """
    towards = 1 if better == "higher" else -1
    if kind == "a" and clinical:
        return clinical.mean + towards * 2 * clinical.sd
    if kind == "b" and functional:
        return functional.mean - towards * 2 * functional.sd
    if kind == "c" and clinical and functional:
        weighted = clinical.sd * functional.mean + functional.sd * clinical.mean
        return weighted / (clinical.sd + functional.sd)
    raise ValueError(f"cut-off {kind} needs the mean and SD of {_NEEDED[kind]}")


_NEEDED: Final[Mapping[CutoffKind, str]] = {
    "a": "the clinical population",
    "b": "the functional population",
    "c": "both populations",
}


def jacobson_truax(pre: float, post: float, noise: Noise) -> float | None:
    """Return (post − pre) ÷ (√2·SE)."""
    return _ratio(post - pre, math.sqrt(2) * noise.error)


def edwards_nunnally(pre: float, post: float, noise: Noise) -> float | None:
    """Return (post − estimated true score before) ÷ SE, as Speer (1992) reformulated it.

    The true score is drawn towards the mean: r·(pre − M) + M. Speer asks for more than 2, Claus et
    al. for more than 1.96.
    """
    return _ratio(post - _true_score(pre, noise), noise.error)


def gulliksen_lord_novick(pre: float, post: float, noise: Noise) -> float | None:
    """Return (post − M − r·(pre − M)) ÷ (SD·√(1 − r²)), with M and SD of the scores before."""
    return _ratio(post - _true_score(pre, noise), _prediction_error(noise))


def hsu_linn_lord(pre: float, post: float, noise: Noise) -> float | None:
    """Return (post − M_post − r·(pre − M_pre)) ÷ (SD·√(1 − r²)) (Hsu 1989)."""
    sample = noise.sample
    regressed = noise.reliability * (pre - sample.pre.mean)
    return _ratio(post - sample.post.mean - regressed, _prediction_error(noise))


def nunnally_kotsch(pre: float, post: float, noise: Noise) -> float | None:
    """Return (post − true score before) ÷ √(r²·SD²·(1 − r) + SD²·(1 − r_after)).

    Both terms take the SD before, as clinicalsignificance does.
    """
    sd, before, after = noise.sample.pre.sd, noise.reliability, noise.reliability_after
    error = math.sqrt(before**2 * sd**2 * (1 - before) + sd**2 * (1 - after))
    return _ratio(post - _true_score(pre, noise), error)


def hageman_arrindell(pre: float, post: float, noise: Noise) -> float | None:
    """Return ((post − pre)·r_dd + (M_post − M_pre)·(1 − r_dd)) ÷ (√r_dd·√2·SE).

    r_dd is the reliability of the differences, from both SDs and their correlation; the
    reliability at each time follows from its SD and one SE (Hageman & Arrindell 1993, 1999).

    Returns:
        None where r_dd is not above 0: the differences are all noise.
    """
    sample, error = noise.sample, noise.error
    r_dd = reliability_of_differences(noise)
    if r_dd is None:
        return None
    moved = (post - pre) * r_dd + (sample.post.mean - sample.pre.mean) * (1 - r_dd)
    return _ratio(moved, math.sqrt(r_dd) * math.sqrt(2) * error)


def reliability_of_differences(noise: Noise) -> float | None:
    """Return r_dd, the share of the differences' variance that is no noise; None: not above 0."""
    sample, error = noise.sample, noise.error
    if sample.correlation is None:
        return None
    before, after = sample.pre.sd**2, sample.post.sd**2
    shared = 2 * sample.pre.sd * sample.post.sd * sample.correlation
    of_differences = before + after - shared
    true = (before - error**2) + (after - error**2) - shared
    return None if of_differences <= 0 or true <= 0 else true / of_differences


def true_cutoff(
    kind: CutoffKind,
    better: Better,
    clinical: Population,
    functional: Population | None,
    reliability: float,
) -> float:
    """Return the cut-off between true scores (Hageman & Arrindell 1999).

    Each SD is narrowed by the root of its own reliability, 1 − SE² ÷ SD², with the standard error
    of measurement of the clinical population: noise widens what is observed.

    Raises:
        ValueError: when the population that it needs was not given, or is all noise.
    """
    error = standard_error(clinical.sd, reliability)

    def narrowed(population: Population) -> Population:
        true = population.sd**2 - error**2
        if true <= 0:
            raise ValueError(
                f"an SD of {population.sd:g} is no more than the noise of measurement"
            )
        return Population(population.mean, math.sqrt(true))

    return cutoff(
        kind, better, narrowed(clinical), None if functional is None else narrowed(functional)
    )


def individual_significance(
    post: float, line: float, after: Population, error: float
) -> float | None:
    """Return CS_indiv: how far an estimated true score lies beyond a cut-off, in its own errors.

    (M_post + (post − M_post)·r_post − cut-off) ÷ (√r_post·SE), with r_post = 1 − SE² ÷ SD_post²
    (Hageman & Arrindell 1999).

    Returns:
        None where the scores after are all noise, or there is none at all.
    """
    if not error or after.sd**2 <= error**2:
        return None
    r_post = 1 - error**2 / after.sd**2
    estimated = after.mean + (post - after.mean) * r_post
    return (estimated - line) / (math.sqrt(r_post) * error)


@dataclass(frozen=True, slots=True)
class Method:
    """A named way to see a change against noise.

    Attributes:
        index: (before, after, noise) → RCI; positive where the score rose. None: not analysable.
        z: How far from 0 it must be at a confidence of 0.95, as its source has it.
        one_sided: Whether its source asks for a one-sided quantile.
    """

    name: str
    index: Callable[[float, float, Noise], float | None]
    z: float = 1.96
    one_sided: bool = False

    def z_at(self, confidence: float) -> float:
        """Return how far from 0 an index must be: as printed for 0.95, else the quantile."""
        if confidence == 0.95:
            return self.z
        return NormalDist().inv_cdf(confidence) if self.one_sided else z_of(confidence)


METHODS: Final[Mapping[str, Method]] = {
    method.name: method
    for method in (
        Method("jacobson-truax", jacobson_truax),
        Method("edwards-nunnally", edwards_nunnally),
        Method("gulliksen-lord-novick", gulliksen_lord_novick),
        Method("hsu-linn-lord", hsu_linn_lord),
        Method("nunnally-kotsch", nunnally_kotsch),
        # One-sided, as Hageman and Arrindell have it.
        Method("hageman-arrindell", hageman_arrindell, z=1.65, one_sided=True),
    )
}


def category(reliable: Literal[-1, 0, 1], *, was: Side | None, now: Side | None) -> Category:
    """Return the category of a change (Jacobson & Truax 1991; harmed: Claus et al.).

    Who recovered was in the clinical range and is in the functional one. Who was harmed is no
    longer in the functional range, having not been in the clinical one: a score exactly at the
    cut-off is in neither, so it hinders a recovery and no harm.

    Args:
        reliable: 1 for a reliable improvement, -1 for a reliable worsening, 0 for neither.
        was: Where the first score lies; None: no cut-off.
        now: The same of the last one.
    """
    if reliable > 0:
        return "recovered" if was == "clinical" and now == "functional" else "improved"
    if reliable < 0:
        left = was in ("functional", "line") and now in ("clinical", "line")
        return "harmed" if left else "deteriorated"
    return "unchanged"


def _true_score(pre: float, noise: Noise) -> float:
    mean = noise.sample.pre.mean
    return noise.reliability * (pre - mean) + mean


def _prediction_error(noise: Noise) -> float:
    return noise.sample.pre.sd * math.sqrt(1 - noise.reliability**2)


def _ratio(moved: float, error: float) -> float | None:
    return moved / error if error else None
