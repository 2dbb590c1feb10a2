"""A rule's example, played through the same fold and the same judgement as real events. Pure.

``rapport rules show`` and ``GET /v1/rules`` tell it: it cannot say anything that the rule would
not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.caseload import caseload
from services.alerts.example import BEGINS, CLINIC, SOURCE, THERAPIST
from services.alerts.extracting import extracts
from services.alerts.rule import CaseloadRule, Episode, FeedRule, Rule, Urgency
from services.alerts.rules import COMBINED_RULES, RULES
from services.alerts.silence import silences
from shared.alliance.clinics import surroundings
from shared.alliance.history import fold
from shared.alliance.reading import standing
from shared.envelope import Envelope, Event
from shared.events import EVENT_TYPES

ORGANISATION, CLIENT = "org_example", "cl_example"
RECORDED_AFTER: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an example that was played.

    Attributes:
        at: When it happened, or when it became true.
        words: What happened, or what the alert explains.
        urgency: Of an alert's step; None for what happened, and for what cleared.
    """

    at: datetime
    words: str
    urgency: Urgency | None = None


def played(rule: Rule) -> list[Line]:
    """Return what happened in a rule's example, with what the rule says of it, in time."""
    lines = [Line(told.at, told.words) for told in rule.example]
    until = max((told.at for told in rule.example), default=BEGINS)
    whats = [(told.client, what) for told in rule.example for what in told.events]
    envelopes = [
        _envelope(str(number), client, *what) for number, (client, what) in enumerate(whats)
    ]
    for episode in _episodes(rule, envelopes, until):
        lines += [
            Line(step.effective_at, step.explanation, step.urgency) for step in episode.steps
        ]
        if episode.cleared_at is not None:
            lines.append(Line(episode.cleared_at, "cleared"))
    return sorted(lines, key=lambda line: line.at)


def _episodes(rule: Rule, envelopes: Sequence[Envelope], until: datetime) -> Iterator[Episode]:
    if isinstance(rule, FeedRule):
        for found in silences(standing(envelopes).facts).values():
            yield from rule.judge_feed(ORGANISATION, found).episodes
        return
    around = [one for one in envelopes if one.event.subject is None]
    if isinstance(rule, CaseloadRule):
        clients = sorted({one.client for one in envelopes if one.client is not None})
        folded = (fold(ORGANISATION, client, envelopes, around) for client in clients)
        every = (one for history in folded for one in extracts(history))
        mine = [one for one in every if one.therapist == THERAPIST]
        whole = caseload(ORGANISATION, THERAPIST, mine, surroundings(ORGANISATION, around))
        yield from rule.judge_caseload(whole, rule.defaults, until).episodes
        return
    for phase in fold(ORGANISATION, CLIENT, envelopes, around).phases:
        combined = next((one for one in COMBINED_RULES if one.name == rule.name), None)
        if combined is None:
            yield from rule.judge(phase, rule.defaults, until).episodes
            continue
        parts = {
            part.name: part.judge(phase, part.defaults, until).episodes
            for part in RULES
            if part.name in combined.parts
        }
        yield from combined.combine(phase, parts, combined.defaults, until).episodes


def _envelope(
    name: str, client: int, type: str, at: datetime, data: Mapping[str, Any]
) -> Envelope:
    of_feed = type.startswith("feed.")
    whole = data if of_feed else {"clinic": CLINIC, "therapist": THERAPIST, **data}
    subject = None if EVENT_TYPES[type].scope == "clinic" else CLIENT + str(client or "")
    event = Event(type, "urn:example", name, at, subject, whole)
    return Envelope(ORGANISATION, SOURCE, event, name, at + RECORDED_AFTER)
