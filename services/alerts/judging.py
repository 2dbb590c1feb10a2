"""From the facts of one client to the steps of its alerts. Pure: the watcher does the I/O."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, cast

from services.alerts.absorbers import COMBINED, absorbing_now, peers_told
from services.alerts.absorbing import PEERS, informative
from services.alerts.alert import ACTIONS, Action, Subject, actions_in
from services.alerts.extracting import extracts
from services.alerts.groups import group_of
from services.alerts.judgement import Held, Judged, always, judged
from services.alerts.ledger import Key
from services.alerts.orders import BEGINNING, Order, along
from services.alerts.organisations import Organisation
from services.alerts.rule import CombinedRule, Episode, FeedRule, Rule, Verdict
from services.alerts.silence import Horizon, horizon
from services.alerts.steps import Circumstances, Decided, Known, decide
from services.alerts.store import Life
from shared.alliance.history import History, Phase, fold_within
from shared.alliance.matters import Matters, matters
from shared.alliance.reading import ALERTS, PROCESSING
from shared.clock import EPOCH
from shared.envelope import Envelope

_Judge = Callable[[datetime, Mapping[str, Any]], Verdict]
"""Judges a phase up to a horizon, under some settings."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a judgement of one client comes to: what holds, and the steps that follow.

    Attributes:
        hushed: Alerts of which nothing is told for now, each with the present: consent to it is
            withdrawn.
    """

    life: Life
    steps: tuple[Decided, ...]
    hushed: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Case:
    """One client while it is judged."""

    organisation: Organisation
    history: History
    alerts: Mapping[Key, Sequence[Known]]
    actions: Sequence[Action]
    concerns: Matters
    facts: Sequence[Envelope]
    latest_recorded: datetime
    latest_otherwise: datetime
    until: datetime
    present: datetime


def judge_client(
    organisation: Organisation,
    client: str,
    envelopes: Sequence[Envelope],
    rules: Sequence[Rule],
    alerts: Mapping[Key, Sequence[Known]],
    until: datetime,
    *,
    every: Sequence[Envelope] | None = None,
) -> Found:
    """Judge the whole life of one client.

    Args:
        organisation: Whose client it is.
        client: Opaque id.
        envelopes: Everything that is read at the client, people's actions too.
        rules: The rules that judge phases.
        alerts: Every alert ever known of the client.
        until: The present of its partition.
        every: Everything about everybody whom mergers ever tied to the client: what people did
            about an alert, and whom a matter concerns, counts whomever it was sent about.
    """
    facts = [one for one in envelopes if one.event.type not in ACTIONS]
    known = envelopes if every is None else every
    concerns = matters(one for one in known if one.event.type not in ACTIONS)
    case = _Case(
        organisation=organisation,
        history=fold_within(organisation.around, organisation.id, client, facts),
        alerts=alerts,
        actions=actions_in(known),
        concerns=concerns,
        facts=facts,
        latest_recorded=_latest(facts),
        latest_otherwise=_latest(one for one in facts if one.id not in concerns.refs),
        until=until,
        # The partition of another who is read here may be behind what stands here already.
        present=until if every is None else max(until, *(one.recorded_at for one in every)),
    )
    groups: dict[tuple[str, str], list[Phase]] = defaultdict(list)
    for phase in case.history.phases:
        groups[phase.care.ref, phase.therapist].append(phase)
    found = [_judge_phases(case, phases, rules) for phases in groups.values()]
    names = {rule.name for rule in rules}
    gone = {key for key in alerts if key[:2] not in groups or key[2] not in names}
    orphans = [_judge_orphans(case, key) for key in sorted(gone)]
    one = _together((organisation.id, client), [*found, *orphans])
    hushed = [one.alert for known in alerts.values() for one in known] if _muted(case) else []
    clinics = [clinic.ref for clinic in case.history.clinics]
    life = replace(one.life, clinics=clinics, extracts=extracts(case.history))
    return Found(life, one.steps, dict.fromkeys(hushed, case.present))


def _latest(facts: Iterable[Envelope]) -> datetime:
    return max((one.known_since for one in facts), default=EPOCH)


def judge_source(
    organisation: Organisation,
    source: str,
    rule: FeedRule,
    alerts: Mapping[Key, Sequence[Known]],
    until: datetime,
) -> Found:
    """Judge whether a source is silent."""
    spans = organisation.silences.get(source, ())
    clinics = sorted(spans[-1].clinics) if spans else []
    subject = Subject(organisation.id, source, "", "", tuple(clinics))
    verdict = rule.judge_feed(organisation.id, spans)
    held = judged(rule, lambda _: verdict, always(rule)).held
    around = Circumstances(
        until=until,
        latest_recorded=max((span.known_at for span in spans), default=EPOCH),
        history_after=organisation.history_after(subject.clinic),
        terms=organisation.terms(
            subject.clinic, until, lambda: min((span.since for span in spans), default=until)
        ),
        actions=organisation.actions,
        concerns=lambda _: frozenset(),
    )
    outcome = decide(subject, rule, held, alerts.get(("", "", rule.name), ()), around)
    life = Life((organisation.id, source), outcome.wakes_at, 0, [(subject, h) for h in held], ())
    return Found(life, outcome.steps)


def _judge_phases(case: _Case, phases: Sequence[Phase], rules: Sequence[Rule]) -> Found:
    """Judge the phases of one therapist in one care, of which there may be several in turn."""
    last = phases[-1]
    clinic = last.clinic
    who = (case.history.organisation, case.history.client)
    subject = Subject(*who, last.care.ref, last.therapist, (clinic.ref,), clinic.timezone)
    around = _circumstances(case, clinic.ref, phases)
    steps: list[Decided] = []
    everything: list[tuple[Subject, Held]] = []
    due: list[datetime | None] = []
    suspended = False
    # The combined first: what they tell, their parts do not.
    every = [
        (
            rule,
            parts,
            _merged(part for part, _ in parts),
            case.alerts.get((*subject.key, rule.name), ()),
        )
        for rule, parts in _verdicts(case, phases, rules)
    ]
    told = (peers_told(rule, held, known, clinic) for rule, _, held, known in every)
    around = replace(around, absorbing=tuple(chain.from_iterable(told)))
    for rule, parts, held, known in sorted(every, key=lambda one: informative(one[0])):
        outcome = decide(subject, rule, held, known, _learnt(case, rule, around))
        if held and (rule.family == COMBINED or rule.name in PEERS):
            absorbing = (*around.absorbing, *absorbing_now(rule, known, outcome, clinic))
            around = replace(around, absorbing=absorbing)
        steps += outcome.steps
        everything += [(subject, one) for one in held]
        due.append(outcome.wakes_at)
        for part, limit in parts:
            due += [part.due_at, limit.again_at]
            suspended = suspended or limit.suspended
    first = min((moment for moment in due if moment is not None), default=None)
    return Found(Life(who, first, int(suspended), everything, (subject,)), tuple(steps))


def _verdicts(
    case: _Case, phases: Sequence[Phase], rules: Sequence[Rule]
) -> list[tuple[Rule, list[tuple[Judged, Horizon]]]]:
    """Return what each rule says of each phase; those that are combined of others last."""
    found: list[tuple[Rule, list[tuple[Judged, Horizon]]]] = []
    for rule in rules:
        if rule.family != COMBINED:
            judges = [partial(_verdict, rule, phase) for phase in phases]
            found.append((rule, _each_phase(case, rule, phases, judges)))
    alone = {rule.name: parts for rule, parts in found}
    for rule in rules:
        if rule.family == COMBINED:
            combined = cast(CombinedRule, rule)
            judges = [
                partial(_combined, combined, phase, _told(combined, alone, at))
                for at, phase in enumerate(phases)
            ]
            found.append((rule, _each_phase(case, rule, phases, judges)))
    return found


def _each_phase(
    case: _Case, rule: Rule, phases: Sequence[Phase], judges: Sequence[_Judge]
) -> list[tuple[Judged, Horizon]]:
    return [
        _judge_phase(case, rule, phase, judge) for phase, judge in zip(phases, judges, strict=True)
    ]


def _told(
    rule: CombinedRule, alone: Mapping[str, Sequence[tuple[Judged, Horizon]]], at: int
) -> dict[str, list[Episode]]:
    """Return the episodes of a rule's parts in one phase, shadows and unwanted ones left out."""
    return {
        name: [held.episode for held in alone[name][at][0].held if held.steps]
        for name in rule.parts
        if name in alone
    }


