"""The facets as a picture: where each was, and where it is, on one scale from 0 to 100.

A row for each facet that was rated: an open circle is its earliest four weeks of the last year,
small dots are the four weeks since, a disc is its level now; without a disc there is no rating of
the last eight weeks. Facts move no number, so they are not drawn here.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from services.projections.qualities import Quality
from services.projections.shapes import node

LEFT, PLOT_LEFT, PLOT_RIGHT = 16, 280, 690
ROW = 32
KEYS = ((LEFT + 12, "first", "earliest in the last year"), (LEFT + 356, "now", "now"))


def profile(root: Element, facets: Sequence[Quality], top: float) -> float:
    """Draw the rated facets below ``top``; return where the drawing goes on.

    Args:
        root: The drawing.
        facets: What is known of each facet, in order; those that nobody rated are left out.
        top: In units of the drawing.
    """
    rated = [one for one in facets if one.course]
    if not rated:
        return top
    node(root, "text", "Facets, as percent of the best possible", x=LEFT, y=top + 26,
         class_="lane ink")  # fmt: skip
    y = top + ROW + 4
    for percent in (0, 50, 100):
        x = _x(percent)
        node(root, "text", str(percent), x=x, y=y + 18, class_="soft mid")
        node(root, "line", class_="rule", x1=x, x2=x, y1=y + 26, y2=y + 26 + ROW * len(rated))
    y += 26
    for one in rated:
        _row(root, one, y + ROW / 2)
        y += ROW
    for x, kind, says in KEYS:
        _place(root, kind, (x, y + 20))
        node(root, "text", says, x=x + 20, y=y + 25, class_="ink")
    return y + ROW + 14


def _row(root: Element, one: Quality, y: float) -> None:
    node(root, "text", one.title, x=LEFT, y=y + 5, class_="ink")
    reached = [*one.course, *([] if one.level is None else [one.level])]
    drawn = node(root, "g", class_="mark c0")
    node(drawn, "title", f"{one.title}: {one.says}")
    node(drawn, "line", class_="rule", x1=_x(min(reached)), x2=_x(max(reached)), y1=y, y2=y)
    for level in one.course[1:]:
        node(drawn, "circle", r=1.5, class_="solid", cx=_x(level), cy=y)
    if one.level is not None:
        _place(drawn, "now", (_x(one.level), y))
    # The open one last: where nothing has changed, both can be told.
    _place(drawn, "first", (_x(one.course[0]), y))


def _place(parent: Element, kind: str, at: tuple[float, float]) -> None:
    group = node(parent, "g", class_="mark c0")
    radius, fill = (7.0, "none") if kind == "first" else (4.0, "solid")
    node(group, "circle", r=radius, class_=fill, cx=at[0], cy=at[1])


def _x(percent: float) -> float:
    return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * percent / 100
