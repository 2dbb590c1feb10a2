"""From what stands in a cell to a score: missing ones, decimals, what cannot be a score."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.cli.analysis.figures import LEAST, MOST
from services.cli.analysis.occasions import DateOrder, number

MISSING: Final = frozenset(
    {"", "na", "n/a", "nan", "null", "none", ".", "-", "?", "missing", "#n/a", "#nv", "<na>"}
)
"""What stands for a missing score, in any case of letters."""

CODES: Final = frozenset(
    float(sign + digit * times) for sign in ("", "-") for digit in "789" for times in range(1, 5)
) - {7.0, 8.0, 9.0, 77.0, 88.0}
"""Numbers that people write where a score is missing (own list)."""

TOO_LARGE: Final = 2
"""A code is taken for one where it is so many times any other score (own)."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How a table writes its scores and occasions.

    Attributes:
        point: The decimal point.
        missing: What else stands for a missing score, as the owner of the table said; None: they
            said nothing, so a number that looks like a code is refused.
        limits: Lowest and highest possible score; None: not known.
        limits_of: Whose they are, such as ``phq-9 total``.
        dates: Which of the numbers of a date is the month, where they are not ISO 8601.
    """

    point: str = "."
    missing: frozenset[str] | None = None
    limits: tuple[float, float] | None = None
    limits_of: str = ""
    dates: DateOrder | None = None

    def score(self, written: str) -> float | str | None:
        """Return a score, None where it is missing, or what is wrong with it."""
        if written.lower() in MISSING:
            return None
        value = self._number(written)
        if isinstance(value, str):
            return None if written.lower() in (self.missing or ()) else value
        if value in self._missing_numbers():
            return None
        if self.limits and not self.limits[0] <= value <= self.limits[1]:
            low, high = self.limits
            said = f"is not between {low:g} and {high:g} ({self.limits_of})"
            return said + (f"; if it stands for a missing one: --missing {written}"
                           if value in CODES else "")  # fmt: skip
        return value

    def occasion(self, written: str) -> str:
        """Return an occasion; a number in it is written with a point."""
        plain = written.replace(self.point, ".")
        return plain if self.point != "." and number(plain) is not None else written

    def codes(self, scores: Mapping[float, str]) -> list[str]:
        """Return what is wrong with scores that look like codes for missing ones.

        A code is one only beside other scores: the only one below 0, or more than twice any other.

        Args:
            scores: Where the first of each value stands, such as ``line 3``.
        """
        if self.missing is not None:
            return []
        others = [score for score in scores if score not in CODES]
        if not others:
            return []
        lowest, highest = min(others), TOO_LARGE * max(*others, 0.0)
        odd = [one for one in scores if one in CODES and (one < 0 <= lowest or one > highest)]
        return [
            f"{scores[score]}: the score {score:g} looks like a code for a missing one:"
            f" --missing {score:g} if it is; --missing NA if it is a score"
            for score in odd
        ]

    def _missing_numbers(self) -> set[float]:
        told = (self._number(one) for one in self.missing or ())
        return {one for one in told if isinstance(one, float)}

    def _number(self, written: str) -> float | str:
        """Return a number, or what is wrong with it."""
        plain = written.replace("\N{MINUS SIGN}", "-")
        if self.point != ".":
            plain = plain.replace(".", "_").replace(self.point, ".")
        value = number(plain)
        if value is not None:
            return value
        if written.lower().lstrip("+-") in ("inf", "infinity"):
            return "is not a finite number"
        try:
            size = abs(float(plain.replace("_", "x")))
            if size > MOST or 0 < size < LEAST:
                return f"is {'larger' if size > MOST else 'smaller'} than any score"
        except ValueError:
            pass
        return f"is not a number{_hint(written)}"


def _hint(written: str) -> str:
    """Return what may be meant by a score that is no number."""
    if "\n" in written:
        return "; is a quotation mark left open?"
    if "," in written:
        return "; or is the comma its decimal point? --decimal comma"
    return f"; if it stands for a missing one: --missing {shlex.quote(written)}"
