"""What the drawings tell: a timeline's JSON read once into lanes, marks, lines, bars and words.

The picture, the page and the terminal draw the same story, so none can say what another hides.
Therapists are numbered in order of appearance; nobody is named.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.projections.kept import Kept, kept
from services.projections.qualities import Quality, qualities
from shared.alliance.wording import figure, instrument_named
from shared.clock import parse_time
from shared.instrument import INSTRUMENTS

WHO: Final = {"client": "client", "therapist": "therapist", "clinic": "therapist"}
"""Party → outline: the clinic's doing is drawn like the therapist's; the rest is unknown."""

BY: Final = {
    "client": "by the client",
    "therapist": "by the therapist",
    "clinic": "by the clinic",
    "nobody": "by nobody",
}

URGENCIES: Final = ("urgent", "attention", "information")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one time.

    Attributes:
        kind: ``held``, ``booked``, ``missed:<who>``, ``cancelled:<who>`` (``client``,
            ``therapist``, which includes the clinic, or ``unknown``), ``rupture``, ``repair``,
            ``boundary``, ``boundary_closed``.
        says: The same in words, without its date.
        inside: What stands in the mark, such as a severity.
    """

    at: datetime
    kind: str
    says: str
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One scored rating; 100 percent is the best possible."""

    at: datetime
    percent: float
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    """Ratings of one instrument by one rater, in stretches that no change of phase crosses."""

    label: str
    stretches: tuple[tuple[Point, ...], ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point of the line, in order of time."""
        return tuple(point for stretch in self.stretches for point in stretch)


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasts; ``end`` None means still."""

    start: datetime
    end: datetime | None
    kind: str
    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is drawn of one timeline.

    Attributes:
        start: The first thing that happened.
        end: The last, or what was asked about; never the present.
        parked: That it is not up to date, in one sentence; empty where it is.
        merged: What was merged, in one sentence; empty where nothing was.
        state: Falling, low, steady, rising or unknown.
        standing: The standing of each rater, in sentences.
        alerts: Open alerts, the most urgent first; ``says`` is the reason.
        consistency: The figures of the phases that are open, else of the last one.
        facets: What ratings and facts say of each quality of the relationship.
        evaluations: Ratings of how one session was, which are of neither alliance nor outcome.
    """

    client: str
    simulated: bool
    parked: str
    merged: str
    start: datetime
    end: datetime
    state: str
    standing: tuple[str, ...]
    phases: tuple[Bar, ...]
    pauses: tuple[Bar, ...]
    alerts: tuple[Bar, ...]
    sessions: tuple[Mark, ...]
    alliance: tuple[Line, ...]
    outcome: tuple[Line, ...]
    evaluations: tuple[Line, ...]
    ruptures: tuple[Mark, ...]
    boundary: tuple[Mark, ...]
    consistency: tuple[Kept, ...]
    facets: tuple[Quality, ...]

    @property
    def title(self) -> str:
        """One line that says what this is."""
        return f"Alliance timeline of client {self.client}"

    @property
    def description(self) -> str:
        """The story in sentences, for who does not see it."""
        first = f"From {day(self.start)} to {day(self.end)}."
        simulated = ["Simulated data: no real person."] if self.simulated else []
        alerts = [f"Open alert, {alert.kind}: {alert.label}." for alert in self.alerts]
        return " ".join([*simulated, *self.notices, first, counted(self), *self.standing, *alerts])

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be read before anything else."""
        return tuple(one for one in (self.merged, self.parked) if one)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line of ratings, in the order in which they are drawn."""
        return (*self.alliance, *self.outcome, *self.evaluations)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened yet."""
        return not (self.phases or self.boundary)


def read(timeline: Mapping[str, Any]) -> Story:
    """Return the story of a timeline."""
    cared = [one for one in timeline["phases"] if not one["apart"]]
    phases = _phases(cared)
    sessions = tuple(sorted(map(_session, timeline["sessions"]), key=lambda mark: mark.at))
    alerts = _alerts(timeline["alerts"])
    ruptures = tuple(_ruptures(timeline["ruptures"]))
    boundary = tuple(_boundary(timeline["boundary_events"]))
    alliance = _lines(timeline["ratings"], "alliance", phases)
    outcome = _lines(timeline["ratings"], "outcome", phases)
    evaluations = _lines(timeline["ratings"], "session", phases)
    moments = [
        *(bar.start for bar in (*phases, *alerts)),
        *(bar.end for bar in phases if bar.end is not None),
        *(mark.at for mark in (*sessions, *ruptures, *boundary)),
        *(point.at for line in (*alliance, *outcome, *evaluations) for point in line.points),
    ]
    if timeline["valid_at"] is not None:
        moments.append(parse_time(timeline["valid_at"]))
    standing = timeline["standing"]
    raters = [rater["words"] for rater in standing["raters"].values()]
    return Story(
        client=timeline["client"],
        simulated=bool(timeline.get("simulated")),
        parked=_parked(timeline.get("parked")),
        merged=_merged(timeline),
        start=min(moments, default=datetime(1970, 1, 1, tzinfo=UTC)),
        end=max(moments, default=datetime(1970, 1, 1, tzinfo=UTC)),
        state=standing["state"],
        standing=tuple(raters or [standing["words"]]),
        phases=phases,
        pauses=_pauses(timeline["care"]),
        alerts=alerts,
        sessions=sessions,
        alliance=alliance,
        outcome=outcome,
        evaluations=evaluations,
        ruptures=ruptures,
        boundary=boundary,
        consistency=kept(cared, [phase.label for phase in phases]),
        facets=qualities(timeline["facets"]),
    )


def day(moment: datetime) -> str:
    """Return a date as people write it."""
    return f"{moment.day} {moment:%b %Y}"


def counted(story: Story) -> str:
    """Return how many sessions were held, missed and cancelled, in one sentence."""
    numbers: dict[str, int] = defaultdict(int)
    for mark in story.sessions:
        numbers[mark.kind.partition(":")[0]] += 1
    said = ", ".join(f"{number} {what}" for what, number in numbers.items())
    return f"Sessions: {said}." if said else "No sessions."


def _merged(timeline: Mapping[str, Any]) -> str:
    if timeline["merged_into"] is not None:
        return f"Merged: everything about this client is read at {timeline['merged_into']}."
    others = sorted({one["client"] for one in timeline["mergers"] if one.get("in_effect")})
    if not others:
        return ""
    return f"Merged into this client, and read here: {', '.join(others)}."


def _parked(parked: Mapping[str, Any] | None) -> str:
    if parked is None:
        return ""
    records = parked["records"]
    waiting = "1 record waits" if records == 1 else f"{records} records wait"
    return f"Not up to date since {day(parse_time(parked['since']))}: {waiting} for an operator."


def _phases(cared: Iterable[Mapping[str, Any]]) -> tuple[Bar, ...]:
    numbers: dict[str, int] = {}
    bars = []
    for phase in cared:
        therapist = phase["therapist"]
        label = "no therapist named"
        if therapist is not None:
            label = f"therapist {numbers.setdefault(therapist, len(numbers) + 1)}"
        start, end = parse_time(phase["opened_at"]), _time(phase["closed_at"])
        until = "still open" if end is None else f"until {day(end)}"
        bars.append(Bar(start, end, "phase", label, f"{label}, from {day(start)}, {until}"))
    return tuple(bars)


def _pauses(cares: Iterable[Mapping[str, Any]]) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            parse_time(pause["from"]),
            _time(pause["until"]),
            "pause",
            "pause",
            f"care paused: {_words(pause['reason'])}",
        )
        for care in cares
        for pause in care["pauses"]
    )


def _alerts(alerts: Iterable[Mapping[str, Any]]) -> tuple[Bar, ...]:
    bars = [
        Bar(
            parse_time(alert["effective_at"]),
            _time(alert["cleared_at"]),
            alert["urgency"],
            alert["title"],
            alert["explanation"],
        )
        for alert in alerts
        if alert["state"] in ("open", "snoozed")
    ]
    return tuple(sorted(bars, key=lambda bar: (URGENCIES.index(bar.kind), bar.start, bar.label)))


def _session(session: Mapping[str, Any]) -> Mark:
    at, state = parse_time(session["starts_at"]), session["state"]
    if state == "scheduled":
        return Mark(at, "booked", "session booked")
    if state == "held":
        late = ", the client came late" if session["client_arrival"] == "late" else ""
        return Mark(at, "held", f"session held{late}")
    by = session[f"{state}_by"]
    reason = session["reason"] or "unknown"
    why = "" if reason in ("unknown", "no_show") else f" ({_words(reason)})"
    says = f"session {state} {BY.get(by, 'by unknown')}{why}"
    return Mark(at, f"{state}:{WHO.get(by, 'unknown')}", says)


def _lines(
    ratings: Iterable[Mapping[str, Any]], construct: str, phases: Sequence[Bar]
) -> tuple[Line, ...]:
    found: dict[tuple[str, str], dict[Any, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        score = _leading(rating)
        if rating["construct"] != construct or rating["in_group"] or score is None:
            continue
        at = parse_time(rating["occurred_at"])
        rater = _words(rating["rater"])
        instrument = instrument_named(rating["instrument"], rating["validated"])
        percent = figure(score["percent"], 0)
        says = f"{instrument} by {rater}: {score['value']:g}, {percent} percent"
        # What starts a new baseline starts a new stretch: comparing across it would mislead.
        baseline = (rating["therapist"], rating["care"], rating["version"],
                    rating["respondent"] or "", rating["language"] or "")  # fmt: skip
        found[rater, instrument][baseline].append(Point(at, score["percent"], says))
    order = sorted(found, key=lambda name: (name[0] != "client", name))
    return tuple(
        Line(
            f"{rater}, {instrument}",
            tuple(
                tuple(sorted(points, key=lambda point: point.at))
                for points in found[rater, instrument].values()
            ),
        )
        for rater, instrument in order
    )


def _leading(rating: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the leading score, where there is one and it has a percent; no other stands in."""
    instrument = INSTRUMENTS.get((rating["instrument"], rating["version"]))
    score: Mapping[str, Any] | None = None
    if instrument is not None:
        score = rating["scores"].get(instrument.leading.name)
    return score if score and score["percent"] is not None else None


