"""Read the boundary register: a page of it, or one boundary event with its whole life.

What a reader may not know of is not there: not in a page, its count, its cursor or its order, not
by its id, and not in the patterns of what they may read (invariant 10).
"""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from services.projections import cursors, read_models
from services.projections.entries import whole
from services.projections.read_models.boundary_events import Asked, entries
from services.projections.timelines import Viewer
from services.projections.visibility import may_know_reporters
from shared.alliance.boundaries import Entry
from shared.storage.engine import Database

FILTERS = ("state", "clinic", "severity", "overdue")


class Register:
    """Reads the register as one viewer may see it."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def page(
        self,
        viewer: Viewer,
        filters: Mapping[str, Any],
        *,
        limit: int,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """Return boundary events, worst first: overdue, then open, then closed.

        Raises:
            ValueError: when the cursor is none of ours.
            DatabaseUnavailable: when the database does not answer.
        """
        named = {name: filters.get(name) for name in FILTERS}
        said = {name: None if one is None else str(one) for name, one in named.items()}
        after = None if cursor is None else cursors.read(cursor, said, cursors.NAME)
        # One more than asked for: whether it is there says whether there is a next page.
        asked = Asked(
            viewer.organisation, viewer.clinics, viewer.person, **named,
            after=after, limit=limit + 1,
        )  # fmt: skip
        with self._database.read() as db:
            models = read_models.serving(db)
            ticks = models.facts.ticks()
            rows = models.boundary_events.query(db, asked, ticks)
            total = models.boundary_events.count(db, asked, ticks)
        shown = rows[:limit]
        last = shown[-1] if len(rows) > limit else None
        return {
            "boundary_events": [_shown(row, viewer) for row in shown],
            "total": total,
            "next": last and cursors.write((last.rank, last.since, last.id), said),
        }

    def one(self, viewer: Viewer, id: str) -> dict[str, Any] | None:
        """Return one boundary event; None for one that the viewer may not know of.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        if not cursors.NAME.fullmatch(id):
            return None
        with self._database.read() as db:
            return self._one(db, viewer, id)

    def _one(self, db: Connection, viewer: Viewer, id: str) -> dict[str, Any] | None:
        models = read_models.serving(db)
        asked = Asked(viewer.organisation, viewer.clinics, viewer.person)
        row = models.boundary_events.one(db, asked, id, models.facts.ticks())
        if row is None:
            return None
        chart = models.facts.query(db, viewer.organisation, row.client)
        visible = [entry for entry in entries(chart) if _may_see(viewer, entry)]
        found = next((entry for entry in visible if entry.id == id), None)
        if found is None:
            return None
        said = whole(
            viewer.organisation, row.client, found, visible,
            may_know=may_know_reporters(viewer.role),
        )  # fmt: skip
        return {**said, "overdue": bool(row.overdue)}


def _may_see(viewer: Viewer, entry: Entry) -> bool:
    if viewer.clinics is not None and not entry.clinics <= viewer.clinics:
        return False
    return viewer.person is None or (
        entry.concerned is not None and viewer.person not in entry.concerned
    )


def _shown(row: Any, viewer: Viewer) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(row.body)
    if row.protected and not may_know_reporters(viewer.role):
        said["reported_by"] = None
    return {**said, "overdue": bool(row.overdue)}
