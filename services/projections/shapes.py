"""The shapes and colours of the drawing: who did it is the outline, what happened is inside.

A circle is the client's doing, a square the therapist's or the clinic's, a diamond nobody's or
unknown; a cross inside is *missed*, a slash *cancelled*, filled *held*. So every mark can be told
without its colour. The colours are those of Okabe and Ito (2008), made for all kinds of colour
vision, darkened or lightened until each has a contrast of at least 3 : 1 on its background.
"""

from xml.etree.ElementTree import Element, SubElement

R = 7.0
"""Half the height of a mark, in units of the drawing."""

SERIES = 4
"""So many series of ratings have a shape, a dash and a colour of their own; then they repeat."""

STYLE = """
.ground{fill:#fff}.ink{fill:#1b1f24}.soft{fill:#57606a}
.rule{stroke:#d8dee4;stroke-width:1}.axis{stroke:#57606a;stroke-width:1}
.mark{stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.none{fill:none}.open{fill:#fff}.solid{fill:currentColor}
.held,.c0{stroke:#0b6cab;color:#0b6cab}.missed,.rupture,.c1{stroke:#b84a00;color:#b84a00}
.cancelled,.c3{stroke:#9c4f86;color:#9c4f86}.booked,.key{stroke:#57606a;color:#57606a}
.repair,.c2{stroke:#00785a;color:#00785a}.boundary{stroke:#1b1f24;color:#1b1f24}
.line{fill:none;stroke-width:2.5;stroke-linejoin:round}
.d1{stroke-dasharray:7 4}.d2{stroke-dasharray:2 4}.d3{stroke-dasharray:9 3 2 3}
.phase{fill:#dbe9f4}.odd{fill:#e9e4f0}.pause{fill:#fff;stroke:#57606a;stroke-dasharray:3 3}
.urgent{fill:#b3261e}.attention{fill:#8a5a00}.information{fill:#57606a}.band{opacity:.22}
.badge{fill:#fff3c4;stroke:#8a5a00;stroke-width:1.5}.on{fill:#fff}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:13px}
text.title{font-size:19px;font-weight:650}text.lane{font-weight:600}
text.num{font-size:11px;font-weight:700;stroke:none}
.end{text-anchor:end}.mid{text-anchor:middle}.narrow{display:none}
@media (prefers-color-scheme:dark){
.ground,.open{fill:#14171c}.ink{fill:#e8eaed}.soft{fill:#a9b1ba}
.rule{stroke:#343b44}.axis{stroke:#a9b1ba}
.held,.c0{stroke:#62b6f0;color:#62b6f0}.missed,.rupture,.c1{stroke:#ff9c5b;color:#ff9c5b}
.cancelled,.c3{stroke:#e2a1cf;color:#e2a1cf}.booked,.key{stroke:#a9b1ba;color:#a9b1ba}
.repair,.c2{stroke:#3fcfa4;color:#3fcfa4}.boundary{stroke:#e8eaed;color:#e8eaed}
.phase{fill:#1d3345}.odd{fill:#332a40}.pause{fill:#14171c;stroke:#a9b1ba}
.urgent{fill:#ff8a80}.attention{fill:#f2b84b}.information{fill:#a9b1ba}
.badge{fill:#3d3210;stroke:#f2b84b}.on{fill:#14171c}
}
@media (max-width:640px){text{font-size:19px}text.title{font-size:25px}}
@media (max-width:460px){
text{font-size:25px}text.title{font-size:29px}.wide{display:none}.narrow{display:inline}
}
"""
"""Everything the drawing needs; it holds no attribute ``style``, so that a strict policy fits.

The drawing scales as a whole; on a narrow screen its texts grow against it, so that they stay
readable at 320 pixels.
"""


def node(parent: Element, tag: str, text: str | None = None, **attributes: str | float) -> Element:
    """Add an element; in names, a ``_`` at the end is dropped and others become ``-``."""
    named = {
        name.rstrip("_").replace("_", "-"): value if isinstance(value, str) else number(value)
        for name, value in attributes.items()
    }
    added = SubElement(parent, tag, named)
    added.text = text
    return added


