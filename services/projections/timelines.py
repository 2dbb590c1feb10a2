"""Read one client's timeline: from the facts as they are kept, for one viewer, at two times."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from services.projections import cursors, read_models
from services.projections.read_model import Chart
from services.projections.read_models import ReadModels
from services.projections.visibility import Matters, matters, visible, within
from shared.alliance import items
from shared.alliance.clinics import surroundings
from shared.alliance.history import fold_within
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
    """

    organisation: str
    clinics: frozenset[str] | None = None
    person: str | None = None


class Timelines:
    """Folds timelines when they are read."""

    def __init__(self, database: Database, registry: Registry) -> None:
        """Read nothing yet."""
        self._database = database
        self._registry = registry

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
            known = matters(chart.own)
            own, shared = visible(chart.own, known, viewer.person), chart.shared
            around = chart.around
            if viewer.clinics is not None:
                own, shared = within(own, viewer.clinics), within(shared, viewer.clinics)
                if not own:
                    return None
                around = surroundings(viewer.organisation, shared)
            chart = replace(chart, own=own, shared=shared, around=around)
            return {
                **_folded(chart, valid_at, known_at),
                "judged_at": _judged_at(db, models, chart),
                "alerts": _alerts(db, models, viewer, client, known, valid_at, known_at),
                "conflicts": _conflicts(db, models, chart, known_at),
                "parked": _parked(db, chart),
                "simulated": any(one.event.source.startswith(SIMULATED) for one in own),
            }


def _parked(db: Connection, chart: Chart) -> dict[str, Any] | None:
    """Return what of the client waits for an operator, so that nobody takes it for up to date."""
    found = parking.waiting(db, chart.organisation, [chart.client]).get(chart.client)
    if found is None:
        return None
    return {
        "since": format_time(found.since),
        "records": found.records,
        "consumers": list(found.consumers),
    }


def _folded(chart: Chart, valid_at: datetime | None, known_at: datetime | None) -> dict[str, Any]:
    whose, around = (chart.organisation, chart.client), chart.around
    if known_at is not None or valid_at is not None:
        around = surroundings(whose[0], chart.shared, known_at=known_at, valid_at=valid_at)
    history = fold_within(around, *whose, chart.own, known_at=known_at, valid_at=valid_at)
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
    client: str,
    known: Matters,
    valid_at: datetime | None,
    known_at: datetime | None,
) -> list[dict[str, Any]]:
    """Return the alerts that the viewer may see, as they stood when they are asked about."""
    return [
        alert
        for alert, evidence in models.alerts.query(db, viewer.organisation, client, known_at)
        if (viewer.clinics is None or alert["clinic"] in viewer.clinics)
        and (valid_at is None or parse_time(alert["effective_at"]) <= valid_at)
        and _may_know(viewer, known, evidence)
    ]


def _may_know(viewer: Viewer, known: Matters, evidence: Iterable[str]) -> bool:
    if viewer.person is None:
        return True
    return all(event in known.refs and known.cleared(event, viewer.person) for event in evidence)


def _conflicts(
    db: Connection, models: ReadModels, chart: Chart, known_at: datetime | None
) -> list[dict[str, Any]]:
    """Return what came under the id of a visible fact with other content, without effect."""
    found = models.facts.conflicts(db, chart.organisation, chart.client, known_at)
    contested = [envelope for envelope in chart.own if envelope.id in found] if found else []
    return [
        items.conflict(Conflict(one.id, one.event.type, one.event.time, found[one.id]))
        for one in sorted(contested, key=as_sent)
    ]
