"""Figures as they are asked for, and as a table prints them: rounded as people round by hand."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

import click

MOST: Final = 1e12
"""Larger numbers are no scores, and no occasions."""

LEAST: Final = 1e-12
"""Smaller ones are noise of a computer."""

DIGITS: Final = 400
"""Enough for any figure with fifteen decimals."""

NOISE: Final = 12
"""Decimals beyond which a float is noise, unless more are asked for."""


class Number(click.types.FloatParamType):
    """A number that can be computed with."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it; refuse what is not finite, or so large or small that it is no figure."""
        number = float(super().convert(value, param, ctx))
        if not abs(number) <= MOST or 0 < abs(number) < LEAST:
            self.fail(f"{value} is no number to compute with.", param, ctx)
        return number


class Within(click.FloatRange):
    """A number within a range; ``nan`` is in every one, and gives wrong figures."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it; refuse also what only a computer's noise keeps from the end of the range."""
        number = Number().convert(super().convert(value, param, ctx), param, ctx)
        if self.max is not None and self.max - number < LEAST:
            self.fail(f"{value} is too near to {self.max:g}.", param, ctx)
        return number


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
