"""``rapport instruments``: what questionnaires may be sent, and each explained to a human."""

import difflib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle, groupby
from typing import Any, Final

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from services.cli.common import json_option
from services.ingest.catalogue import described
from shared.alliance.wording import listed
from shared.events.documents import documented
from shared.instrument import (
    INSTRUMENTS,
    Cutoff,
    Instrument,
    Item,
    ReliableChange,
    Scale,
    Z,
    latest,
)

_COLUMNS: Final = 61
"""Width of a drawn range: a column for each sixtieth of it."""

_SHADES: Final = "·░▒▓█"
_CONSTRUCTS: Final = {
    "alliance": "the relationship, by who rates it",
    "outcome": "how the client fares",
    "session": "how one session was; neither of alliance nor of outcome",
}
_DIRECTIONS: Final = {
    "higher": "higher is better",
    "lower": "lower is better",
    "descriptive": "descriptive: no way of it is better",
}
_MEETS: Final = {"below": "below", "at_or_above": "at or above"}
_NOT_ANALYSABLE: Final = "not analysable"


@click.command()
@click.argument("instrument", metavar="[KEY[@VERSION]]", required=False)
@json_option
def instruments(instrument: str | None, as_json: bool) -> None:
    """List the instruments, or explain one: its scales, numbers and where they come from.

    An instrument is a questionnaire whose answers or scores may be sent as `rating.given`. A
    rating is always scored by the version that it carries. "Not verified" is said of everything
    that nobody has checked in its source yet, "own" of what is Rapport's.

    \b
    Examples:
      rapport instruments
      rapport instruments core-om
      rapport instruments phq-9@1 --json      (as GET /v1/instruments says it)
    """
    chosen = list(INSTRUMENTS.values()) if instrument is None else [_named(instrument)]
    if as_json:
        click.echo(json.dumps(described(chosen), indent=2, ensure_ascii=False))
        return
    if instrument is not None:
        _print(_explained(chosen[0]))
        return
    _print(_listed(chosen))
    click.echo("One of them explained: rapport instruments KEY", err=True)


_Lines = Iterator[tuple[int, Text]]
"""How far each is indented, and what it says."""


def _print(lines: _Lines) -> None:
    """Print lines; only a terminal wraps them, so that in a pipe none is broken."""
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    for indent, line in lines:
        if sys.stdout.isatty():
            console.print(Padding(line, (0, 0, 0, indent)))
        else:
            console.print(Text(" " * indent) + line, soft_wrap=True)


def an_event(instrument: Instrument) -> dict[str, Any]:
    """Return a rating to send, as CloudEvents structured mode has it; its answers are made up.

    Answers where the instrument takes them, half-way up, and the lowest to a risk item; else
    scores, of which it says whether they are sums or means where both are possible.
    """
    given: dict[str, Any] = {"items": {n: _answer(item) for n, item in instrument.items.items()}}
    if "items" not in instrument.accepts:
        scores = [scale for scale in instrument.scales if not scale.parts]
        given = {"scales": {one.name: (one.minimum + one.maximum) / 2 for one in scores}}
        if len(instrument.forms) > 1:
            given["scored_as"] = instrument.forms[0]
    example = documented("rating.given", 1)
    whole: Mapping[str, Any] = example.event if example else {}
    data = {"clinic": "north", "therapist": "t-07", "instrument": instrument.key,
            "instrument_version": instrument.version, "rater": instrument.raters[0]}  # fmt: skip
    return {**whole, "id": f"example/{instrument.key}", "data": {**data, **given}}


def _named(said: str) -> Instrument:
    key, at, version = said.partition("@")
    found = INSTRUMENTS.get((key, version)) if at else latest(key)
    if found is not None:
        return found
    versions = [known_version for known, known_version in INSTRUMENTS if known == key]
    if versions:
        raise click.UsageError(f"{key} has no version {version!r}; it has: {', '.join(versions)}")
    keys = sorted({known for known, _ in INSTRUMENTS})
    near = difflib.get_close_matches(key.lower(), keys, n=3, cutoff=0.5)
    meant = f"did you mean: {', '.join(near)}?" if near else f"there are: {', '.join(keys)}"
    raise click.UsageError(f"there is no instrument {key!r}; {meant}")


