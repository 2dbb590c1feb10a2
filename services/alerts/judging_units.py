"""From the facts of everybody tied together to the steps of their alerts. Pure.

An alert belongs to whoever reads the client of its first step: what was told of a reference before
it was merged goes on at the client who is read now, and back when the merger is taken back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.alerts.alert import ACTIONS
from services.alerts.decided import Known
from services.alerts.judging import Found, judge_client
from services.alerts.ledger import Key
from services.alerts.organisations import Organisation
from services.alerts.rule import Rule
from services.alerts.store import Life
from services.alerts.units import Unit
from shared.alliance.boundaries import name_of
from shared.alliance.mergers import together
from shared.envelope import Envelope

Alerts = Mapping[Key, Sequence[Known]]


def judge_unit(
    unit: Unit,
    around: Mapping[int, Organisation],
    rules: Sequence[Rule],
    alerts: Mapping[str, Alerts],
    presents: Mapping[int, datetime],
) -> list[tuple[Found, Alerts]]:
    """Judge several clients at once: each that is read by itself, with all that is read there.

    Args:
        unit: The clients.
        around: The organisation, as each partition of theirs holds it.
        rules: The rules that judge phases.
        alerts: Each client → the alerts that belong there.
        presents: The present of each partition of theirs; the one behind counts, because what
            stands there may be what a deadline waits for.
    """
    every = unit.every
    found: dict[str, tuple[Found, Alerts]] = {}
    for client in unit.members:
        here = unit.mergers.read_together(client)
        if not here:
            continue
        known = acted_on(alerts[client], every, around[unit.places[client]])
        own = together(every, unit.mergers, client)
        if not own and not known:
            found[client] = _nothing(unit, client, None), known
            continue
        until = min(presents[unit.places[one]] for one in here)
        judged = judge_client(
            around[unit.places[client]], client, own, rules, known, until, every=every
        )
        found[client] = judged, known
    for client in unit.members:
        if client not in found:
            due_at = found[unit.mergers.read_at(client)][0].life.due_at
            found[client] = _nothing(unit, client, due_at), {}
    return [found[client] for client in unit.members]


def belonging(
    unit: Unit, alerts: Mapping[str, Alerts], origins: Mapping[str, str]
) -> dict[str, dict[Key, list[Known]]]:
    """Return each client → the alerts that belong there.

    Args:
        unit: The clients.
        alerts: Each client → the alerts whose last step names them.
        origins: Alert → the client whom its first step names.
    """
    found: dict[str, dict[Key, list[Known]]] = {one: defaultdict(list) for one in unit.members}
    names = {one: _names_of_matters(unit, one) for one in unit.members}
    for key, each in _each(unit, alerts):
        at = unit.mergers.read_at(origins[each.alert])
        # What was told of a boundary event is named by it, and its name by its client.
        keys = tuple(_renamed(one, names[at]) for one in each.keys)
        found[at][key].append(replace(each, keys=keys))
    for several in (several for of in found.values() for several in of.values()):
        several.sort(key=lambda one: one.first)
    return found


def acted_on(
    alerts: Alerts, envelopes: Iterable[Envelope], around: Organisation
) -> dict[Key, list[Known]]:
    """Return the alerts, each that somebody has acted on taken as told."""
    own = {one.event.data["alert"] for one in envelopes if one.event.type in ACTIONS}
    acted = around.acted_on | own
    return {
        key: [one if one.alert not in acted else one.known_to_somebody() for one in known]
        for key, known in alerts.items()
    }


def _each(unit: Unit, alerts: Mapping[str, Alerts]) -> Iterable[tuple[Key, Known]]:
    return (
        (key, one)
        for client in unit.members
        for key, several in alerts[client].items()
        for one in several
    )


def _nothing(unit: Unit, client: str, due_at: datetime | None) -> Found:
    """Return what holds at a client where nothing is read: it is due with whoever reads it."""
    return Found(Life((unit.organisation, client), due_at, 0, (), ()), ())


def _names_of_matters(unit: Unit, at: str) -> dict[str, str]:
    """Return how boundary events are called at any of the others → at one client."""
    fields = (one.event.data for one in unit.every)
    said = (one.get("data", one) for one in fields)
    refs = {one["boundary_event"] for one in said if one.get("boundary_event")}
    whose = unit.organisation
    return {
        name_of(whose, other, ref): name_of(whose, at, ref)
        for ref in refs
        for other in unit.members
        if other != at
    }


def _renamed(key: str, names: Mapping[str, str]) -> str:
    for before, now in names.items():
        key = key.replace(before, now)
    return key
