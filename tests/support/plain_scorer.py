"""A second, plain scorer, written from the words of the domain notes and from nothing else.

It shares no line and no data file with the product's own, so that a slip in either shows. Exact
fractions throughout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

Answers = Mapping[int, Fraction]


@dataclass(frozen=True)
class PlainScale:
    """A scale as the notes tell it.

    Attributes:
        items: Numbers of its items.
        times: None: the sum of its items; else so many times their mean.
        missing: How many answers may be missing; the mean of the others stands in for each.
        whole: Whether what stands in is rounded to a whole answer first.
    """

    items: Sequence[int]
    times: int | None = None
    missing: int = 0
    whole: bool = False


@dataclass(frozen=True)
class PlainInstrument:
    """An instrument as the notes tell it.

    Attributes:
        count: How many items.
        low: Lowest answer.
        high: Highest answer.
        scales: By name.
        steps: Into how many steps one point of an answer is divided.
        turned: The reversed items.
        added: A total that is the sum of all scales, and has a score where all of them have one.
        whole_form: No score at all where any answer is missing.
    """

    count: int
    low: int
    high: int
    scales: Mapping[str, PlainScale]
    steps: int = 1
    turned: Sequence[int] = field(default=())
    added: bool = False
    whole_form: bool = False


def plain_scores(instrument: PlainInstrument, answers: Answers) -> dict[str, Fraction]:
    """Return each scale's score, where the missing rule gives one."""
    if not answers or (instrument.whole_form and len(answers) < instrument.count):
        return {}
    turned = {
        number: instrument.low + instrument.high - answer
        if number in instrument.turned
        else answer
        for number, answer in answers.items()
    }
    scores = {}
    for name, scale in instrument.scales.items():
        filled = _filled(scale, turned)
        if filled is not None:
            whole = sum(filled, Fraction(0))
            scores[name] = whole if scale.times is None else scale.times * whole / len(filled)
    if instrument.added and len(scores) == len(instrument.scales):
        scores["total"] = sum(scores.values(), Fraction(0))
    return scores


def _filled(scale: PlainScale, answers: Answers) -> list[Fraction] | None:
    """Return an answer for every item, one standing in for each missing; None: too many are."""
    given = [answers[number] for number in scale.items if number in answers]
    missing = len(scale.items) - len(given)
    if missing > scale.missing:
        return None
    stands_in = sum(given, Fraction(0)) / len(given)
    if scale.whole:
        down = stands_in.numerator // stands_in.denominator
        stands_in = Fraction(down + (1 if stands_in - down >= Fraction(1, 2) else 0))
    return given + [stands_in] * missing


_LIFE = ("individual", "interpersonal", "social", "overall")
_FOUR = {name: PlainScale([n]) for n, name in enumerate(_LIFE, 1)}
_RELATIONSHIP = ("relationship", "goals_and_topics", "approach_or_method", "overall")
_WAI_SR = {
    "goal": PlainScale((4, 6, 8, 11), missing=1),
    "task": PlainScale((1, 2, 10, 12), missing=1),
    "bond": PlainScale((3, 5, 7, 9), missing=1),
}
_PULSE = (
    "trust", "safety", "understanding", "collaboration", "confidentiality", "validation",
    "listening", "support", "goal_orientation", "boundaries", "respect", "consistency",
    "empowerment", "motivation", "expectations", "challenge", "flexibility",
)  # fmt: skip

PLAIN: Mapping[str, PlainInstrument] = {
    "srs-3": PlainInstrument(
        4, 0, 10, {name: PlainScale([n]) for n, name in enumerate(_RELATIONSHIP, 1)},
        steps=10, added=True, whole_form=True,
    ),
    "ors": PlainInstrument(4, 0, 10, _FOUR, steps=10, added=True, whole_form=True),
    "cors": PlainInstrument(4, 0, 10, _FOUR, steps=10, added=True, whole_form=True),
    "wai-sr": PlainInstrument(12, 1, 5, _WAI_SR, added=True),
    "wai-sr-t": PlainInstrument(12, 1, 5, _WAI_SR, added=True),
    "wai-s": PlainInstrument(
        12, 1, 7,
        {
            "task": PlainScale((1, 2, 8, 12)),
            "bond": PlainScale((3, 5, 7, 9)),
            "goal": PlainScale((4, 6, 10, 11)),
        },
        turned=(4, 10), added=True,
    ),
    "arm-5": PlainInstrument(5, 1, 7, {"total": PlainScale(range(1, 6), times=1)}, turned=(3,)),
    "haq-2": PlainInstrument(
        19, 1, 6, {"total": PlainScale(range(1, 20))}, turned=(4, 8, 11, 16, 19)
    ),
    "phq-9": PlainInstrument(9, 0, 3, {"total": PlainScale(range(1, 10), missing=2)}),
    "gad-7": PlainInstrument(7, 0, 3, {"total": PlainScale(range(1, 8), missing=1)}),
    "core-10": PlainInstrument(
        10, 0, 4, {"total": PlainScale(range(1, 11), times=10, missing=1)}, turned=(2, 3)
    ),
    "core-om": PlainInstrument(
        34, 0, 4,
        {
            "total": PlainScale(range(1, 35), times=10, missing=3),
            "wellbeing": PlainScale((4, 14, 17, 31), times=10),
            "problems": PlainScale(
                (2, 5, 8, 11, 13, 15, 18, 20, 23, 27, 28, 30), times=10, missing=1
            ),
            "functioning": PlainScale(
                (1, 3, 7, 10, 12, 19, 21, 25, 26, 29, 32, 33), times=10, missing=1
            ),
            "risk": PlainScale((6, 9, 16, 22, 24, 34), times=10),
        },
        turned=(3, 4, 7, 12, 19, 21, 31, 32),
    ),
    "oq-45": PlainInstrument(
        45, 0, 4,
        {
            "distress": PlainScale(
                (2, 3, 5, 6, 8, 9, 10, 11, 13, 15, 22, 23, 24, 25, 27, 29, 31, 33, 34, 35, 36, 40,
                 41, 42, 45),
                missing=5, whole=True,
            ),
            "relations": PlainScale(
                (1, 7, 16, 17, 18, 19, 20, 26, 30, 37, 43), missing=2, whole=True
            ),
            "role": PlainScale((4, 12, 14, 21, 28, 32, 38, 39, 44), missing=1, whole=True),
        },
        turned=(1, 12, 13, 20, 21, 24, 31, 37, 43), added=True,
    ),
    "bdi-2": PlainInstrument(21, 0, 3, {"total": PlainScale(range(1, 22))}),
    "gbo": PlainInstrument(3, 0, 10, {"total": PlainScale(range(1, 4), times=1, missing=2)}),
    "pulse": PlainInstrument(
        17, 0, 10,
        {
            "core": PlainScale(range(1, 5), times=1, missing=1),
            "full": PlainScale(range(1, 18), times=1, missing=4),
        }
        | {name: PlainScale([n]) for n, name in enumerate(_PULSE, 1)},
    ),
}  # fmt: skip
"""Every instrument that takes answers."""