def number(value: float) -> str:
    """Return a coordinate with no more digits than a screen can show."""
    return f"{value:.1f}".removesuffix(".0")


def mark(
    parent: Element,
    kind: str,
    at: tuple[float, float],
    says: str = "",
    inside: str = "",
    scale: float = 1,
) -> None:
    """Draw the mark of a kind; ``says`` is what a pointer resting on it reads."""
    what, _, who = kind.partition(":")
    group = _group(parent, what.partition("_")[0], at, says, scale)
    match what:
        case "rupture":
            _path(group, (-6, -R), (2, -2), (-3, 1), (6, R))
        case "repair":
            _path(group, (-R, 0), (-2, 5), (R, -6))
        case "boundary" | "boundary_closed":
            fill, ink = ("solid", "on") if what == "boundary" else ("open", "ink")
            _polygon(group, fill, (0, -9), (9, -2), (5.5, 8), (-5.5, 8), (-9, -2))
            node(group, "text", inside, y=4, class_=f"mid num {ink}")
        case "booked":
            _outline(group, "client", "open", R - 3)
        case _:
            _outline(group, who or "client", "solid" if what == "held" else "open", R)
            if what in ("missed", "cancelled"):
                inner(group, what)


def inner(group: Element, what: str) -> None:
    """Draw what stands inside an outline: a cross for *missed*, a slash for *cancelled*."""
    if what == "missed":
        _path(group, (-3, -3), (3, 3))
        _path(group, (-3, 3), (3, -3))
    else:
        _path(group, (-R + 2, R - 2), (R - 2, -R + 2))


def key(parent: Element, part: str, at: tuple[float, float]) -> None:
    """Draw one part of a mark by itself, for the legend."""
    group = _group(parent, "key", at)
    if part in ("missed", "cancelled"):
        inner(group, part)
    else:
        _outline(group, part, "open", R)


def point(
    parent: Element, series: int, at: tuple[float, float], says: str = "", scale: float = 1
) -> None:
    """Draw one rating in the shape of its series."""
    group = _group(parent, f"c{series % SERIES}", at, says, scale)
    match series % SERIES:
        case 0:
            node(group, "circle", r=4, class_="solid")
        case 1:
            node(group, "rect", x=-4, y=-4, width=8, height=8, class_="open")
        case 2:
            _polygon(group, "solid", (0, -5), (5, 4), (-5, 4))
        case _:
            _polygon(group, "open", (0, -5), (5, 0), (0, 5), (-5, 0))


def sign(parent: Element, urgency: str, at: tuple[float, float]) -> None:
    """Draw the sign of an urgency: a triangle, a diamond, a disc."""
    group = node(parent, "g", transform=_translate(at))
    match urgency:
        case "urgent":
            _polygon(group, urgency, (0, -R), (R + 1, R), (-R - 1, R))
        case "attention":
            _polygon(group, urgency, (0, -R - 1), (R + 1, 0), (0, R + 1), (-R - 1, 0))
        case _:
            node(group, "circle", r=R - 1, class_=urgency)


def _group(
    parent: Element, colour: str, at: tuple[float, float], says: str = "", scale: float = 1
) -> Element:
    moved = _translate(at) if scale == 1 else f"{_translate(at)} scale({scale:.2f})"
    group = node(parent, "g", class_=f"mark {colour}", transform=moved)
    if says:
        node(group, "title", says)
    return group


def _translate(at: tuple[float, float]) -> str:
    return f"translate({number(at[0])} {number(at[1])})"


def _outline(group: Element, who: str, fill: str, r: float) -> None:
    match who:
        case "client":
            node(group, "circle", r=r, class_=fill)
        case "therapist":
            node(group, "rect", x=-r, y=-r, width=2 * r, height=2 * r, class_=fill)
        case _:
            _polygon(group, fill, (0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0))


def _path(group: Element, *points: tuple[float, float]) -> None:
    node(group, "polyline", points=_points(points), class_="none")


def _polygon(group: Element, class_: str, *points: tuple[float, float]) -> None:
    node(group, "polygon", points=_points(points), class_=class_)


def _points(points: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)
