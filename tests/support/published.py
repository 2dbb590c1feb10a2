"""Published data sets with published results, as numbers; each with its source."""

from collections.abc import Mapping, Sequence
from typing import Final

CLAUS_HAMD: Final[Sequence[tuple[int, int]]] = (
    (25, 13), (15, 11), (28, 4), (30, 25), (21, 9), (26, 17), (31, 15), (21, 2), (27, 8), (28, 7),
    (23, 13), (24, 30), (28, 9), (26, 8), (27, 14), (32, 27), (27, 20), (25, 28), (28, 14),
    (25, 24), (22, 10), (24, 18), (24, 22), (21, 8), (18, 20), (27, 2), (25, 13), (27, 18),
    (22, 2), (23, 16), (25, 16), (25, 24), (26, 8), (22, 6), (24, 22), (23, 20), (26, 18),
    (28, 24), (24, 9), (21, 25),
)  # fmt: skip
"""HAM-D before and after of 40 people (Claus, Scherbaum & Bonnet 2020), read off the figure with
which the R package clinicalsignificance checks its own plots."""

CLAUS_GROUPS: Final = "TPPTPTPPPTPTPPPTPTPTPTTPTPTPPTPTPPTTPTTT"
"""Treatment as usual or placebo amplification of the same people, by that figure's colours."""

SUDDEN_GAINS: Final[Mapping[str, Sequence[int | None]]] = {
    "1": (35, 37, 34, 23, 24, 21, 29, 17, 11, 11, 10, 7),
    "2": (26, None, 26, None, 27, 17, 19, 11, 10, 3, None, 7),
    "3": (35, 38, 35, 37, 36, 37, None, 35, 26, 24, None, 19),
    "4": (31, 30, 32, 22, 22, 20, 21, 19, 24, 33, 30, 28),
    "5": (39, 37, 36, 26, 26, 23, 21, 19, 6, 7, 8, 8),
    "6": (37, None, 23, None, 23, 21, None, None, 19, None, 16, 13),
    "7": (37, None, 23, 21, None, 21, None, None, None, None, None, 20),
    "8": (41, 37, None, None, None, None, None, None, None, None, None, None),
    "9": (35, 34, 32, 23, 24, 22, 21, 17, 14, 10, 13, 11),
    "10": (35, 35, 25, 25, 17, 17, 16, 16, 11, 9, 7, 8),
    "11": (40, None, 36, 37, 36, 37, None, 34, 26, 25, None, 19),
    "12": (38, 38, 31, 23, 21, 22, 24, 25, 30, 31, None, 25),
    "13": (34, 33, 36, 23, 25, 23, 19, 18, 10, 9, 8, 9),
    "14": (39, 37, 23, None, 23, 21, None, None, 21, None, 16, 14),
    "15": (28, 19, 23, 12, 13, None, 13, None, None, None, None, 22),
    "16": (25, None, None, None, None, None, None, None, None, None, None, 20),
    "17": (41, 37, None, None, None, None, None, None, None, None, None, None),
    "18": (None, 38, 35, 24, None, 22, 17, 16, None, 9, 11, 13),
    "19": (32, 30, 29, 28, 26, 23, 19, 21, 20, 20, 19, 12),
    "20": (35, 24, 24, 22, 22, 21, 18, 16, 16, 14, 13, 12),
    "21": (37, 36, 33, 33, 31, 29, 27, 27, 25, 25, 24, 23),
    "22": (35, 20, 19, 21, 24, 25, 20, 16, 16, 13, 11, 10),
    "23": (35, 33, 33, 32, None, 25, 21, 21, 22, 23, 22, 21),
    "24": (30, 25, 20, 15, 10, 5, 3, 1, 2, 3, 2, 1),
    "25": (29, 27, 25, 25, 21, 22, 18, 19, 17, 14, 13, 14),
    "26": (26, 26, 24, 24, 23, 20, 19, 16, 15, 15, 14, 13),
    "27": (35, 34, 33, 29, None, None, 26, 23, 21, 20, 19, 23),
    "28": (33, 27, 23, None, 22, 19, 18, 14, 12, 13, 12, 11),
    "29": (24, 23, 21, 21, 19, 16, 13, 14, 12, 10, 9, 4),
    "30": (25, 26, 24, 24, 21, 19, 18, 17, 17, 15, 14, 6),
    "31": (42, 36, 30, 26, 20, 14, 12, 13, 15, 12, 11, 10),
    "32": (40, 34, 34, 30, 24, 24, 21, 18, 17, 18, 17, 16),
    "33": (30, 28, 27, 27, 25, 24, 22, 20, 18, 20, 19, 12),
    "34": (28, 22, 17, 12, 13, 11, 8, 20, 22, 18, 17, 20),
    "35": (36, 19, 13, 11, 12, 11, 4, 22, 22, 18, 7, 20),
    "36": (40, 39, 36, 34, 32, 28, 28, None, None, None, None, 20),
    "37": (31, 26, 22, 17, 19, 18, 17, 14, 14, 13, 12, 11),
    "38": (37, 35, 33, 32, 29, 27, 24, 22, 22, 20, 19, 18),
    "39": (35, 34, 33, 24, 25, 22, 20, 16, 14, 12, 8, 9),
    "40": (30, 31, 23, 22, 21, 10, 12, 11, 1, 2, 3, 8),
    "41": (40, 41, 39, 30, 29, 26, 15, 12, 11, 3, 2, 0),
    "42": (50, 45, 40, 38, 39, 15, 13, 10, 1, 2, 3, 3),
    "43": (49, 47, 45, 37, 35, 21, 19, 5, 7, 8, 8, 8),
}
"""BDI of sessions 1 to 12 of 43 people, made up for the tutorial of the R package suddengains
(Wiedemann et al. 2020, PLOS ONE 0230276; MIT licence), as its page shows them."""

