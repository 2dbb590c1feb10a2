"""The drawings: an accessible SVG, a page with tables, lanes in a terminal; one story."""

import base64
import hashlib
import io
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from services.projections import shapes
from services.projections.drawing import svg
from services.projections.kept import lines
from services.projections.page import PAGE_POLICY, SVG_POLICY, page
from services.projections.story import read
from services.projections.terminal import show
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.drawn import CLIENT, NEW, a_full_timeline, an_open_alert
from tests.support.phases import weekly

SVG = "{http://www.w3.org/2000/svg}"


def drawn(**changed: object) -> ElementTree.Element:
    """Return the parsed drawing of a full timeline."""
    return ElementTree.fromstring(svg(a_full_timeline(**changed)))  # noqa: S314 - our own.


def printed(width: int = 80, **changed: object) -> str:
    """Return what the terminal shows of a full timeline, as in a pipe."""
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False, emoji=False)
    show(a_full_timeline(**changed), console)
    return out.getvalue()


def test_the_drawing_has_a_name_and_a_description() -> None:
    """The document is an image whose title and description say the story in words."""
    root = drawn()
    assert root.get("role") == "img"
    named = {one.get("id"): one.text or "" for one in root if one.get("id")}
    assert (root.get("aria-labelledby") or "").split() == list(named)
    title, description = named.values()
    assert CLIENT in title
    for words in (
        "Sessions: ",
        "17 held",
        "Open alert, urgent: 3 of the last 8",
        "ratings by the",
    ):
        assert words in description


def test_every_mark_says_what_it_is() -> None:
    """Each mark of a fact has a title with its date and what happened."""
    marks = [one for one in drawn().iter(f"{SVG}g") if "mark" in (one.get("class") or "")]
    titles = [one.findtext(f"{SVG}title") for one in marks]
    said = [text for text in titles if text]
    assert "12 Jan 2026: session held" in said
    assert "30 Mar 2026: session cancelled by the therapist (illness)" in said
    assert any("boundary event (time), severity 4, not assessed" in text for text in said)
    assert len(said) >= 24 + 17


def test_shapes_alone_tell_marks_apart() -> None:
    """Without any colour, no two kinds of mark are drawn alike, and no two series."""
    kinds = ["held", "booked", "rupture", "repair", "boundary", "boundary_closed"]
    kinds += [f"{what}:{who}" for what in ("missed", "cancelled") for who in WHO]
    pictures = []
    for kind in kinds:
        parent = ElementTree.Element("g")
        shapes.mark(parent, kind, (0, 0))
        pictures.append(shape_of(parent))
    for series in range(shapes.SERIES):
        parent = ElementTree.Element("g")
        shapes.point(parent, series, (0, 0))
        pictures.append(shape_of(parent))
    assert len(set(pictures)) == len(pictures)


WHO = ("client", "therapist", "unknown")


def shape_of(parent: ElementTree.Element) -> str:
    """Return a picture without its colours."""
    for element in parent.iter():
        if "mark" in (element.get("class") or ""):
            element.set("class", "mark")
    return ElementTree.tostring(parent, encoding="unicode")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(scheme: str) -> None:
    """Every colour of text has 4.5 : 1 on the ground, every colour of a mark 3 : 1 (WCAG 2)."""
    light, dark = shapes.STYLE.split("@media (prefers-color-scheme:dark)")
    rules = light if scheme == "light" else dark.split("@media")[0]
    ground = found(rules, r"\.ground[^{]*\{fill:(#\w+)")[0]
    for text in ("ink", "soft"):
        (colour,) = found(rules, rf"\.{text}\{{fill:(#\w+)")
        assert contrast(colour, ground) >= 4.5
    for colour in found(rules, r"stroke:#\w+;color:(#\w+)") + found(rules, SIGNS):
        assert contrast(colour, ground) >= 3


SIGNS = r"\.(?:urgent|attention|information)\{fill:(#\w+)"