def _judge_phase(case: _Case, rule: Rule, phase: Phase, judge: _Judge) -> tuple[Judged, Horizon]:
    ordered = _ordered(case.organisation, rule, phase)
    if not ordered or (phase.apart and rule.family != "boundary"):
        return Judged((), None), Horizon(case.until)
    stopped = case.history.withdrawn.get(PROCESSING, ())
    ends = [span.start for span in stopped if span.until is None]
    # While consent to processing is withdrawn nothing falls due: what would have put it right
    # is left out of the fold.
    until = min([case.until, *ends])
    limit = horizon(phase.facts, {phase.clinic.ref}, rule.reads, case.organisation.silences, until)
    found = judged(
        rule,
        partial(judge, limit.until),
        ordered,
        stopped=stopped,
        unwanted=case.history.withdrawn.get(ALERTS, ()),
    )
    due_at = None if limit.suspended or ends else found.due_at
    return Judged(found.held, due_at), limit


def _ordered(organisation: Organisation, rule: Rule, phase: Phase) -> tuple[Order, ...]:
    """Return the orders of a phase: those of the clinic that what the rule reads came from.

    A fact from another clinic takes nothing back that was told under the orders of the one
    before. A boundary matter or a risk stays under the orders of the clinics that have any.
    """
    if phase.derived(_stayed):
        return organisation.orders_at(rule, phase.clinic.ref)
    stays: list[tuple[datetime, str]] = []
    for fact in phase.facts:
        clinic = fact.data.get("clinic")
        if (
            clinic is not None
            and fact.type in rule.reads
            and (not stays or stays[-1][1] != clinic)
        ):
            stays.append((fact.occurred_at if stays else BEGINNING, clinic))
    stays = stays or [(BEGINNING, phase.clinic.ref)]
    there = [(since, organisation.orders(rule, clinic)) for since, clinic in stays]
    if rule.always_news:
        there = [one for one in there if one[1]] or there[:1]
        there[0] = (BEGINNING, there[0][1])
    return along(there)


