"""Small words that rules and measures need, so that a figure reads the same everywhere. Pure."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_NOISE: Final = 9
"""Decimals beyond which a float is noise: (81.2 + 81.3) ÷ 2 is 81.25."""


def counted(n: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 session``, ``2 sessions``, ``10.5 days``."""
    said = str(n) if isinstance(n, int) else figure(n)
    return f"{said} {one if n == 1 else many or one + 's'}"


def passed(n: float, unit: str) -> str:
    """Return that so much time is over: ``1 week has passed``, ``12 weeks have passed``."""
    return f"{counted(n, unit)} {'has' if n == 1 else 'have'} passed"


def of_the_last(n: int, of: int, noun: str) -> str:
    """Return how many of some there were, with the verb: ``1 of the last 8 sessions was``."""
    if of == 1:
        return f"The last {noun} was"
    return f"{n} of the last {counted(of, noun)} {'was' if n == 1 else 'were'}"


def figure(value: float, decimals: int = 2) -> str:
    """Return a figure with no more digits than it needs, and so many decimals at most."""
    return f"{rounded(value, decimals):g}"


def rounded(value: float, decimals: int = 0) -> float:
    """Return a figure with so many decimals, a half away from zero: as whoever recomputes it."""
    exact = Decimal(repr(round(value, _NOISE)))
    return float(exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)) + 0.0


def instrument_named(key: str, validated: bool | None) -> str:
    """Return an instrument as people read it: whoever sees a figure sees what it is worth."""
    return f"{key} (own, not validated)" if validated is False else key


def listed(names: Sequence[str], by: str = "and") -> str:
    """Return names as people list them: ``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {by} {names[-1]}"


def excused(not_counted: Mapping[str, int]) -> str:
    """Return a sentence that lists what was left out and why; empty where nothing was."""
    if not not_counted:
        return ""
    reasons = ", ".join(f"{n} × {reason.replace('_', ' ')}" for reason, n in not_counted.items())
    return f" Not counted: {reasons}."