def _ruptures(ruptures: Iterable[Mapping[str, Any]]) -> Iterable[Mark]:
    for rupture in ruptures:
        kind = "" if rupture["kind"] in (None, "unknown") else f" ({rupture['kind']})"
        if rupture["noted_at"] is not None:
            by = f" by the {rupture['noted_by']}" if rupture["noted_by"] else ""
            yield Mark(parse_time(rupture["noted_at"]), "rupture", f"rupture noted{by}{kind}")
        if rupture["repaired_at"] is not None:
            says = f"rupture repaired, resolution {rupture['resolution']} of 5"
            yield Mark(parse_time(rupture["repaired_at"]), "repair", says)


def _boundary(events: Iterable[Mapping[str, Any]]) -> Iterable[Mark]:
    for event in events:
        severity = event["severity"]
        judged = event["assessment"] or "not assessed"
        degree = "no severity given" if severity is None else f"severity {severity}"
        area = _words(event["area"] or "unknown")
        says = f"boundary event ({area}), {degree}, {judged}, {event['state']}"
        kind = "boundary_closed" if event["closed_at"] else "boundary"
        at = parse_time(event["noted_at"] or event["occurred_at"])
        yield Mark(at, kind, says, "?" if severity is None else str(severity))


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _words(code: str) -> str:
    return code.replace("_", " ")
