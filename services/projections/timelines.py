"""Read one client's timeline: from the facts as they are kept, for one viewer, at two times."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from services.projections import cursors, read_models
from services.projections.read_model import Chart
from services.projections.read_models import ReadModels
from services.projections.visibility import visible, within
from shared.alliance import items
from shared.alliance.clinics import surroundings
from shared.alliance.elsewhere import seen_from
from shared.alliance.history import fold_within
from shared.alliance.matters import Matters, matters
from shared.alliance.mergers import NONE, Mergers
from shared.alliance.reading import Conflict, as_sent
from shared.alliance.timeline import timeline
from shared.clock import format_time, parse_time
from shared.storage.engine import Database
from shared.storage.registry import Registry
from shared.stream import parking

SIMULATED = "urn:simulated"
"""A source that begins so holds made-up data, and every timeline with it says so."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks.

    Attributes:
        organisation: Whose clients they may see.
        clinics: What happened elsewhere is left out; None: nothing is.
        person: Boundary matters that concern them are left out; None: nobody in particular.
        role: What the key is held as: governance and safeguarding may know protected reporters.
    """

    organisation: str
    clinics: frozenset[str] | None = None
    person: str | None = None
    role: str | None = None

    @property
    def everywhere(self) -> bool:
        """Whether every client of the organisation is there for them."""
        return self.clinics is None and self.person is None


class Timelines:
    """Folds timelines when they are read."""

    def __init__(self, database: Database, registry: Registry) -> None:
        """Read nothing yet."""
        self._database = database
        self._registry = registry

    def known(self, viewer: Viewer, clients: Collection[str]) -> set[str]:
        """Return which clients of the registry the viewer may know of: who has a timeline.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        if viewer.everywhere:
            return set(clients)
        with self._database.read() as db:
            models = read_models.serving(db)
            charts = [models.facts.query(db, viewer.organisation, one) for one in clients]
            return {one.client for one in charts if _is_there(viewer, one, matters(one.every))}

    def read(
        self,
        viewer: Viewer,
        client: str,
        *,
        valid_at: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, Any] | None:
        """Return the timeline of a client; None for one whom the viewer may not know of.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        if not cursors.CLIENT.fullmatch(client) or not self._registry.known(
            viewer.organisation, client
        ):
            return None
        with self._database.read() as db:
            models = read_models.serving(db)
            chart = models.facts.query(db, viewer.organisation, client)
            known = matters(chart.every)
            read, mergers = chart.read(known_at=known_at, valid_at=valid_at)
            if not _is_there(viewer, chart, known):
                return None
            own = visible(read, known, viewer.person, viewer.role)
            shared, around = chart.shared, chart.around
            if viewer.clinics is not None:
                own, shared = within(own, viewer.clinics), within(shared, viewer.clinics)
                around = surroundings(viewer.organisation, shared)
            chart = replace(chart, own=own, shared=shared, around=around)
            here = sorted(mergers.read_together(client))
            folded = _folded(chart, mergers, valid_at, known_at)
            return {
                **folded,
                **_merged(mergers, client, viewer),
                "judged_at": _judged_at(db, models, chart),
                "alerts": _alerts(db, models, viewer, here, known, valid_at, known_at),
                "conflicts": _conflicts(db, models, chart, here, known_at, folded["conflicts"]),
                "parked": _parked(db, chart.organisation, here or [client]),
                "simulated": any(one.event.source.startswith(SIMULATED) for one in own),
            }


def _is_there(viewer: Viewer, chart: Chart, known: Matters) -> bool:
    """Return whether a viewer may know of a client: by all that is known now, whenever they ask.

    Of whom everything that was ever said is kept from somebody, they are kept as well; decided at
    the time that is asked about, the times would tell of it.
    """
    if viewer.everywhere:
        return True
    every = (chart.own, chart.read()[0])
    return any(
        within(seen, viewer.clinics) if viewer.clinics is not None else seen
        for seen in (visible(some, known, viewer.person) for some in every)
    )


def _merged(mergers: Mergers, client: str, viewer: Viewer) -> dict[str, Any]:
    """Return what a timeline says of mergers, and where a merged client is read."""
    if mergers is NONE:
        return {}
    read_at = mergers.read_at(client)
    shown = [
        one
        for one in mergers.shown_at(client)
        if viewer.clinics is None or one.fact.data.get("clinic") in viewer.clinics
    ]
    return {
        "merged_into": None if read_at == client else read_at,
        "mergers": [
            {
                **items.fact(one.fact),
                "client": one.client,
                "in_effect": one.without is None,
                "without_effect_because": one.without,
            }
            for one in shown
        ],
    }


def _parked(db: Connection, organisation: str, clients: Sequence[str]) -> dict[str, Any] | None:
    """Return what waits for an operator, so that nobody takes the timeline for up to date."""
    waiting = parking.waiting(db, organisation, clients).values()
    if not waiting:
        return None
    return {
        "since": format_time(min(one.since for one in waiting)),
        "records": sum(one.records for one in waiting),
        "consumers": sorted({name for one in waiting for name in one.consumers}),
    }


def _folded(
    chart: Chart, mergers: Mergers, valid_at: datetime | None, known_at: datetime | None
) -> dict[str, Any]:
    whose, around = (chart.organisation, chart.client), chart.around
    if known_at is not None or valid_at is not None:
        around = surroundings(whose[0], chart.shared, known_at=known_at, valid_at=valid_at)
    history = fold_within(around, *whose, chart.own, known_at=known_at, valid_at=valid_at)
    here = mergers.read_together(chart.client) or {chart.client}
    more = [one for client in sorted(here) for one in mergers.waiting.get(client, ())]
    if more:
        waiting = sorted((*history.waiting, *more), key=lambda one: one.occurred_at)
        history = replace(history, waiting=tuple(waiting))
    return timeline(history, known_at=known_at, valid_at=valid_at)


def _judged_at(db: Connection, models: ReadModels, chart: Chart) -> str | None:
    """Return the last tick of the client's partition: up to when silence has been judged."""
    if chart.partition is None:
        return None
    ticked_at = models.facts.ticked_at(db, chart.partition)
    return None if ticked_at is None else format_time(ticked_at)


