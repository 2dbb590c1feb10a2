"""The read models: one file each, one line each in ``ReadModels``."""

from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import Connection

from services.projections.read_models.alerts import Alerts
from services.projections.read_models.boundary_events import BoundaryEvents
from services.projections.read_models.caseload import Caseload
from services.projections.read_models.concerns import Concerns
from services.projections.read_models.facts import Facts
from shared.storage import generations
from shared.storage.engine import Database
from shared.storage.table_sets import FIRST, Catalogue, TableSet


class ReadModels(NamedTuple):
    """The read models of one generation, in the order in which a batch is applied."""

    facts: Facts
    alerts: Alerts
    caseload: Caseload
    concerns: Concerns
    boundary_events: BoundaryEvents


@cache
def catalogue(generation: int) -> Catalogue:
    """Return where the tables of a generation are declared."""
    return Catalogue(generation)


@cache
def of(generation: int) -> ReadModels:
    """Return the read models of a generation."""
    tables = catalogue(generation)
    facts = Facts(tables)
    return ReadModels(
        facts,
        Alerts(tables),
        Caseload(tables, facts.charts),
        Concerns(tables, facts.charts),
        BoundaryEvents(tables, facts.charts),
    )


def declared(generation: int) -> Catalogue:
    """Return the catalogue of a generation with every table in it."""
    of(generation)
    return catalogue(generation)


TIMELINES: Final = TableSet(
    name="timelines",
    consumer="projections.v1",
    code=", ".join(f"{one.name} {one.version}" for one in of(FIRST)),
    declared=declared,
)
"""What the read models are together: they share one position, and stand or fall together."""


def prepare(database: Database) -> None:
    """Create the tables of the generation that serves, where they are missing."""
    generations.prepare(database, TIMELINES)


def number_serving(db: Connection) -> int:
    """Return the generation that this version of Rapport reads and feeds.

    That is the active one; a release that is about to be replaced goes on with the one before,
    which is the last that it knows the tables of.
    """
    return generations.serving(db, TIMELINES, "active", "previous")


def serving(db: Connection) -> ReadModels:
    """Return the read models that serve, for questions asked in the same transaction."""
    return of(number_serving(db))
