"""One row per boundary event: enough to put the worst first, and to keep it from whom it concerns.

A row says what the facts of its own matter say, and nothing of another: whoever may read it reads
the same bytes whatever else happened to the client (invariant 10).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    func,
    select,
)

from services.projections.cursors import beyond
from services.projections.entries import listed
from services.projections.read_model import Batch, Chart, Charts
from shared.alliance.boundaries import UNASSESSED, Entry, register, state_of
from shared.alliance.matters import BOUNDARY, UNKNOWN, matters
from shared.alliance.mergers import MERGED
from shared.alliance.settings import CONFIGURED
from shared.clock import to_micros
from shared.errors import blamed_on
from shared.storage.facts import Arrival
from shared.storage.replacing import Who, replace
from shared.storage.table_sets import Catalogue

OVERDUE, OPEN, CLOSED = 0, 5, 10
"""The order of the register: worst first; within each by severity, of which there are five."""

UNSAID: Final = 2
"""The severity that counts where none was given (domain.md, section 4)."""

TELLING: Final = (BOUNDARY, "consent.", "record.", MERGED)
"""First words of what can change a row."""

CALENDAR: Final = ("clinic.configured", "clinic.closed", CONFIGURED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the register.

    Attributes:
        organisation: Whose boundary events.
        clinics: Only what happened in these alone; None: everywhere.
        person: Without what concerns them; None: nobody in particular.
        state: ``open`` is every one but ``closed``.
        clinic: Only of this clinic.
        severity: Only of exactly this; ``none`` where nobody said one.
        overdue: Only those whose assessment is overdue, or only the others.
        after: Rank, time and id of the last row of the page before.
        limit: How many rows at most.
    """

    organisation: str
    clinics: frozenset[str] | None = None
    person: str | None = None
    state: str | None = None
    clinic: str | None = None
    severity: str | None = None
    overdue: bool | None = None
    after: tuple[int, int, str] | None = None
    limit: int = 50


