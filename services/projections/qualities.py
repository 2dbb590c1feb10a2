"""What the drawings say of the facets of the alliance: one calm line for each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.alliance.wording import counted, figure, instrument_named

CATEGORIES: Final[Mapping[str, str]] = {
    "recovered": "a reliable change for the better, past the cut-off",
    "improved": "a reliable change for the better",
    "unchanged": "no reliable change",
    "deteriorated": "a reliable change for the worse",
    "harmed": "a reliable change for the worse, past the cut-off",
}
"""What the categories of Jacobson and Truax mean, in words that no client is called by."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One facet.

    Attributes:
        title: Its name, as people write it.
        says: Its level, what that stands on and how old it is; its course; the facts beside it.
        level: Now, in percent of the best possible; None without a rating within eight weeks.
        course: The mean of each four weeks of the last year that have a rating.
    """

    title: str
    says: str
    level: float | None
    course: tuple[float, ...]


def qualities(facets: Mapping[str, Any]) -> tuple[Quality, ...]:
    """Return the facets of a timeline of which something is known, in its order."""
    return tuple(
        Quality(
            name.replace("_", " "),
            says,
            facet["level"],
            tuple(one["level"] for one in facet["course"]),
        )
        for name, facet in facets.items()
        if (says := "; ".join(_parts(facet)))
    )


def _parts(facet: Mapping[str, Any]) -> Iterator[str]:
    if facet["level"] is not None:
        yield f"{figure(facet['level'])} % of the best possible ({_basis(facet)})"
    elif facet["course"]:
        yield "no rating within eight weeks"
    if len(facet["course"]) > 1:
        course = ", ".join(figure(one["level"], 0) for one in facet["course"])
        yield f"by four weeks: {course}"
    if facet["facts"]["total"]:
        last = facet["facts"]["latest"][-1]
        what = last["type"].replace(".", " ").replace("_", " ")
        beside = counted(facet["facts"]["total"], "fact")
        yield f"{beside} beside it, the latest: {what} on {last['occurred_at'][:10]}"
    if "numbers" in facet:
        yield f"{counted(facet['numbers']['sessions_held'], 'session')} held"
    for one in facet.get("since_first", ()):
        yield _since(one)


def _since(one: Mapping[str, Any]) -> str:
    """Return how far the ratings on one instrument have come, against the noise of measuring."""
    change = one["change"]
    said = "whether that is reliable is not analysable"
    if change is not None:
        said = f"{CATEGORIES[change['category']]} (from {figure(change['needed'])} on it is one)"
    name = instrument_named(one["instrument"], one["validated"])
    first, latest = figure(one["first"]["value"]), figure(one["latest"]["value"])
    return f"{name} {first} at first and {latest} now, {counted(one['ratings'], 'rating')}: {said}"


def _basis(facet: Mapping[str, Any]) -> str:
    first = facet["evidence"][0]
    scales = ", ".join(one["scale"].replace("_", " ") for one in facet["evidence"])
    days = facet["age_days"]
    age = f", {counted(days, 'day')} before the last fact" if days else ""
    instrument = instrument_named(first["instrument"], first["validated"])
    return f"{first['rater']}, {instrument} {scales}{age}"
