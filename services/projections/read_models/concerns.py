"""Whom each boundary fact concerns, so that a caseload hides what its reader must not know.

A timeline is filtered on the facts themselves; the caseload ranks clients by alerts, of which only
the evidence is known. This table joins the two.
"""

from collections.abc import Collection

from sqlalchemy import Column, Connection, Index, Select, String, Table, select

from services.projections.read_model import Batch, Chart, Charts
from shared.alliance.amendments import AMENDMENTS
from shared.alliance.matters import BOUNDARY, matters
from shared.alliance.mergers import MERGED
from shared.storage.table_sets import Catalogue

_CHANGING = (BOUNDARY, *AMENDMENTS, MERGED)
"""Types that may change whom a matter concerns begin so."""

NOBODY = ""
"""Stands in the column ``person`` for a matter that names no member of staff."""


class Concerns:
    """The people whom each boundary fact names."""

    name = "concerns"
    version = 2
    folds = True

    def __init__(self, catalogue: Catalogue, charts: Charts) -> None:
        """Declare the tables of a generation; read the facts of clients through ``charts``."""
        self._rows = _table(catalogue, self.version)
        self._charts = charts
        self.tables = (self._rows,)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Say anew whom the boundary facts of each touched client concern."""
        touched = batch.touched(lambda _: (), _CHANGING)
        for organisation, charts in batch.charts(db, self._charts, touched):
            self.fold(db, organisation, charts)

    def fold(self, db: Connection, organisation: str, charts: Collection[Chart]) -> None:
        """Replace the rows of clients by what all their facts come to."""
        clients = [chart.client for chart in charts]
        db.execute(
            self._rows.delete().where(
                self._rows.c.organisation == organisation, self._rows.c.client.in_(clients)
            )
        )
        rows = [row for chart in charts for row in _rows(chart)]
        if rows:
            db.execute(self._rows.insert(), rows)

    def query(self, organisation: str, person: str) -> Select[tuple[str]]:
        """Return a selection of the boundary events that the bearer of a key may know of."""
        columns = self._rows.c
        mine = columns.organisation == organisation
        about_them = select(columns.event).where(mine, columns.person == person)
        return select(columns.event).where(mine, columns.event.not_in(about_them))


def _rows(chart: Chart) -> list[dict[str, str]]:
    if not any(one.event.type.startswith(BOUNDARY) for one in chart.every):
        return []
    # Of two references for one client, what was said under either counts for both.
    known = matters(chart.every)
    own = {one.id for one in chart.own}
    return [
        {
            "organisation": chart.organisation,
            "client": chart.client,
            "event": event,
            "person": person,
        }
        for event in sorted(own & known.refs.keys())
        if (named := known.concerned(event)) is not None
        for person in sorted(named) or [NOBODY]
    ]


def _table(catalogue: Catalogue, version: int) -> Table:
    name = catalogue.named("concerns", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("event", String(36), primary_key=True),
        Column("person", String(40), primary_key=True),
        Column("client", String(40), nullable=False),
        Index(f"{name}_client", "organisation", "client"),
    )
