"""Figures as a table prints them: rounded as people round by hand."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

DIGITS: Final = 400
"""Enough for any figure with fifteen decimals."""

NOISE: Final = 12
"""Decimals beyond which a float is noise, unless more are asked for."""


def rounded(value: float, decimals: int) -> str:
    """Return a figure with so many decimals, a half away from zero.

    Binary formatting prints 0.125 as 0.12 and 1.005 as 1.00; whoever recomputes a figure by hand
    rounds what is written, half up, as published tables do.
    """
    with localcontext(prec=DIGITS):
        exact = Decimal(repr(round(value, max(NOISE, decimals))))
        shown = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{shown + 0 if shown else abs(shown):f}"


def share(part: int, whole: int, decimals: int = 2) -> str:
    """Return ``3 of 16 (18.75 %)``, computed from the counts themselves."""
    with localcontext(prec=DIGITS):
        exact = Decimal(100 * part) / Decimal(whole)
        shown = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{part} of {whole} ({shown:f} %)"
