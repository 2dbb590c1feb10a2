"""From what is extracted of a therapist's clients to the steps of alerts about them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from services.alerts.alert import Subject
from services.alerts.caseload import Caseload
from services.alerts.judgement import Held, Judged, judged
from services.alerts.judging import Found
from services.alerts.ledger import Key
from services.alerts.orders import BEGINNING, Order, along
from services.alerts.organisations import Organisation
from services.alerts.rule import CaseloadRule, Verdict
from services.alerts.silence import horizon
from services.alerts.steps import Circumstances, Decided, Known, decide
from services.alerts.store import Life
from shared.clock import EPOCH


def judge_caseload(
    organisation: Organisation,
    caseload: Caseload,
    rules: Sequence[CaseloadRule],
    alerts: Mapping[Key, Sequence[Known]],
    until: datetime,
) -> Found:
    """Judge the whole caseload of one therapist.

    The therapist's id stands where other alerts have the client; there is no course of care.

    Args:
        organisation: Where.
        caseload: What is extracted of each client.
        rules: Those about caseloads.
        alerts: Every alert ever known about this therapist's caseload.
        until: The present of the partition that is furthest behind.
    """
    therapist, zone = caseload.therapist, caseload.calendar.timezone
    subject = Subject(organisation.id, therapist, "", therapist, caseload.clinics, zone)
    around = _circumstances(organisation, caseload, subject.clinic, until)
    steps: list[Decided] = []
    held: list[tuple[Subject, Held]] = []
    due: list[datetime | None] = []
    for rule in rules:
        ordered = _ordered(organisation, rule, caseload)
        found = Judged((), None)
        if ordered:
            limit = horizon(
                caseload.facts, caseload.clinics, rule.reads, organisation.silences, until
            )
            found = judged(rule, partial(_verdict, rule, caseload, limit.until), ordered)
            due.append(limit.again_at)
            if limit.suspended:
                found = Judged(found.held, None)
        known = alerts.get((*subject.key, rule.name), ())
        outcome = decide(subject, rule, found.held, known, around)
        steps += outcome.steps
        held += [(subject, one) for one in found.held]
        due += [outcome.wakes_at, found.due_at]
    names = {rule.name for rule in rules}
    for key in sorted(key for key in alerts if key[2] not in names):
        steps += decide(subject, None, (), alerts[key], around).steps
    first = min((moment for moment in due if moment is not None), default=None)
    return Found(Life((organisation.id, therapist), first, 0, held, ()), tuple(steps))


def _circumstances(
    organisation: Organisation, caseload: Caseload, clinic: str, until: datetime
) -> Circumstances:
    therapist = caseload.therapist
    latest = max((fact.known_at for fact in caseload.facts), default=EPOCH)
    earliest = min((fact.known_at for fact in caseload.facts), default=until)
    matters = {one.fact.event for one in caseload.matters}
    return Circumstances(
        until=max(until, latest),
        latest_recorded=latest,
        history_after=organisation.history_after(clinic),
        terms=organisation.terms(clinic, max(until, latest), lambda: earliest),
        actions=organisation.actions,
        # Whoever a boundary event is about never reads of it.
        concerns=lambda events: frozenset({therapist} if matters & set(events) else ()),
    )


def _verdict(
    rule: CaseloadRule, caseload: Caseload, until: datetime, settings: Mapping[str, Any]
) -> Verdict:
    return rule.judge_caseload(caseload, settings, until)


def _ordered(
    organisation: Organisation, rule: CaseloadRule, caseload: Caseload
) -> tuple[Order, ...]:
    """Return the orders of a caseload: those of the clinic where a client was taken on last."""
    if rule.always_news:
        # A boundary matter stays under the orders of the clinics that have any.
        clinics = dict.fromkeys([matter.clinic for matter in caseload.matters])
        clinics |= dict.fromkeys([stay.clinic for stay in caseload.stays])
        there = [found for clinic in clinics if (found := organisation.orders(rule, clinic))]
        return along([(BEGINNING, there[0])]) if there else ()
    stays: list[tuple[datetime, str]] = []
    for stay in caseload.stays:
        if not stays or stays[-1][1] != stay.clinic:
            stays.append((stay.opened_at if stays else BEGINNING, stay.clinic))
    there_then = [(since, organisation.orders(rule, clinic)) for since, clinic in stays]
    return along(there_then) if there_then else ()