class BoundaryEvents:
    """The boundary register."""

    name = "boundary_events"
    version = 3
    folds = True

    def __init__(self, catalogue: Catalogue, charts: Charts) -> None:
        """Declare the tables of a generation; read the facts of clients through ``charts``."""
        self._rows = _rows_table(catalogue, self.version)
        self._hidden = _hidden_table(catalogue, self.version)
        self._clinics = _clinics_table(catalogue, self.version)
        self._charts = charts
        self.tables = (self._rows, self._hidden, self._clinics)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Say anew what stands of the boundary events of each touched client."""
        touched = batch.touched(lambda one: self._dated(db, one), (*TELLING, *CALENDAR))
        for organisation, charts in batch.charts(db, self._charts, touched):
            self.fold(db, organisation, charts)

    def fold(self, db: Connection, organisation: str, charts: Collection[Chart]) -> None:
        """Replace the rows of clients by what all their facts come to."""
        rows: dict[Who, list[dict[str, Any]]] = {}
        hidden: dict[Who, list[dict[str, Any]]] = {}
        clinics: dict[Who, list[dict[str, Any]]] = {}
        for chart in charts:
            who = (organisation, chart.client)
            with blamed_on(*who):
                found = entries(chart)
            rows[who] = [_row(chart, entry) for entry in found]
            hidden[who] = [
                _named(who, entry, person=person)
                for entry in found
                for person in sorted({UNKNOWN} if entry.concerned is None else entry.concerned)
            ]
            clinics[who] = [
                _named(who, entry, clinic=clinic)
                for entry in found
                for clinic in sorted(entry.clinics)
            ]
        for table, wanted in (
            (self._rows, rows), (self._hidden, hidden), (self._clinics, clinics)
        ):  # fmt: skip
            replace(db, table, wanted)

    def refresh(self, db: Connection, organisation: str, client: str) -> None:
        """Fold one client anew, and replace its rows."""
        for some in self._charts(db, organisation, [client]):
            self.fold(db, organisation, some)

    def query(self, db: Connection, asked: Asked, ticks: Subquery) -> list[Row[Any]]:
        """Return a page, worst first: overdue, then open, then closed; grave, then old first.

        Args:
            db: The database.
            asked: What is asked.
            ticks: Partition → up to when silence has been judged there.
        """
        found = self._ranked(asked, ticks).subquery("ranked")
        page = select(found).order_by(found.c.rank, found.c.since, found.c.id)
        page = page.where(*_chosen(found, asked))
        if asked.after is not None:
            page = page.where(beyond((found.c.rank, found.c.since, found.c.id), asked.after))
        return list(db.execute(page.limit(asked.limit)))

    def count(self, db: Connection, asked: Asked, ticks: Subquery) -> int:
        """Return how many there are on all pages."""
        found = self._ranked(asked, ticks).subquery("ranked")
        chosen = select(func.count()).select_from(found).where(*_chosen(found, asked))
        return db.execute(chosen).scalar_one()

    def one(self, db: Connection, asked: Asked, id: str, ticks: Subquery) -> Row[Any] | None:
        """Return one boundary event; None for one that the reader may not know of."""
        found = self._ranked(asked, ticks).subquery("ranked")
        return db.execute(select(found).where(found.c.id == id)).one_or_none()

    def _ranked(self, asked: Asked, ticks: Subquery) -> Select[Any]:
        rows = self._rows.c
        waits = and_(rows.settled_at.is_(None), rows.due_at <= ticks.c.ticked_at)
        base = case((rows.state == "closed", CLOSED), (waits, OVERDUE), else_=OPEN)
        return (
            select(
                rows.id,
                rows.client,
                rows.clinic,
                rows.state,
                rows.severity,
                rows.protected,
                rows.since,
                rows.body,
                case((and_(waits, rows.state != "closed"), 1), else_=0).label("overdue"),
                (base + 4 - func.coalesce(rows.severity, UNSAID)).label("rank"),
            )
            .select_from(self._rows.outerjoin(ticks, ticks.c.partition == self._rows.c.partition))
            .where(rows.organisation == asked.organisation, *self._may_see(asked))
        )

    def _may_see(self, asked: Asked) -> list[ColumnElement[bool]]:
        rows, hidden, clinics = self._rows.c, self._hidden.c, self._clinics.c
        which: list[ColumnElement[bool]] = []
        if asked.person is not None:
            theirs = select(hidden.id).where(
                hidden.organisation == asked.organisation,
                hidden.person.in_([asked.person, UNKNOWN]),
            )
            which.append(rows.id.not_in(theirs))
        if asked.clinics is not None:
            elsewhere = select(clinics.id).where(
                clinics.organisation == asked.organisation,
                clinics.clinic.not_in(sorted(asked.clinics)),
            )
            which.append(rows.id.not_in(elsewhere))
        return which

    def _dated(self, db: Connection, arrival: Arrival) -> Collection[str]:
        """Return the clients of a partition whose deadlines a fact about many may move."""
        rows, envelope = self._rows.c, arrival.envelope
        type, data = envelope.event.type, envelope.event.data
        if type == CONFIGURED and data["rule"] != UNASSESSED:
            return ()
        asked = select(rows.client).where(
            rows.organisation == envelope.organisation, rows.partition == arrival.partition
        )
        if type in CALENDAR and data.get("clinic") is not None:
            asked = asked.where(rows.calendar == data["clinic"])
        return db.execute(asked.distinct()).scalars().all()


def entries(chart: Chart) -> tuple[Entry, ...]:
    """Return the boundary events of a client."""
    # Of two references for one client, what was said under either counts for both.
    known = matters(chart.every)
    own, _ = chart.read()
    return register(chart.organisation, chart.client, own, known, chart.around)


def _chosen(found: Subquery, asked: Asked) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if asked.state is not None:
        is_open = asked.state == "open"
        which.append(found.c.state != "closed" if is_open else found.c.state == asked.state)
    if asked.clinic is not None:
        which.append(found.c.clinic == asked.clinic)
    if asked.severity is not None:
        none = asked.severity == "none"
        severity = found.c.severity
        which.append(severity.is_(None) if none else severity == int(asked.severity))
    if asked.overdue is not None:
        which.append(found.c.overdue == int(asked.overdue))
    return which


def _row(chart: Chart, entry: Entry) -> dict[str, Any]:
    one, due = entry.event, entry.deadline
    settled_at = due.settled_at if due else None
    return {
        "organisation": chart.organisation,
        "client": chart.client,
        "id": entry.id,
        "partition": chart.partition or 0,
        "clinic": one.clinic,
        "calendar": entry.calendar.ref,
        "state": state_of(one),
        "severity": one.severity,
        "since": to_micros(one.noted_at or one.facts[0].occurred_at),
        "due_at": None if due is None else to_micros(due.due_at),
        "settled_at": None if settled_at is None else to_micros(settled_at),
        "protected": int(entry.protected),
        "body": orjson.dumps(listed(chart.organisation, chart.client, entry)),
    }


def _named(who: Who, entry: Entry, **more: str) -> dict[str, Any]:
    return {"organisation": who[0], "client": who[1], "id": entry.id, **more}


def _rows_table(catalogue: Catalogue, version: int) -> Table:
    """Declare a row per boundary event; ``since`` is when it was noted, or first heard of."""
    name = catalogue.named("boundary_events", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("id", String(36), primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("clinic", String(64), nullable=False),
        Column("calendar", String(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("severity", Integer),
        Column("since", BigInteger, nullable=False),
        Column("due_at", BigInteger),
        Column("settled_at", BigInteger),
        Column("protected", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Index(f"{name}_id", "organisation", "id"),
    )


def _hidden_table(catalogue: Catalogue, version: int) -> Table:
    """Declare from whom each is kept: a person, or everybody whose key belongs to one."""
    name = catalogue.named("boundary_event_people", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("id", String(36), primary_key=True),
        Column("person", String(40), primary_key=True),
        Index(f"{name}_person", "organisation", "person"),
    )


def _clinics_table(catalogue: Catalogue, version: int) -> Table:
    """Declare in which clinics something of each happened."""
    return Table(
        catalogue.named("boundary_event_clinics", version),
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("id", String(36), primary_key=True),
        Column("clinic", String(64), primary_key=True),
    )