SUDDEN_GAINS_FOUND: Final[Sequence[tuple[str, int, int, bool]]] = (
    ("1", 3, 11, True), ("1", 7, 12, False), ("3", 8, 9, False), ("4", 3, 10, True),
    ("5", 3, 10, False), ("5", 8, 13, False), ("9", 3, 9, False), ("10", 2, 10, False),
    ("10", 4, 8, False), ("12", 3, 8, True), ("13", 3, 13, False), ("13", 8, 8, False),
    ("14", 2, 14, False), ("18", 3, 11, False),
)  # fmt: skip
"""(client, session before, magnitude, reversed) of the first 18, as the package prints them."""

LOAN_COSTS: Final[Sequence[int]] = (
    310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306,
    301, 304,
)  # fmt: skip
"""Costs of processing a loan, 20 weeks (Montgomery, Introduction to Statistical Quality Control,
example 6.5): centre 300.5, mean moving range 7.79, limits 279.78 and 321.22."""

FLOW_RATES: Final[Sequence[float]] = (
    49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1,
)  # fmt: skip
"""Ten batches (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2, public domain): centre
50.81, limits 45.8159 and 55.8041."""

CLOUD_SEEDING: Final[Sequence[float]] = (1.26, 1.27, 1.12, 1.16, 1.03)
"""Ratios of five years (Hollander & Wolfe, Nonparametric Statistical Methods, example 9.1):
C = -6, one-sided p .117, slope -.056."""

TUNA: Final[Sequence[tuple[float, float]]] = (
    (44.4, 2.6), (45.9, 3.1), (41.9, 2.5), (53.3, 5.0), (44.7, 3.6), (44.1, 4.0), (50.7, 5.2),
    (45.2, 2.8), (60.1, 3.8),
)  # fmt: skip
"""Hunter L and panel score of nine lots (Hollander & Wolfe, example 8.1): 26 pairs rise, p .1194,
as the help of R's cor.test prints them."""

GRAYBILL: Final[Sequence[tuple[float, float]]] = (
    (1, 9), (2, 15), (3, 19), (4, 20), (10, 45), (12, 55), (18, 78),
)  # fmt: skip
"""Times and values (Graybill, in Sen 1968, J Am Stat Assoc 63:1379-1389): slope 4, and from 26/7
to 35/8 with a confidence of 93 %."""
