"""From what was asked on the command line to what an analysis needs."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from services.cli.analysis.choices import Choices, Undecided
from services.cli.analysis.scores import Notation
from shared.alliance.change import meets
from shared.change.reliable import METHODS as RELIABLE_CHANGES
from shared.change.reliable import Better, Population, reliable_change, z_of
from shared.change.sudden import Criteria
from shared.instrument import Scale, latest

CRITERIA: Final = ("points", "share", "stability")

_Pair = tuple[float, float]

_NOISE: Final = frozenset({"sd", "reliability", "reliable_change", "confidence", "z"})
_INDEX: Final = _NOISE | {
    "pre", "post", "mean", "cutoff", "cutoff_type", "clinical", "functional",
}  # fmt: skip

USED: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(RELIABLE_CHANGES, _INDEX),
    "jacobson-truax": _INDEX - {"mean"},
    "nunnally-kotsch": _INDEX | {"reliability_after"},
    "sudden-gains": _NOISE | {"points", "share", "alpha", "critical", "without"},
    "control-chart": frozenset({"baseline", "floor"}),
    "trend": frozenset({"last", "confidence"}),
    "ruptures": _NOISE | {"points"},
}
"""What each method looks at, besides how the table is written and whose scores it holds."""

_INDEX_ALONE: Final = ("sd", "confidence", "z")
"""What a reliable change in points leaves without use."""


def choices_of(method: str, options: Mapping[str, Any], said: Collection[str] = ()) -> Choices:
    """Return the choices that some options come to.

    Args:
        method: What is computed.
        options: Every option with its value.
        said: Those that were said, and are not only there by default.

    Raises:
        Undecided: when something must be said first, was said twice, or would be passed over.
    """
    _check(options)
    _check_use(method, said)
    scale = _scale(options["instrument"], options["scale"])
    change = options["reliable_change"]
    if change is None and scale is not None and scale.reliable_change is not None:
        change = scale.reliable_change.value
    if method in RELIABLE_CHANGES and change is not None and options["reliability"] is None:
        idle = [f"--{name}" for name in _INDEX_ALONE if name in said]
        if idle:
            raise Undecided(f"{', '.join(idle)}: not used with a reliable change of {change:g}"
                            " points; for an index, give --reliability as well")  # fmt: skip
    own_line = options["cutoff"] is None and options["cutoff_type"] is None
    published = scale.cutoff_for(options["rater"]) if scale is not None and own_line else None
    points = _points(options, change)
    sem = scale.sem if scale is not None else None
    return Choices(
        instrument=options["instrument"],
        better=_better(method, scale, options["better"]),
        pre=options["pre"],
        post=options["post"],
        mean=options["mean"],
        sd=options["sd"],
        reliability=options["reliability"],
        reliability_after=options["reliability_after"],
        reliable_change=change,
        z=options["z"],
        cutoff=options["cutoff"],
        functional=None if published is None else lambda score: not meets(published, score),
        cutoff_kind=options["cutoff_type"],
        clinical_population=_population(options["clinical"]),
        functional_population=_population(options["functional"]),
        criteria=_criteria(options, points),
        baseline=options["baseline"],
        floor=sem or 0.0 if options["floor"] is None else options["floor"],
        last=options["last"],
        confidence=options["confidence"],
        thresholds=_thresholds(points, options["sd"] or (scale.sd if scale else None)),
    )


def notation_of(options: Mapping[str, Any]) -> Notation:
    """Return how the table is written, by some options.

    Raises:
        Undecided: when the instrument, or its scale, is not there.
    """
    scale = _scale(options["instrument"], options["scale"])
    return Notation(
        point="," if options["decimal"] == "comma" else ".",
        missing=frozenset(one.strip().lower() for one in options["missing"]) or None,
        limits=None if scale is None else (scale.minimum, scale.maximum),
        limits_of="" if scale is None else f"{options['instrument']} {scale.name}",
        dates=options["dates"],
    )


def _check(options: Mapping[str, Any]) -> None:
    """Refuse two answers to one question, of which one would be passed over in silence."""
    for one, other in (
        ("reliable_change", "reliability"),
        ("cutoff", "cutoff_type"),
        ("points", "reliable_change"),
        ("points", "reliability"),
    ):
        if options[one] is not None and options[other] is not None:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in (one, other))
            raise Undecided(f"{names}: take one")
    if options["critical"] is not None and "stability" in options["without"]:
        raise Undecided("--critical, --without stability: take one")
    for name in ("functional", "clinical"):
        if options[name] is not None and options["cutoff_type"] is None:
            raise Undecided(f"--{name}: for which cut-off? --cutoff-type a, b or c")


def _check_use(method: str, said: Collection[str]) -> None:
    """Refuse what a method does not look at: whoever said it would think that it counted."""
    every = frozenset[str]().union(*USED.values())
    idle = sorted(f"--{name.replace('_', '-')}" for name in said
                  if name in every and name not in USED[method])  # fmt: skip
    if idle:
        raise Undecided(f"{method} does not look at {', '.join(idle)}")
    if {"alpha", "critical"} <= set(said):
        raise Undecided("--alpha, --critical: take one")


def _points(options: Mapping[str, Any], change: float | None) -> float | None:
    """Return the least change in points: as said, a reliable change, or computed from noise."""
    if options["points"] is not None or change is not None:
        return float(options["points"] or change or 0)
    if options["sd"] is None or options["reliability"] is None:
        return None
    return reliable_change(
        options["sd"], options["reliability"], options["z"] or z_of(options["confidence"])
    )


def _criteria(options: Mapping[str, Any], points: float | None) -> Criteria:
    said = {"points": points, "share": options["share"], "stability": options["alpha"]}
    if set(CRITERIA) <= set(options["without"]):
        raise Undecided("--without: leave one criterion in")
    points, share, alpha = (
        None if name in options["without"] else said[name] for name in CRITERIA
    )
    return Criteria(points, share, alpha, options["critical"])


def _better(method: str, scale: Scale | None, said: Better | None) -> Better:
    unasked = method in ("trend", "control-chart")
    if scale is not None and scale.direction == "descriptive" and said is None and not unasked:
        raise Undecided("that scale is descriptive: no way of it is better")
    if scale is not None and scale.direction != "descriptive":
        own: Better = "higher" if scale.direction == "higher" else "lower"
        if said not in (None, own):
            raise Undecided(f"--better {said}: of that instrument {own} is better")
        return own
    if said is not None:
        return said
    if unasked:
        return "higher"  # Neither of them asks.
    raise Undecided(
        "which way is better? --better lower (symptoms), --better higher (alliance,"
        " wellbeing), or an --instrument that says so"
    )


def _scale(instrument: str | None, name: str | None) -> Scale | None:
    if instrument is None and name is not None:
        raise Undecided("--scale: of which --instrument?")
    if instrument is None:
        return None
    found = latest(instrument)
    if found is None:
        raise Undecided(f"there is no instrument {instrument!r}")
    if name is None:
        return found.leading
    scale = found.scale(name)
    if scale is None:
        every = ", ".join(scale.name for scale in found.scales)
        raise Undecided(f"{instrument} has no scale {name!r}; it has: {every}")
    return scale


def _population(given: _Pair | None) -> Population | None:
    return None if given is None else Population(*given)


def _thresholds(points: float | None, sd: float | None) -> dict[str, float]:
    found = {} if sd is None else {"1_sd": sd, "2_sd": 2 * sd}
    return found if points is None else {"points": points, **found}