def found(rules: str, pattern: str) -> list[str]:
    """Return the colours that a pattern finds; at least one."""
    colours = re.findall(pattern, rules)
    assert colours
    return [c if len(c) == 7 else f"#{c[1] * 2}{c[2] * 2}{c[3] * 2}" for c in colours]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, relative luminance)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_drawing_fits_any_policy() -> None:
    """It holds no script, no attribute style, no address; its one style sheet is allowed."""
    text = svg(a_full_timeline())
    for banned in ("<script", "style=", "href", "url(", "onload", "<image", "foreignObject"):
        assert banned not in text
    styles = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert [allowed(style) in SVG_POLICY for style in styles] == [True]


def allowed(style: str) -> str:
    """Return how a content policy names a style sheet, as a browser reads it."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def test_nothing_leaves_the_sheet() -> None:
    """Everything is drawn within the view box, also what lies at the ends of time."""
    root = drawn(valid_at="2027-01-01T00:00:00Z")
    width, height = map(float, (root.get("viewBox") or "").split()[2:])
    for element in root.iter():
        for name in ("x", "x1", "x2", "y1", "y2"):
            value = float(element.get(name) or 0)
            assert -10 <= value <= (width if name.startswith("x") else height)
        if moved := re.match(r"translate\((\S+) (\S+)\)", element.get("transform") or ""):
            assert 0 <= float(moved[1]) <= width
            assert 0 <= float(moved[2]) <= height


def test_nobody_is_named() -> None:
    """Therapists are numbered in order of appearance, in every drawing."""
    full = a_full_timeline()
    for text in (svg(full), page(full), printed()):
        assert "therapist 1" in text
        assert "therapist 2" in text
        assert NEW not in text
        assert an.THERAPIST not in text


def test_simulated_data_are_labelled() -> None:
    """Made-up data say so wherever they show; real data do not."""
    for text in (svg(a_full_timeline(simulated=True)), page(a_full_timeline(simulated=True))):
        assert "Simulated data: no real person" in text
    assert "SIMULATED DATA" in printed(simulated=True)
    for text in (svg(a_full_timeline()), page(a_full_timeline()), printed()):
        assert "imulated" not in text


def test_an_empty_timeline_is_drawn() -> None:
    """A client of whom nothing is known yet has drawings that say so."""
    empty = {**timeline(fold(an.ORGANISATION, CLIENT, [])), "simulated": False}
    assert "Nothing is known yet" in svg(empty)
    assert "<table" not in page(empty)
    out = io.StringIO()
    show(empty, Console(file=out, width=80))
    assert "Nothing is known yet" in out.getvalue()


def test_text_cannot_become_markup() -> None:
    """What an alert says is text in every drawing, whatever it holds."""
    alert = an_open_alert("urgent", "<script>alert(1)</script> & more", week=18)
    whole = a_full_timeline(alerts=[alert])
    ElementTree.fromstring(svg(whole))  # noqa: S314 - our own.
    assert "<script" not in svg(whole) + page(whole)
    assert "<script>alert(1)</script> & more" in printed(alerts=[alert])


def test_a_line_crosses_no_change_of_therapist() -> None:
    """Ratings with one therapist are not joined to those with the next."""
    lines = {line.label: line for line in read(a_full_timeline()).alliance}
    client = lines["client, srs-3"]
    assert len(client.stretches) == 2
    assert all(a.at < b.at for a, b in pairwise(client.points))


def test_a_line_is_of_one_scale() -> None:
    """Where a form gives bond and goal but no total, neither stands in for the total."""
    answers = {str(number): 3 for number in range(1, 13)}
    part = {number: answer for number, answer in answers.items() if number not in ("1", "2")}
    whole, partial = (
        an.a_rating(None, at=an.on(day), instrument="wai-sr", items=items)
        for day, items in ((1, answers), (8, part))
    )
    story = read(timeline(fold(an.ORGANISATION, an.CLIENT, [whole, partial])))
    (line,) = story.alliance
    assert [point.at for point in line.points] == [an.on(1)]


def test_how_sessions_were_rated_stands_apart() -> None:
    """A rating of one session is drawn everywhere, among neither alliance nor outcome."""
    rated = [
        an.a_rating(None, at=an.on(day), instrument="seq-5", scales={"depth": depth, "arousal": 6})
        for day, depth in ((1, 4), (8, 7))
    ]
    folded = timeline(fold(an.ORGANISATION, an.CLIENT, rated))
    story = read(folded)
    (line,) = story.evaluations
    assert [point.percent for point in line.points] == [50, 100]
    assert (story.alliance, story.outcome) == ((), ())
    assert story.state == "unknown"
    said = "seq-5 by client: 7, 100 percent"
    for drawing in (svg(folded), page(folded)):
        assert said in drawing
    out = io.StringIO()
    show(folded, Console(file=out, width=80))
    assert "client, seq-5" in out.getvalue()


def test_closed_alerts_are_not_drawn() -> None:
    """Resolved and retracted alerts are no bands; the most urgent open one comes first."""
    closed = [an_open_alert("urgent", "over", week=3, state=s) for s in ("resolved", "retracted")]
    opened = a_full_timeline()["alerts"]
    assert [bar.kind for bar in read(a_full_timeline(alerts=[*closed, *opened])).alerts] == [
        "urgent",
        "attention",
    ]


# The page ---------------------------------------------------------------------------------------
class _Tags(HTMLParser):
    """Checks that elements close as they opened, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_tells_the_same_in_tables() -> None:
    """Every lane is a table with a caption and headings; it has one main heading, no script."""
    text = page(a_full_timeline())
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert (tags.seen["h1"], tags.seen["script"], tags.seen["svg"]) == (1, 0, 1)
    assert tags.seen["table"] == tags.seen["caption"] == 9
    assert 'lang="en"' in text
    for style in re.findall("<style>(.*?)</style>", text, re.DOTALL):
        assert allowed(style) in PAGE_POLICY
    for words in ("session missed by the client", "rupture repaired, resolution 4 of 5", "18 May"):
        assert words in text


