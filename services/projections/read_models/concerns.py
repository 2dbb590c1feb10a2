"""Whom each boundary fact concerns, so that a caseload hides what its reader must not know.

A timeline is filtered on the facts themselves; the caseload ranks clients by alerts, of which only
the evidence is known. This table joins the two.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Column, Connection, Index, Select, String, Table, select

from services.projections.read_model import Batch, Chart
from services.projections.visibility import BOUNDARY, matters
from shared.alliance.amendments import AMENDMENTS
from shared.storage.positions import REBUILDABLE

NOBODY = ""
"""Stands in the column ``person`` for a matter that names no member of staff."""

CONCERNS = Table(
    "concerns_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("event", String(36), primary_key=True),
    Column("person", String(40), primary_key=True),
    Column("client", String(40), nullable=False),
    Index("concerns_v1_client", "organisation", "client"),
)


class Concerns:
    """The people whom each boundary fact names."""

    name = "concerns"
    version = 1
    tables = (CONCERNS,)

    def __init__(
        self, charts: Callable[[Connection, str, Collection[str]], Mapping[str, Chart]]
    ) -> None:
        """Read the facts of touched clients through ``charts``."""
        self._charts = charts

    def apply(self, db: Connection, batch: Batch) -> None:
        """Say anew whom the boundary facts of each touched client concern."""
        touched: dict[str, set[str]] = defaultdict(set)
        for arrival in batch.new:
            event = arrival.envelope.event
            if event.subject and (event.type.startswith(BOUNDARY) or event.type in AMENDMENTS):
                touched[arrival.envelope.organisation].add(event.subject)
        for organisation, clients in sorted(touched.items()):
            for chart in self._charts(db, organisation, sorted(clients)).values():
                self._replace(db, chart)

    def query(self, organisation: str, person: str) -> Select[tuple[str]]:
        """Return a selection of the boundary events that the bearer of a key may know of."""
        mine = CONCERNS.c.organisation == organisation
        about_them = select(CONCERNS.c.event).where(mine, CONCERNS.c.person == person)
        return select(CONCERNS.c.event).where(mine, CONCERNS.c.event.not_in(about_them))

    def _replace(self, db: Connection, chart: Chart) -> None:
        known = matters(chart.own)
        rows = [
            {
                "organisation": chart.organisation,
                "client": chart.client,
                "event": event,
                "person": person,
            }
            for event in sorted(known.refs)
            if (named := known.concerned(event)) is not None
            for person in sorted(named) or [NOBODY]
        ]
        db.execute(
            CONCERNS.delete().where(
                CONCERNS.c.organisation == chart.organisation,
                CONCERNS.c.client == chart.client,
            )
        )
        if rows:
            db.execute(CONCERNS.insert(), rows)
