"""The timeline as a small page: the drawing, and the same facts as tables; no scripts."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from services.projections.drawing import draw
from services.projections.kept import Kept
from services.projections.shapes import STYLE as SVG_STYLE
from services.projections.story import Bar, Mark, Point, Story, counted, day, read

STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
margin:0 auto;padding:1rem;max-width:60rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}
figure{margin:0 0 1.5rem}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}
caption{text-align:left;font-weight:650;font-size:1.1rem;padding:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0}
th,td{border-top:1px solid #d8dee4}
td:first-child,th:first-child{white-space:nowrap}
.made-up{border:2px solid #8a5a00;border-radius:6px;padding:.5rem .75rem;font-weight:650}
@media (prefers-color-scheme:dark){body{color:#e8eaed;background:#14171c}
th,td{border-color:#343b44}.made-up{border-color:#f2b84b}}
"""


def _policy(*styles: str) -> str:
    """Return a content policy that allows these styles and nothing else whatever."""
    digests = [hashlib.sha256(style.encode()).digest() for style in styles]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"default-src 'none'; style-src {allowed}; frame-ancestors 'none'; base-uri 'none'"


SVG_POLICY = _policy(SVG_STYLE)
PAGE_POLICY = f"{_policy(STYLE, SVG_STYLE)}; form-action 'none'"

Cells = Sequence[str]


def page(timeline: Mapping[str, Any]) -> str:
    """Return the page of a timeline: a whole HTML document."""
    story = read(timeline)
    parts = [f"<h1>{escape(story.title)}</h1>"]
    if story.simulated:
        parts.append('<p class="made-up">Simulated data: no real person.</p>')
    parts += [f'<p class="made-up">{escape(one)}</p>' for one in story.notices]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in (counted(story), *story.standing)]
    parts.append(f"<figure>{draw(story)}</figure>")
    parts += _tables(story)
    title, body = escape(story.title), "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _tables(story: Story) -> Iterable[str]:
    yield _table(
        "Open alerts",
        ("Since", "Urgency", "What was observed, and why"),
        [(day(one.start), one.kind, f"{one.label}. {one.says}") for one in story.alerts],
    )
    yield _table("Phases of care", ("From", "Until", "With"), map(_phase, story.phases))
    yield _table("Sessions", ("Date", "What happened"), map(_row, story.sessions))
    for title, lines in (
        ("Alliance ratings", story.alliance),
        ("Outcome", story.outcome),
        ("How sessions were rated", story.evaluations),
    ):
        points = sorted((point for line in lines for point in line.points), key=_when)
        caption = f"{title}, as percent of the best possible"
        yield _table(caption, ("Date", "Rating"), map(_row, points))
    yield _table(
        "Consistency",
        ("What", "Figure, threshold, and what was not counted", "Threshold met"),
        map(_kept, story.consistency),
    )
    yield _table(
        "Facets of the relationship",
        ("Facet", "Level, what it stands on, and what stands beside it"),
        [(one.title, one.says) for one in story.facets],
    )
    yield _table("Ruptures and repairs", ("Date", "What"), map(_row, story.ruptures))
    yield _table("Boundary events", ("Date", "What"), map(_row, story.boundary))


def _table(caption: str, heads: Cells, rows: Iterable[Cells]) -> str:
    filled = list(rows)
    if not filled:
        return ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in rest)
        + "</tr>"
        for first, *rest in filled
    )
    # A wide table scrolls by itself, reachable with the keyboard; the page never does.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _phase(phase: Bar) -> Cells:
    until = "still open" if phase.end is None else day(phase.end)
    return day(phase.start), until, phase.label


def _kept(one: Kept) -> Cells:
    title = f"{one.phase}: {one.title}" if one.phase else one.title
    return title, one.says, one.met or ("no" if one.analysable else "not analysable")


def _row(what: Mark | Point) -> Cells:
    return day(what.at), what.says


def _when(what: Mark | Point) -> Any:
    return what.at