def _listed(chosen: Iterable[Instrument]) -> _Lines:
    for one in sorted(chosen, key=lambda one: (one.key, int(one.version))):
        leading = one.leading
        variant = ", a variant" if one.variant else ""
        yield 0, Text.assemble((f"{one.key}@{one.version}", "bold"), f"  {one.title}{variant}")
        yield (
            2,
            Text(
                f"{one.construct} · by {_or(one.raters)} · takes {_and(one.accepts)} · "
                f"{_name_of(leading)}{_range(leading)}, {_DIRECTIONS[leading.direction]}"
            ),
        )
        cutoffs = [_cutoff(cutoff) for cutoff in leading.cutoffs] or ["none"]
        change = leading.reliable_change
        reliable = _NOT_ANALYSABLE
        if change is not None:
            reliable = f"{change.value:.4g} ({change.confidence * 100:g} %)"
        yield 2, Text(f"cut-off {'; '.join(cutoffs)} · reliable change {reliable}")
        yield 2, Text(one.licence, "dim")


def _explained(one: Instrument) -> _Lines:
    yield 0, Text.assemble((one.title, "bold"), f"  {one.key}@{one.version}, {_standing(one)}")
    if not one.validated:
        yield 0, Text("Not validated: nobody has shown that it measures what it names.", "bold")
    yield 2, Text(f"About:      {_CONSTRUCTS[one.construct]}")
    yield 2, Text(f"Filled in:  by {_or(one.raters)}. {one.rhythm}")
    yield 2, Text(f"Takes:      {_and(one.accepts)}{_forms(one)}")
    yield 2, Text(f"Licence:    {one.licence}")
    yield from _section("Items", _items(one))
    for scale in one.scales:
        yield from _scale(one, scale)
    speaks = [f"{name}: {_and(facets)}" for name, facets in one.facets.items()]
    yield from _section("Speaks to these facets", speaks or ["none"])
    yield from _section("What a reader should know", one.notes)
    marks = [f"{mark.about}: {_source(mark.source, mark.verified)}" for mark in one.marks]
    yield from _section("Where it comes from", [*marks, f"sources: {'; '.join(one.sources)}"])
    yield from _section("A rating to send (made up)", [])
    yield 2, Text(json.dumps(an_event(one), indent=2, ensure_ascii=False))


def _standing(one: Instrument) -> str:
    if one.variant:
        return "a variant: only for ratings that name this version"
    return "the newest version" if latest(one.key) == one else "there is a newer version"


def _section(title: str, lines: Iterable[str]) -> _Lines:
    yield 0, Text("")
    yield 0, Text(title, "bold")
    for line in lines:
        yield 2, Text(line)


def _items(one: Instrument) -> Iterator[str]:
    first = next(iter(one.items.values()))
    steps = "" if first.step == 1 else f" in steps of {first.step:g}"
    yield f"{len(one.items)}, each {first.minimum:g} to {first.maximum:g}{steps}"
    turned = [item.number for item in one.items.values() if item.reversed]
    if turned:
        worth = f"scored as {first.minimum + first.maximum:g} minus the answer; send the answer"
        yield f"reversed: {_numbers(turned)} ({worth})"
    whom = {"self": "oneself", "others": "others"}
    for risk, told in whom.items():
        about = [number for number in one.risk_items if one.items[number].risk == risk]
        if about:
            yield f"risk to {told}: {_numbers(about)}; read in any case, also without a score"
    for item in one.items.values():
        if item.text:
            yield f"{item.number:>2}  {item.text}"


def _scale(one: Instrument, scale: Scale) -> _Lines:
    leads = ", the leading scale" if scale is one.leading and len(one.scales) > 1 else ""
    yield 0, Text("")
    yield 0, Text(f"Scale {scale.name}{leads}", "bold")
    yield 2, Text(f"{_computed(scale)}, {_range(scale)}; {_DIRECTIONS[scale.direction]}")
    yield 2, Text(f"missing answers: {_missing(one, scale)}")
    for cutoff in scale.cutoffs:
        yield 2, Text(f"cut-off: {_cutoff(cutoff)} ({_source(cutoff.source, cutoff.verified)})")
    yield 2, Text(f"reliable change: {_change(scale)}")
    if scale.bands:
        where = next(mark for mark in one.marks if mark.about == "bands")
        yield 2, Text(f"bands: {_source(where.source, where.verified)}")
    if scale.bands or scale.cutoffs:
        for line in drawn(scale):
            yield 4, Text(line)


