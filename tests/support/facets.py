"""What a timeline says of the facets of the alliance, without those of which it says nothing."""

from collections.abc import Mapping
from typing import Any


def spoken_of(facets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facets that a rating, a fact or a number speaks of."""
    return {
        name: facet
        for name, facet in facets.items()
        if facet["course"] or facet["facts"]["total"] or "numbers" in facet
    }
