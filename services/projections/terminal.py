"""The timeline in a terminal: the same story in lanes of characters, as wide as there is room.

Every sign has a shape of its own, so the picture is whole without colour: in a pipe, on paper, to
every eye.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from services.projections.kept import lines
from services.projections.story import Bar, Line, Mark, Story, counted, day, read

LABEL = 20
"""Columns of a lane's name."""

NARROWEST, WIDEST = 20, 120
"""Columns of a lane's picture."""

BLOCKS = "▁▂▃▄▅▆▇█"
TICK_COLUMNS = 12

SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "booked": ("·", "dim"),
    "held": ("●", "blue"),
    "cancelled:client": ("c", "magenta"),
    "cancelled:unknown": ("u", "magenta"),
    "cancelled:therapist": ("C", "bold magenta"),
    "missed:client": ("m", "yellow"),
    "missed:unknown": ("x", "yellow"),
    "missed:therapist": ("M", "bold yellow"),
    "repair": ("✓", "green"),
    "rupture": ("↯", "yellow"),
    "boundary_closed": ("◇", ""),
    "boundary": ("◆", "bold"),
}
"""Kind → sign and colour, the least telling first: of two in one column the later shows."""

LEGEND: Final[Mapping[str, str]] = {
    "held": "held",
    "booked": "booked",
    "missed:client": "missed by client",
    "missed:therapist": "missed by therapist or clinic",
    "missed:unknown": "missed, unknown by whom",
    "cancelled:client": "cancelled by client",
    "cancelled:therapist": "cancelled by therapist or clinic",
    "cancelled:unknown": "cancelled, unknown by whom",
    "rupture": "rupture",
    "repair": "repaired",
    "boundary": "boundary event",
    "boundary_closed": "boundary event, closed",
}

URGENCY_SIGNS: Final = {
    "urgent": ("▲", "bold red"),
    "attention": ("◆", "bold yellow"),
    "information": ("●", "dim"),
}


def show(timeline: Mapping[str, Any], console: Console) -> None:
    """Print a timeline."""
    story = read(timeline)
    console.print(Text(story.title, style="bold"))
    badges = ["SIMULATED DATA: no real person"] if story.simulated else []
    for badge in (*badges, *story.notices):
        console.print(Text(badge, style="bold reverse"))
    if story.is_empty:
        console.print("Nothing is known yet.")
        return
    for sentence in story.standing:
        console.print(Text(sentence))
    console.print(Text(counted(story)))
    console.print()
    for line in _lanes(story, _Scale(story, console.width)):
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    console.print()
    for line in _legend(story, console.width):
        console.print(line)
    _show_facets(story, console)
    _show_consistency(story, console)
    for alert in story.alerts:
        _show_alert(alert, console)
    if not story.alerts:
        console.print("No open alerts.")


class _Scale:
    """Columns of time."""

    def __init__(self, story: Story, width: int) -> None:
        self.columns = min(max(width - LABEL - 1, NARROWEST), WIDEST)
        self._start = story.start
        self._span = max(story.end - story.start, timedelta(weeks=1))

    def column(self, at: datetime) -> int:
        share = (at - self._start) / self._span
        return min(max(int(share * self.columns), 0), self.columns - 1)

    def date(self, column: int) -> datetime:
        return self._start + self._span * (column / self.columns)


def _lanes(story: Story, scale: _Scale) -> Iterable[Text]:
    yield _lane("phases", _bars(story.phases, scale, story.end))
    for alert in story.alerts:
        sign, style = URGENCY_SIGNS[alert.kind]
        yield _lane(f"{sign} {alert.kind}", _band(alert, scale, story.end), style)
    yield _lane("sessions", _marks(story.sessions, scale))
    for line in story.lines:
        yield _lane(line.label, _sparkline(line, scale), "cyan")
    if story.ruptures:
        yield _lane("ruptures", _marks(story.ruptures, scale))
    if story.boundary:
        yield _lane("boundary events", _marks(story.boundary, scale))
    yield _lane("", Text("".join(_ruler(scale, lambda _: "┬", "─"))), "dim")
    yield _lane("", Text("".join(_ruler(scale, _date, " "))), "dim")


