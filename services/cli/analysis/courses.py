"""Whole courses: sudden gains and losses, control charts, trends, ruptures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Final

from services.cli.analysis.choices import NOT_ANALYSABLE, Choices, Found, Row, Undecided
from services.cli.analysis.table import Course, ScoreTable
from shared.change import ruptures, sudden
from shared.change.chart import Chart, individuals_chart
from shared.change.trend import kendall_tau, mann_kendall, theil_sen

DAYS_PER_4_WEEKS: Final = 28
FEWEST: Final = 2
"""Scores that a chart needs."""

MOST: Final = 2_000
"""Scores of one client that a trend looks at; two million pairs."""


def _sudden(table: ScoreTable, choices: Choices) -> Found:
    rows: list[Row] = []
    checked: list[bool] = []
    for course in table.courses:
        occasions, values = table.on_grid(course)
        gains, losses = (
            sudden.intervals(values, way, choices.criteria) for way in (choices.up, choices.worse)
        )
        checked += [one.met is not None for one in gains]
        for kind, found in (("gain", gains), ("loss", losses)):
            rows += [_sudden_row(course, kind, one, occasions, values) for one in found if one.met]
    gained, lost = ([row for row in rows if row["kind"] == kind] for kind in ("gain", "loss"))
    sizes = [abs(row["change"]) for row in gained]
    by_client = Counter(row["client"] for row in gained)
    criteria = choices.criteria
    used = {"better": choices.better, "points": criteria.points, "share": criteria.share,
            "alpha": criteria.alpha,
            "critical_value": criteria.critical or "t, by how many values there are"}  # fmt: skip
    summary = {
        "clients": len(table.courses),
        "intervals_analysed": sum(checked),
        "intervals_not_analysable": len(checked) - sum(checked),
        "gains": len(gained),
        "clients_with_gains": len(by_client),
        "clients_with_several_gains": sum(count > 1 for count in by_client.values()),
        "mean_gain": fmean(sizes) if sizes else None,
        "sd_gain": stdev(sizes) if len(sizes) > 1 else None,
        "losses": len(lost),
        "clients_with_losses": len({row["client"] for row in lost}),
        "gains_reversed": sum(bool(row["reversed_at"]) for row in gained),
    }
    return Found(used, rows, summary, [
        f"The {which} criterion was left out: {why}."
        for which, why, value in (
            ("first", "give --points, such as 7 on the BDI", criteria.points),
            ("second", "--without share", criteria.share),
            ("third", "--without stability", criteria.alpha),
        )
        if value is None
    ])  # fmt: skip


def _sudden_row(
    course: Course,
    kind: str,
    one: sudden.Interval,
    occasions: Sequence[str],
    values: Sequence[float | None],
) -> Row:
    return {
        "client": course.client,
        "kind": kind,
        "between": occasions[one.before],
        "and": occasions[one.before + 1],
        "from": values[one.before],
        "to": values[one.before + 1],
        "change": one.change,
        "mean_before": None if one.means is None else one.means[0],
        "mean_after": None if one.means is None else one.means[1],
        "needed": one.needed,
        "reversed_at": None if one.reversed_at is None else occasions[one.reversed_at],
    }


def _charts(table: ScoreTable, choices: Choices) -> Found:
    rows: list[Row] = []
    for course in table.courses:
        baseline = _first(course.scores, choices.baseline or len(course.scored))
        rows.append(_chart_row(course, individuals_chart(baseline, choices.floor)))
    used = {"baseline": choices.baseline or "all values", "sigma": "mean moving range ÷ 1.128",
            "floor": choices.floor, "limits": "centre ± 3 sigma; warning beyond 2"}  # fmt: skip
    charted = [row for row in rows if row["centre"] is not None]
    summary = {
        "clients": len(rows),
        "analysed": len(charted),
        "not_analysable": len(rows) - len(charted),
        "clients_with_signals": sum(bool(row["signals"]) for row in charted),
    }
    short = sum(len(course.scored) < (choices.baseline or FEWEST) for course in table.courses)
    notes = [
        f"{count} of {len(rows)} clients are not analysable: {why}."
        for count, why in (
            (short, f"they have fewer than {choices.baseline or FEWEST} scores (--baseline)"),
            (len(rows) - len(charted) - short,
             "their first scores never vary, or have no neighbours (--floor gives a least sigma)"),
        )
        if count
    ]  # fmt: skip
    return Found(used, rows, summary, notes)


def _first(scores: Sequence[float | None], wanted: int) -> Sequence[float | None]:
    """Return a course up to so many scores, with the missing ones between; nothing: too few."""
    present = [at for at, score in enumerate(scores) if score is not None]
    return scores[: present[wanted - 1] + 1] if 0 < wanted <= len(present) else ()


def _chart_row(course: Course, chart: Chart | None) -> Row:
    row: Row = {"client": course.client, "n": len(course.scored)}
    if chart is None:
        unknown = ("centre", "moving_range", "sigma", "lower", "upper", "warnings")
        return {**row, **dict.fromkeys(unknown), "signals": NOT_ANALYSABLE}
    places = {occasion: chart.place(score) for occasion, _, score in course.scored}
    low, high = chart.limits
    return {
        **row,
        "centre": chart.centre,
        "moving_range": chart.moving_range,
        "sigma": chart.sigma,
        "lower": low,
        "upper": high,
        "warnings": [at for at, place in places.items() if place == "warning"],
        "signals": [at for at, place in places.items() if place == "signal"],
    }


def _trends(table: ScoreTable, choices: Choices) -> Found:
    dated = table.unit == "days"
    unit = "slope_per_4_weeks" if dated else "slope_per_occasion"
    scale = DAYS_PER_4_WEEKS if dated else 1
    rows: list[Row] = []
    for course in table.courses:
        scored = course.scored[-choices.last :]
        if len(scored) > MOST:
            raise Undecided(
                f"client {course.client} has {len(scored)} scores, and a trend looks at every"
                f" pair of them: take the last ones, --last {MOST}"
            )
        times = [time / scale for _, time, _ in scored]
        values = [score for _, _, score in scored]
        slope, test = theil_sen(times, values, choices.confidence), mann_kendall(values)
        known = slope is not None
        rows.append({
            "client": course.client,
            "n": len(values),
            unit: slope.slope if slope else None,
            "low": slope.low if slope else None,
            "high": slope.high if slope else None,
            "tau": kendall_tau(values) if known else None,
            "s": test.s if known else None,
            "var_s": test.variance if known else None,
            "z": test.z if known else None,
            "p_normal": test.p_normal if known else None,
            "p": test.p_two_sided if known else None,
            "p_falling": test.p_falling if known else None,
            "p_rising": test.p_rising if known else None,
            "exact": test.exact if known else NOT_ANALYSABLE,
        })  # fmt: skip
    used = {"slope": "Theil–Sen", "test": "Mann–Kendall", "confidence": choices.confidence,
            "last": choices.last or "all values"}  # fmt: skip
    tested = [row for row in rows if row["p"] is not None]
    summary = {"clients": len(rows), "analysed": len(tested),
               "not_analysable": len(rows) - len(tested)}  # fmt: skip
    return Found(used, rows, summary)


def _ruptures(table: ScoreTable, choices: Choices) -> Found:
    if not choices.thresholds:
        raise Undecided("how large is a rupture? Give --sd (1 and 2 SD are reported), --points, or"
                        " an --instrument with a published SD or reliable change")  # fmt: skip
    rows: list[Row] = []
    for course in table.courses:
        occasions = [occasion for occasion, _, _ in course.scored]
        values = [score for _, _, score in course.scored]
        for name, threshold in choices.thresholds.items():
            rows += [
                {
                    "client": course.client,
                    "threshold": name,
                    "after": occasions[one.begins],
                    "seen": occasions[one.seen],
                    "level": one.level,
                    "depth": one.depth,
                    "how": "in one step" if one.in_one_step else "over several",
                    "state": one.state,
                    "repaired_at": None if one.repaired_at is None else occasions[one.repaired_at],
                }
                for one in ruptures.ruptures(values, threshold, choices.worse)
            ]
    short = sum(len(course.scored) <= ruptures.LEVEL_OF for course in table.courses)
    summary: Row = {"clients": len(table.courses), "not_analysable": short}
    for name in choices.thresholds:
        own = [row for row in rows if row["threshold"] == name]
        whose = len({row["client"] for row in own})
        summary[f"ruptures_{name}"] = f"{len(own)} in {whose} clients"
    return Found({"better": choices.better, **choices.thresholds}, rows, summary)


COURSES: Final[Mapping[str, Callable[[ScoreTable, Choices], Found]]] = {
    "sudden-gains": _sudden,
    "control-chart": _charts,
    "trend": _trends,
    "ruptures": _ruptures,
}
