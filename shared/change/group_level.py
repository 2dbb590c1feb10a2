"""What a whole group did, from estimated true scores (Hageman & Arrindell 1999).

Beside each person's own change stands a question about the group: in what share of it did the
true score change for the better, and in what share is it in the functional range now? Observed
scores vary more than true ones, so both take the true spread, with a normal distribution:

    changed      Φ(± M_d ÷ (SD_d·√r_dd)),  d = post − pre
    functional   Φ(± (M_post − cut-off) ÷ (SD_post·√r_post)),  r_post = 1 − SE² ÷ SD_post²

and + where higher is better. Of scores after with an SD of 10, and a standard error of 6, the
true spread is √(100 − 36) = 8; a mean of 53 lies one such spread above 45, and Φ(1) = .8413:

>>> round(share_functional("higher", 45, Population(53, 10), 6), 4)
0.8413
"""

import math
from statistics import NormalDist

from shared.change.reliable import Better, Noise, Population, reliability_of_differences


def share_changed(better: Better, noise: Noise) -> float | None:
    """Return the share of a group, 0 to 1, whose true score changed for the better.

    Returns:
        None where the differences are all noise, or unknown.
    """
    sample = noise.sample
    r_dd = reliability_of_differences(noise)
    if r_dd is None or sample.correlation is None:
        return None
    before, after = sample.pre.sd, sample.post.sd
    spread = before**2 + after**2 - 2 * before * after * sample.correlation
    return _share(better, sample.post.mean - sample.pre.mean, math.sqrt(spread * r_dd))


def share_functional(better: Better, line: float, after: Population, error: float) -> float | None:
    """Return the share of a group, 0 to 1, whose true score is in the functional range.

    Args:
        better: Which way is better.
        line: Cut-off between true scores, in points.
        after: Of the scores after.
        error: Standard error of measurement.

    Returns:
        None where the scores after are all noise.
    """
    true = after.sd**2 - error**2
    return None if true <= 0 else _share(better, after.mean - line, math.sqrt(true))


def _share(better: Better, away: float, spread: float) -> float:
    return NormalDist().cdf((away if better == "higher" else -away) / spread)
