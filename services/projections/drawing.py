"""The timeline as a picture: one pure function from its JSON to an accessible SVG.

Lanes from top to bottom: phases, open alerts, sessions, ratings of the alliance, of the outcome
and of single sessions, ruptures, boundary events; then the axis, a legend of what was used, and
the profile of the facets.
Nothing depends on the present: the same timeline gives the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, tostring

from services.projections import shapes
from services.projections.profile import profile
from services.projections.shapes import node, number
from services.projections.story import Bar, Line, Mark, Point, Story, day, read

WIDTH, LEFT, RIGHT = 720, 16, 704
PLOT_LEFT, PLOT_RIGHT = 58, 690
ROW = 32
"""Height of a row of text: the largest size that a narrow screen makes of it."""

BAND = 26
CHART_HEIGHT = 120
TICK_WEEKS = (1, 2, 4, 8, 13, 26, 52, 104, 208, 520)
MAX_TICKS = 8
NARROW_CHARACTERS = 46
"""How much of a title fits beside its sign on a narrow screen."""

LIFT = {"": 0, "therapist": -9, "client": 9, "unknown": 9}
SMALLEST = 0.4
"""A mark is never drawn smaller than this part of its size, however many there are."""

LEGEND_COLUMN = 344
LEGEND_PARTS = {
    "held": "held",
    "booked": "booked",
    "missed": "cross: missed",
    "cancelled": "slash: cancelled",
    "client": "circle: client",
    "therapist": "square: therapist/clinic",
    "unknown": "diamond: unknown",
    "rupture": "rupture noted",
    "repair": "rupture repaired",
    "boundary": "boundary, by severity",
    "boundary_closed": "boundary, closed",
    "pause": "care paused",
}


def svg(timeline: Mapping[str, Any]) -> str:
    """Return the drawing of a timeline: a whole SVG document, fit to stand in a page as well."""
    return draw(read(timeline))


def draw(story: Story) -> str:
    """Return the drawing of a story."""
    sheet = _Sheet(story)
    sheet.header()
    if story.is_empty:
        return sheet.finish()
    sheet.phases()
    sheet.alerts()
    sheet.marks("Sessions", story.sessions, "no sessions")
    sheet.chart("Alliance, as percent of the best possible", story.alliance, "no ratings", 0)
    if story.outcome:
        first = len(story.alliance)
        sheet.chart("Outcome, as percent of the best possible", story.outcome, "", first)
    if story.evaluations:
        first = len(story.alliance) + len(story.outcome)
        sheet.chart("Sessions, as percent of the best possible", story.evaluations, "", first)
    if story.ruptures:
        sheet.marks("Ruptures and repairs", story.ruptures, "")
    if story.boundary:
        sheet.marks("Boundary events", story.boundary, "")
    sheet.axis()
    sheet.legend()
    sheet.profile()
    return sheet.finish()


@dataclass(frozen=True, slots=True)
class _Tick:
    at: datetime
    week: int
    often: bool


class _Sheet:
    """A sheet that is filled from top to bottom."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._y = self._top = 0.0
        self._root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
        self._root.set("aria-labelledby", "timeline-title timeline-desc")
        node(self._root, "title", story.title, id="timeline-title")
        node(self._root, "desc", story.description, id="timeline-desc")
        node(self._root, "style", shapes.STYLE)
        self._ground = node(self._root, "rect", class_="ground", width=WIDTH)
        self._grid = node(self._root, "g")
        self._span = max(story.end - story.start, timedelta(weeks=1))
        self._ticks = [] if story.is_empty else _ticks(story.start, self._span)

    def header(self) -> None:
        """Write whose timeline it is, where it stands, and whether the data are made up."""
        self._text(LEFT, 34, "Alliance timeline", "title ink")
        stands = f"client {self._story.client} · standing: {self._story.state}"
        self._text(LEFT, 66, stands, "soft")
        self._y = 78
        if self._story.is_empty:
            self._text(LEFT, self._y + 24, "Nothing is known yet.", "ink")
            self._y += ROW + 4
        if self._story.simulated:
            self._badge(["Simulated data: no real person"])
        for notice in self._story.notices:
            self._badge(_wrapped(notice, NARROW_CHARACTERS))
        self._top = self._y + ROW

    def phases(self) -> None:
        """Draw a bar for each phase, with its therapist, and its pauses."""
        self._lane("Phases of care", "" if self._story.phases else "none yet")
        for number_, phase in enumerate(self._story.phases):
            left, width = self._extent(phase)
            shade = "phase odd" if number_ % 2 else "phase"
            self._bar(phase, left, width, shade, self._y, 30)
            if width >= 130:
                self._text(left + 8, self._y + 22, phase.label, "ink")
        for pause in self._story.pauses:
            left, width = self._extent(pause)
            self._bar(pause, left, width, "pause", self._y + 2, 8)
        self._y += 40 if self._story.phases else 4

    def alerts(self) -> None:
        """Draw each open alert as a band from when it began to hold, with its title."""
        if not self._story.alerts:
            return
        self._lane("Open alerts", "")
        for alert in self._story.alerts:
            lines = _wrapped(alert.label, NARROW_CHARACTERS)
            height = ROW * len(lines)
            left, width = self._extent(alert)
            middle = self._y + height / 2
            top = middle - BAND / 2
            self._bar(alert, left, width, f"{alert.kind} band", top, BAND)
            shapes.sign(self._root, alert.kind, (LEFT + 9, middle))
            self._text(LEFT + 28, middle + 5, alert.label, "ink wide")
            for row, line in enumerate(lines):
                self._text(LEFT + 28, self._y + ROW * row + 24, line, "ink narrow")
            self._y += height + 6

    def marks(self, title: str, marks: Sequence[Mark], nothing: str) -> None:
        """Draw a lane of marks on a line of time."""
        self._lane(title, "" if marks else nothing)
        if not marks:
            return
        y = self._y + 14
        node(self._root, "line", class_="rule", x1=PLOT_LEFT, x2=PLOT_RIGHT, y1=y, y2=y)
        scale = _crowded(len(marks))
        for mark in marks:
            # In a crowd what was not held leaves the line: the therapist's above, others below.
            lift = LIFT[mark.kind.partition(":")[2]] if scale < 1 else 0
            place = (self._x(mark.at), y + lift)
            shapes.mark(self._root, mark.kind, place, _told(mark), mark.inside, scale)
        self._y += 34

    def chart(self, title: str, lines: Sequence[Line], nothing: str, first: int) -> None:
        """Draw ratings as lines; 100 is the best possible, whichever way a scale runs."""
        self._lane(title, "" if lines else nothing)
        if not lines:
            return
        self._keys(lines, first)
        top = self._y + 12
        for percent in (0, 50, 100):
            y = top + CHART_HEIGHT * (1 - percent / 100)
            node(self._root, "line", class_="rule", x1=PLOT_LEFT, x2=PLOT_RIGHT, y1=y, y2=y)
            self._text(PLOT_LEFT - 8, y + 5, str(percent), "soft end")
        for series, line in enumerate(lines, first):
            self._line(line, series, top)
        self._y = top + CHART_HEIGHT + 16

    def axis(self) -> None:
        """Write dates, and weeks since the beginning; draw the grid behind every lane."""
        y = self._y + 6
        node(self._root, "line", class_="axis", x1=PLOT_LEFT, x2=PLOT_RIGHT, y1=y, y2=y)
        for tick in self._ticks:
            x = self._x(tick.at)
            node(self._grid, "line", class_="rule", x1=x, x2=x, y1=self._top, y2=y)
            node(self._root, "line", class_="axis", x1=x, x2=x, y1=y, y2=y + 6)
            # Near an edge a text is turned inwards, or a narrow screen would cut it off.
            side = "end" if x > RIGHT - 50 else "" if x < LEFT + 50 else "mid"
            seen = side if tick.often else f"{side} wide"
            moved = {"end": RIGHT, "": LEFT}.get(side, x)
            self._text(moved, y + 28, self._date(tick.at), f"ink {seen}")
            self._text(moved, y + 56, f"week {tick.week}", f"soft {seen}")
        self._y = y + 66

    def legend(self) -> None:
        """Explain the shapes that were used, and no others."""
        used = [part for part in LEGEND_PARTS if part in self._parts()]
        for place, part in enumerate(used):
            x = LEFT + 12 + (place % 2) * LEGEND_COLUMN
            y = self._y + 20 + (place // 2) * ROW
            if part == "pause":
                node(self._root, "rect", class_=part, x=x - 9, y=y - 5, width=18, height=10, rx=4)
            elif part in ("missed", "cancelled", "client", "therapist", "unknown"):
                shapes.key(self._root, part, (x, y))
            else:
                shapes.mark(self._root, part, (x, y), inside="4" if part == "boundary" else "")
            self._text(x + 20, y + 5, LEGEND_PARTS[part], "ink")
        self._y += ROW * ((len(used) + 1) // 2) + 14

    def profile(self) -> None:
        """Draw where each facet was, and where it is."""
        self._y = profile(self._root, self._story.facets, self._y)

    def finish(self) -> str:
        """Return the document."""
        self._root.set("viewBox", f"0 0 {WIDTH} {number(self._y)}")
        self._root.set("width", "100%")
        self._ground.set("height", number(self._y))
        return tostring(self._root, encoding="unicode")

    def _badge(self, lines: Sequence[str]) -> None:
        height = ROW * len(lines) + 4
        node(self._root, "rect", class_="badge", x=LEFT, y=self._y, width=RIGHT - LEFT,
             height=height, rx=6)  # fmt: skip
        for row, line in enumerate(lines):
            self._text(WIDTH / 2, self._y + 25 + ROW * row, line, "mid ink lane")
        self._y += height + 8

    def _lane(self, title: str, nothing: str) -> None:
        self._text(LEFT, self._y + 26, f"{title}: {nothing}" if nothing else title, "lane ink")
        self._y += ROW + 4

    def _keys(self, lines: Sequence[Line], first: int) -> None:
        for place, line in enumerate(lines):
            x = LEFT + 16 + (place % 2) * LEGEND_COLUMN
            y = self._y + 10 + (place // 2) * ROW
            series = first + place
            node(self._root, "line", class_=_stroke(series), x1=x - 14, x2=x + 14, y1=y, y2=y)
            shapes.point(self._root, series, (x, y))
            self._text(x + 24, y + 6, line.label, "ink")
        self._y += ROW * ((len(lines) + 1) // 2)

    def _line(self, line: Line, series: int, top: float) -> None:
        scale = _crowded(len(line.points))
        for stretch in line.stretches:
            places = [
                (self._x(point.at), top + CHART_HEIGHT * (1 - point.percent / 100))
                for point in stretch
            ]
            points = " ".join(f"{number(x)},{number(y)}" for x, y in places)
            node(self._root, "polyline", class_=_stroke(series), points=points)
            for place, point in zip(places, stretch, strict=True):
                shapes.point(self._root, series, place, _told(point), scale)

    def _bar(
        self, bar: Bar, left: float, width: float, class_: str, top: float, height: float
    ) -> None:
        drawn = node(self._root, "rect", class_=class_, x=left, y=top, width=width,
                     height=height, rx=4)  # fmt: skip
        node(drawn, "title", bar.says)

    def _extent(self, bar: Bar) -> tuple[float, float]:
        left = self._x(bar.start)
        return left, max(self._x(bar.end or self._story.end) - left, 4)

    def _x(self, at: datetime) -> float:
        share = (at - self._story.start) / self._span
        return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * min(max(share, 0.0), 1.0)

    def _date(self, at: datetime) -> str:
        long = self._span > timedelta(weeks=52)
        first = at == self._story.start
        return f"{at:%b %Y}" if long else day(at) if first else f"{at.day} {at:%b}"

    def _text(self, x: float, y: float, text: str, class_: str) -> None:
        node(self._root, "text", text, x=x, y=y, class_=class_)

    def _parts(self) -> set[str]:
        story = self._story
        parts = {"pause"} if story.pauses else set()
        for mark in (*story.sessions, *story.ruptures, *story.boundary):
            what, _, who = mark.kind.partition(":")
            parts |= {what, who or what}
        return parts


def _crowded(count: int) -> float:
    """Return how much smaller marks are drawn where there are many."""
    room = (PLOT_RIGHT - PLOT_LEFT) / max(count, 1)
    return min(1, max(SMALLEST, room / (2.2 * shapes.R)))


def _told(what: Mark | Point) -> str:
    return f"{day(what.at)}: {what.says}"


def _stroke(series: int) -> str:
    return f"line c{series % shapes.SERIES} d{series % shapes.SERIES}"


def _ticks(start: datetime, span: timedelta) -> list[_Tick]:
    weeks = span / timedelta(weeks=1)
    step = next((s for s in TICK_WEEKS if weeks / s < MAX_TICKS), int(weeks / MAX_TICKS) + 1)
    return [
        _Tick(start + timedelta(weeks=week), week, (week // step) % 2 == 0)
        for week in range(0, int(weeks) + 1, step)
    ]


def _wrapped(text: str, characters: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > characters and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