def _alerts(
    db: Connection,
    models: ReadModels,
    viewer: Viewer,
    clients: Sequence[str],
    known: Matters,
    valid_at: datetime | None,
    known_at: datetime | None,
) -> list[dict[str, Any]]:
    """Return the alerts that the viewer may see, as they stood when they are asked about.

    Args:
        db: The database.
        models: What serves.
        viewer: Who looks.
        clients: Whose facts are read here.
        known: The boundary matters among them.
        valid_at: Only what was in effect by then.
        known_at: Only what was said by then.
    """
    return [
        seen_from(alert, viewer.clinics)
        for alert, evidence in models.alerts.query(db, viewer.organisation, clients, known_at)
        if (viewer.clinics is None or alert["clinic"] in viewer.clinics)
        and (valid_at is None or parse_time(alert["effective_at"]) <= valid_at)
        and _may_know(viewer, known, evidence)
    ]


def _may_know(viewer: Viewer, known: Matters, evidence: Iterable[str]) -> bool:
    if viewer.person is None:
        return True
    return all(event in known.refs and known.cleared(event, viewer.person) for event in evidence)


def _conflicts(
    db: Connection,
    models: ReadModels,
    chart: Chart,
    clients: Sequence[str],
    known_at: datetime | None,
    more: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return what came under the id of a visible fact with other content, without effect.

    Args:
        db: The database.
        models: What serves.
        chart: As it is visible.
        clients: Whose facts are read here.
        known_at: Only what was said by then.
        more: What came under one id from clients who were merged.
    """
    found = Counter({one["event"]: one["contents"] for one in more})
    for client in clients:
        found.update(models.facts.conflicts(db, chart.organisation, client, known_at))
    contested = [envelope for envelope in chart.own if envelope.id in found] if found else []
    return [
        items.conflict(Conflict(one.id, one.event.type, one.event.time, found[one.id]))
        for one in sorted(contested, key=as_sent)
    ]