def _stayed(phase: Phase) -> bool:
    """Return whether everything in a phase came from one clinic."""
    return len({fact.data.get("clinic") for fact in phase.facts} - {None}) < 2


def _judge_orphans(case: _Case, key: Key) -> Found:
    """Close the alerts of a phase left without facts by corrections, or of a rule that is gone."""
    care, therapist, _ = key
    who = (case.history.organisation, case.history.client)
    known = case.alerts[key]
    clinic = known[-1].body["clinic"] or ""
    subject = Subject(*who, care, therapist, (clinic,))
    steps = decide(subject, None, (), known, _circumstances(case, clinic)).steps
    return Found(Life(who, None, 0, (), ()), steps)


def _circumstances(case: _Case, clinic: str, phases: Sequence[Phase] = ()) -> Circumstances:
    return Circumstances(
        until=case.present,
        latest_recorded=case.latest_otherwise,
        history_after=case.organisation.history_after(clinic),
        terms=case.organisation.terms(clinic, case.present, lambda: _heard(case, clinic)),
        actions=case.actions,
        group=lambda held: group_of(held, phases),
        concerns=case.concerns.people,
        muted=_muted(case),
    )


def _learnt(case: _Case, rule: Rule, around: Circumstances) -> Circumstances:
    """Let rules about boundary matters alone know when one was told of: others give it away."""
    boundary = rule.family == "boundary"
    return replace(around, latest_recorded=case.latest_recorded) if boundary else around


def _muted(case: _Case) -> bool:
    """Return whether consent to alerts, or to any processing, is withdrawn."""
    return "withdrawn" in map(case.history.given.get, (ALERTS, PROCESSING))


def _heard(case: _Case, clinic: str) -> datetime:
    """Return when a clinic was heard of at the latest, by what it sent about the client."""
    mine = [one for one in case.facts if one.event.data.get("clinic") == clinic]
    return min((one.recorded_at for one in mine), default=case.present)


def _verdict(rule: Rule, phase: Phase, until: datetime, settings: Mapping[str, Any]) -> Verdict:
    return rule.judge(phase, settings, until)


def _combined(
    rule: CombinedRule,
    phase: Phase,
    episodes: Mapping[str, Sequence[Episode]],
    until: datetime,
    settings: Mapping[str, Any],
) -> Verdict:
    return rule.combine(phase, episodes, settings, until)


def _merged(parts: Iterable[Judged]) -> tuple[Held, ...]:
    """Return the episodes of several phases in time, each id once."""
    found = {held.id: held for part in parts for held in part.held}
    return tuple(sorted(found.values(), key=lambda held: (held.effective_at, held.id)))


def _together(who: tuple[str, str], parts: Sequence[Found]) -> Found:
    due = [part.life.due_at for part in parts if part.life.due_at is not None]
    life = Life(
        who,
        min(due, default=None),
        sum(part.life.suspended for part in parts),
        [one for part in parts for one in part.life.held],
        [subject for part in parts for subject in part.life.subjects],
    )
    return Found(life, tuple(step for part in parts for step in part.steps))