def drawn(scale: Scale) -> Iterator[str]:
    """Yield a scale's range as lines of text: its bands in shades, its cut-offs marked below."""
    shades = dict(zip((band.label for band in scale.bands), cycle(_SHADES), strict=False))
    width = (scale.maximum - scale.minimum) / (_COLUMNS - 1)
    values = [scale.minimum + column * width for column in range(_COLUMNS)]
    found = [scale.band(value) for value in values]
    yield "".join("─" if band is None else shades[band.label] for band in found)
    low, high = f"{scale.minimum:g}", f"{scale.maximum:g}"
    ruler = list(f"{low}{high:>{_COLUMNS - len(low)}}")
    for cutoff in scale.cutoffs:
        ruler[round((cutoff.value - scale.minimum) / width)] = "▲"
    yield "".join(ruler)
    for cutoff in scale.cutoffs:
        yield f"▲ {_cutoff(cutoff)}"
    for band in scale.bands:
        yield f"{shades[band.label]} {band.low:g} to {band.high:g} {band.label}"


def _computed(scale: Scale) -> str:
    times = "" if scale.multiplier == 1 else f"{scale.multiplier:g} × "
    if scale.parts:
        return f"{times}{scale.compute} of {_and(scale.parts)}"
    what = "item" if scale.size == 1 else "items"
    if not scale.items:
        return f"{times}{scale.compute} of {scale.size} {what}, whose numbers are not ours to ship"
    if scale.size == 1:
        return f"{times}item {scale.items[0]}"
    return f"{times}{scale.compute} of {what} {_numbers(scale.items)}"


def _missing(one: Instrument, scale: Scale) -> str:
    if "items" not in one.accepts:
        return "the sender scores: no answers are taken"
    if one.complete_only:
        alone = ", or the total alone," if scale is one.leading else ""
        return f"the whole form{alone} gives a score; anything between gives none"
    if scale.parts:
        return f"a score where {_and(scale.parts)} all have one"
    if scale.max_missing == 0:
        return "with any missing there is no score"
    rounded = ", rounded half up to a whole answer," if scale.rounds_missing else ""
    return (
        f"at most {scale.max_missing} of {scale.size}; the mean of the others{rounded} stands in "
        f"for each; with more there is no score"
    )


def _change(scale: Scale) -> str:
    change = scale.reliable_change
    if change is None:
        return f"{_NOT_ANALYSABLE}, since none is published with what it needs"
    how = _formula(scale, change) if change.computed else "as published"
    said = _source(change.source, change.verified)
    return f"{change.value:.4g} or more, {change.confidence * 100:g} %, {how} ({said})"


def _formula(scale: Scale, change: ReliableChange) -> str:
    return (
        f"computed as {Z[change.confidence]:g} × √2 × SD × √(1 − r), SD {scale.sd:g}, "
        f"r {change.reliability:g} ({change.kind})"
    )


def _cutoff(cutoff: Cutoff) -> str:
    whose = "" if cutoff.rater is None else f", rated by {_words(cutoff.rater)}"
    return f"{_MEETS[cutoff.meets]} {cutoff.value:g}: {_words(cutoff.meaning)}{whose}"


def _answer(item: Item) -> float:
    steps = 0 if item.risk else round((item.maximum - item.minimum) / item.step) // 2
    answer = round(item.minimum + steps * item.step, 6)
    return int(answer) if answer.is_integer() else answer


def _range(scale: Scale) -> str:
    return f"{scale.minimum:g} to {scale.maximum:g}"


def _name_of(scale: Scale) -> str:
    return "" if scale.name == "total" else f"{_words(scale.name)} "


def _forms(one: Instrument) -> str:
    if len(one.forms) == 1:
        return ""
    return f"; scores as {' or '.join(one.forms)}, said with scored_as, kept as {one.forms[0]}"


def _source(source: str, verified: bool) -> str:
    return f"{source}; {'verified' if verified else 'not verified'}"


def _numbers(numbers: Sequence[str]) -> str:
    """Return numbers with runs of three and more drawn together: 1–4, 7, 9."""
    runs = groupby(enumerate(map(int, numbers)), key=lambda pair: pair[1] - pair[0])
    said: list[str] = []
    for _, run in runs:
        found = [str(number) for _, number in run]
        said += [f"{found[0]}–{found[-1]}"] if len(found) > 2 else found
    return ", ".join(said)


def _and(names: Sequence[str]) -> str:
    return listed([_words(name) for name in names])


def _or(names: Sequence[str]) -> str:
    return listed([_words(name) for name in names], "or")


def _words(name: str) -> str:
    return name.replace("_", " ")