def _lane(label: str, picture: Text, style: str = "") -> Text:
    name = label if len(label) < LABEL else f"{label[: LABEL - 2]}…"
    if style:
        picture.stylize(style)
    return Text(name.ljust(LABEL)) + picture


def _marks(marks: Iterable[Mark], scale: _Scale) -> Text:
    """Return a row of signs; where several fall into one column, the most telling shows."""
    order = list(SIGNS)
    at: dict[int, str] = {}
    for mark in marks:
        column = scale.column(mark.at)
        at[column] = max(at.get(column, mark.kind), mark.kind, key=order.index)
    row = Text()
    for column in range(scale.columns):
        row.append(*(SIGNS[at[column]] if column in at else (" ", "")))
    return row


def _sparkline(line: Line, scale: _Scale) -> Text:
    """Return blocks as high as the ratings, the lowest rating of a column counting."""
    at: dict[int, float] = {}
    for point in line.points:
        column = scale.column(point.at)
        at[column] = min(at.get(column, 100.0), point.percent)
    steps = len(BLOCKS) - 1
    cells = [
        BLOCKS[round(at[column] / 100 * steps)] if column in at else " "
        for column in range(scale.columns)
    ]
    return Text("".join(cells))


def _bars(bars: Sequence[Bar], scale: _Scale, end: datetime) -> Text:
    cells = [" "] * scale.columns
    for bar in bars:
        first, last = scale.column(bar.start), scale.column(bar.end or end)
        label = f"╶{bar.label} ".ljust(last - first + 1, "─")[: last - first + 1]
        cells[first : last + 1] = label
    return Text("".join(cells))


def _band(alert: Bar, scale: _Scale, end: datetime) -> Text:
    first, last = scale.column(alert.start), scale.column(alert.end or end)
    return Text(" " * first + "━" * (last - first + 1))


def _ruler(scale: _Scale, sign: Callable[[datetime], str], between: str) -> list[str]:
    cells = [between] * scale.columns
    for column in range(0, scale.columns, TICK_COLUMNS):
        text = sign(scale.date(column))
        if column + len(text) <= scale.columns:
            cells[column : column + len(text)] = text
    return cells


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %y}"


def _legend(story: Story, width: int) -> Iterable[Text]:
    """Yield lines that explain the signs used; none is parted from its words."""
    used = {mark.kind for mark in (*story.sessions, *story.ruptures, *story.boundary)}
    entries = [(*SIGNS[kind], words) for kind, words in LEGEND.items() if kind in used]
    if story.lines:
        entries.append((BLOCKS[0] + BLOCKS[-1], "cyan", "0 to 100 % of the best possible"))
    line = Text()
    for sign, style, words in entries:
        entry = Text.assemble((sign, style), " ", (words, "dim"))
        if line and len(line) + len(entry) + 3 > width:
            yield line
            line = Text()
        line.append("   " if line else "").append_text(entry)
    yield line


def _show_facets(story: Story, console: Console) -> None:
    """Print what ratings and facts say of each facet."""
    if story.facets:
        console.print()
        console.print(Text("Facets of the relationship", "bold"))
    for one in story.facets:
        _hanging(console, Text("· ", "dim"), Text(f"{one.title}: {one.says}"))


def _show_consistency(story: Story, console: Console) -> None:
    """Print the figures of consistency; what has met its threshold carries its sign."""
    console.print()
    console.print(Text("Consistency", "bold"))
    for met, says in lines(story.consistency):
        sign, style = URGENCY_SIGNS.get(met or "", ("·", "dim"))
        _hanging(console, Text(f"{sign} ", style), Text(says))


def _hanging(console: Console, sign: Text, said: Text) -> None:
    """Print a sentence behind a sign; its further lines stand under its words."""
    for number, line in enumerate(said.wrap(console, console.width - len(sign))):
        line.rstrip()
        console.print((Text(" " * len(sign)) if number else sign.copy()).append_text(line))


def _show_alert(alert: Bar, console: Console) -> None:
    sign, style = URGENCY_SIGNS[alert.kind]
    console.print()
    console.print(Text(f"{sign} {alert.kind}: ", style).append(alert.label, "bold"))
    reason = Text(f"Since {day(alert.start)}. {alert.says}")
    _hanging(console, Text("  "), reason)