# The terminal -----------------------------------------------------------------------------------
@pytest.mark.parametrize("width", [60, 80, 132])
def test_the_terminal_is_never_overrun(width: int) -> None:
    """No line is wider than the terminal, and a pipe gets no colour codes."""
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_the_terminal_tells_the_story() -> None:
    """Standing in words, sessions by sign, open alerts with their reasons."""
    text = printed()
    for words in (
        "fell: recent level",
        "17 held, 2 missed, 4 cancelled, 1 booked",
        "▲ urgent: 3 of the last 8 sessions were cancelled",
        "Seen in week 18: <numbers> & reasons.",
        "M missed by therapist or clinic",
    ):
        assert words in text
    lane = next(line for line in text.splitlines() if line.startswith("sessions"))
    assert [sign for sign in lane if sign in "●mMcCux·"].count("●") >= 15
    assert {"m", "M", "c", "C", "u", "·"} <= set(lane.removeprefix("sessions"))


def test_consistency_is_told_in_a_few_calm_lines() -> None:
    """What meets its threshold comes first, with its numbers; what is unknown is named as such."""
    text = printed(100)
    said = text[text.index("Consistency") :]
    assert "◆ 1 of 10 sessions within 12 weeks was not held by the therapist (threshold 1" in said
    assert "not counted: 1 cancelled by unknown, 1 first sickness." in " ".join(said.split())
    assert "· Not analysable: sessions starting late;" in said
    assert all(len(line) <= 100 for line in text.splitlines())
    shown = page(a_full_timeline())
    assert "1 of 10 sessions within 12 weeks was not held by the therapist" in shown
    assert "<td>not analysable</td>" in shown


def test_consistency_of_two_open_phases_says_whose_it_is() -> None:
    """With two therapists at once each line names which; of closed phases the last is told."""
    two = [
        *weekly("cancelled:clinic", "cancelled:clinic"),
        an.a_session_held("other", an.on(30), therapist=NEW, care="group"),
    ]
    story = read({**a_timeline_of(two), "alerts": []})
    assert {one.phase for one in story.consistency} == {"therapist 1", "therapist 2"}
    assert [says for met, says in lines(story.consistency) if met] == [
        "therapist 1: 2 of the last 2 sessions were cancelled by the clinic or therapist "
        "(threshold 2, urgent 3)."
    ]
    ended = an.a_care_event("ended", an.on(40))
    closed = read({**a_timeline_of([*two[:-1], ended]), "alerts": []})
    assert {one.phase for one in closed.consistency} == {""}


def a_timeline_of(facts: list[Envelope]) -> dict[str, Any]:
    """Return the timeline of the usual client."""
    return timeline(fold(an.ORGANISATION, an.CLIENT, facts))
