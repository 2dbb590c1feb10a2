"""One row per client in care: enough to put the worst first without folding anybody again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    Table,
    case,
    exists,
    func,
    literal,
    select,
)

from services.projections import caseload_tables
from services.projections.caseload_tables import PLACE
from services.projections.cursors import beyond
from services.projections.read_model import Batch, Chart, Charts
from shared.alliance.history import History, fold_within
from shared.alliance.matters import BOUNDARY, UNKNOWN, Matters, matters
from shared.alliance.mergers import NONE
from shared.alliance.standing import by_raters
from shared.alliance.things import Phase
from shared.clock import to_micros
from shared.envelope import Envelope
from shared.errors import blamed_on
from shared.storage.replacing import Who, replace
from shared.storage.table_sets import Catalogue

SEEN: Final = "feed.seen"

URGENT, ATTENTION, FALLING, LOW, REST = range(5)
"""The order of a caseload: worst first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a caseload.

    Attributes:
        organisation: Whose clients.
        clinics: The clinics that the caller may see; None: all.
        person: Without where only what concerns them is known; None: nobody in particular.
        clinic: Only clients in care there.
        therapist: Only clients in care with them.
        standing: Only clients who stand so.
        after: Rank, since and client of the last row of the page before.
        limit: How many rows at most.
    """

    organisation: str
    clinics: frozenset[str] | None = None
    person: str | None = None
    clinic: str | None = None
    therapist: str | None = None
    standing: str | None = None
    after: tuple[int, int, str] | None = None
    limit: int = 50


class Caseload:
    """Who is in care where, how they stand, and since when nobody has seen them."""

    name = "caseload"
    version = 4
    folds = True

    def __init__(self, catalogue: Catalogue, charts: Charts) -> None:
        """Declare the tables of a generation; read the facts of clients through ``charts``."""
        self._rows = caseload_tables.rows(catalogue, self.version)
        self._places = caseload_tables.places(catalogue, self.version)
        self._homes = caseload_tables.homes(catalogue, self.version)
        self._hidden = caseload_tables.hidden(catalogue, self.version)
        self._charts = charts
        self.tables = (self._rows, self._places, self._homes, self._hidden)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Fold each touched client once, and replace their rows."""
        touched = batch.touched(lambda one: self._concerned(db, one.envelope, one.partition))
        for organisation, charts in batch.charts(db, self._charts, touched):
            self.fold(db, organisation, charts)

    def fold(self, db: Connection, organisation: str, charts: Collection[Chart]) -> None:
        """Replace the rows of clients by what all their facts come to."""
        homes: dict[Who, list[dict[str, Any]]] = {}
        hidden: dict[Who, list[dict[str, Any]]] = {}
        rows: dict[Who, list[dict[str, Any]]] = {}
        places: dict[Who, list[dict[str, Any]]] = {}
        for chart in charts:
            if not chart.every:
                continue
            who = (organisation, chart.client)
            with blamed_on(*who):
                own, mergers = chart.read()
                history = fold_within(chart.around, *who, own)
                if mergers is not NONE:
                    homes[who] = _homes(who, mergers.read_at(chart.client))
                places[who] = _places(history, chart.partition or 0)
                known = matters(chart.every)
                if known.refs:  # What was ever said of a matter stays, so nobody else has rows.
                    hidden[who] = _hidden(history, known, places[who])
                rows[who] = [_row(history)] if places[who] else []
        replace(db, self._rows, rows)
        replace(db, self._places, places)
        replace(db, self._homes, homes)
        replace(db, self._hidden, hidden)

    def refresh(self, db: Connection, organisation: str, client: str) -> None:
        """Fold one client anew, and replace its rows."""
        for some in self._charts(db, organisation, [client]):
            self.fold(db, organisation, some)

    @property
    def homes(self) -> Table:
        """Where it stands at whom merged clients are read."""
        return self._homes

    def size(self, db: Connection) -> int:
        """Return how many clients there are, of all organisations."""
        return db.execute(select(func.count()).select_from(self._rows)).scalar_one()

    def query(self, db: Connection, asked: Asked, alerts: Subquery) -> list[Row[Any]]:
        """Return a page of the caseload, worst first.

        Args:
            db: The database.
            asked: What is asked.
            alerts: Client → numbers of open alerts, of those that the caller may know of.
        """
        rows = self._ranked(asked, alerts).subquery("ranked")
        page = select(rows).order_by(rows.c.rank, rows.c.since, rows.c.client)
        if asked.standing is not None:
            page = page.where(rows.c.standing == asked.standing)
        if asked.after is not None:
            page = page.where(beyond((rows.c.rank, rows.c.since, rows.c.client), asked.after))
        return list(db.execute(page.limit(asked.limit)))

    def places(
        self, db: Connection, asked: Asked, clients: Collection[str]
    ) -> dict[str, tuple[str, str]]:
        """Return client → clinic and therapist, the latest that the caller may see."""
        places = self._places.c
        rows = db.execute(
            select(places.client, places.clinic, places.therapist)
            .where(
                places.organisation == asked.organisation,
                places.client.in_(sorted(clients)),
                *self._visible(asked),
            )
            .order_by(places.opened_at, places.clinic, places.therapist)
        )
        return {row.client: (row.clinic, row.therapist) for row in rows}

    def _ranked(self, asked: Asked, alerts: Subquery) -> Select[Any]:
        urgent = func.coalesce(alerts.c.urgent, 0)
        attention = func.coalesce(alerts.c.attention, 0)
        standing, last_held, since = self._seen(asked)
        return (
            select(
                self._rows.c.client,
                standing.label("standing"),
                last_held.label("last_held"),
                since.label("since"),
                urgent.label("urgent"),
                attention.label("attention"),
                func.coalesce(alerts.c.information, 0).label("information"),
                case(
                    (urgent > 0, URGENT),
                    (attention > 0, ATTENTION),
                    (standing == "falling", FALLING),
                    (standing == "low", LOW),
                    else_=REST,
                ).label("rank"),
            )
            .select_from(self._rows.outerjoin(alerts, alerts.c.client == self._rows.c.client))
            .where(
                self._rows.c.organisation == asked.organisation,
                self._has_place(asked, *self._visible(asked)),
            )
        )

    def _seen(self, asked: Asked) -> tuple[ColumnElement[Any], ...]:
        """Return standing, last held session and since: blank where other clinics shaped them.

        A key that is bound to clinics learns nothing of what the client does elsewhere.
        """
        columns = (self._rows.c.standing, self._rows.c.last_held, self._rows.c.since)
        if asked.clinics is None:
            return columns
        elsewhere = self._has_place(asked, self._places.c.clinic.not_in(sorted(asked.clinics)))
        blank = (literal("unknown"), None, literal(0))
        return tuple(
            case((elsewhere, hidden), else_=column)
            for column, hidden in zip(columns, blank, strict=True)
        )

    def _has_place(self, asked: Asked, *which: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(
            self._places.c.organisation == self._rows.c.organisation,
            self._places.c.client == self._rows.c.client,
            *which,
        )

    def _visible(self, asked: Asked) -> list[ColumnElement[bool]]:
        which: list[ColumnElement[bool]] = [self._places.c.open == 1]
        if asked.person is not None:
            hidden, places = self._hidden.c, self._places.c
            theirs = hidden.person.in_([asked.person, UNKNOWN])
            which.append(~exists().where(theirs, *(hidden[one] == places[one] for one in PLACE)))
        if asked.clinics is not None:
            which.append(self._places.c.clinic.in_(sorted(asked.clinics)))
        if asked.clinic is not None:
            which.append(self._places.c.clinic == asked.clinic)
        if asked.therapist is not None:
            which.append(self._places.c.therapist == asked.therapist)
        return which

    def _concerned(self, db: Connection, envelope: Envelope, partition: int) -> Iterable[str]:
        """Return the clients whom a fact about many concerns, among those of its partition."""
        if envelope.event.type == SEEN:
            return ()  # It arms rules; no row depends on it.
        asked = select(self._places.c.client).where(
            self._places.c.organisation == envelope.organisation,
            self._places.c.partition == partition,
        )
        data = envelope.event.data
        if not envelope.event.type.startswith("record."):
            # An amendment may name another clinic than what it amends; it is rare: take everybody.
            named = "therapist" if data.get("therapist") else "clinic"
            if not data.get(named):
                return ()
            asked = asked.where(self._places.c[named] == data[named])
        return db.execute(asked.distinct()).scalars()


def _row(history: History) -> dict[str, Any]:
    held = [
        session.ended_at or session.due_at
        for phase in history.phases
        for session in phase.sessions
        if session.state == "held"
    ]
    last_held = max(held, default=None)
    client = by_raters(history).get("client")
    return {
        "organisation": history.organisation,
        "client": history.client,
        "standing": client.state if client else "unknown",
        "last_held": None if last_held is None else to_micros(last_held),
        "since": to_micros(last_held or _first(history.phases).opened_at),
    }


def _first(phases: Sequence[Phase]) -> Phase:
    """Return the first phase; one apart, which may be kept from a reader, after all others."""
    return next((one for one in phases if not one.apart), phases[0])


def _places(history: History, partition: int) -> list[dict[str, Any]]:
    """Return where the client is or was in care; nowhere, once processing was withdrawn."""
    if history.given.get("processing") == "withdrawn":
        return []
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for phase in history.phases:
        facts = [one for one in phase.facts if phase.apart or not one.type.startswith(BOUNDARY)]
        clinics = {fact.data["clinic"] for fact in facts if "clinic" in fact.data}
        for clinic in clinics | {phase.clinic.ref}:
            # Where a phase was before it moved, it is in care no longer.
            here = phase.in_care and clinic == phase.clinic.ref
            before = found.get((clinic, phase.therapist))
            found[clinic, phase.therapist] = {
                "organisation": history.organisation,
                "client": history.client,
                "clinic": clinic,
                "therapist": phase.therapist,
                "partition": partition,
                "opened_at": to_micros(phase.opened_at),
                "open": int(here or bool(before and before["open"])),
            }
    return list(found.values())


def _hidden(
    history: History, known: Matters, places: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return from whom a place is kept: all that is known there is a matter that concerns them."""
    at: dict[tuple[str, str], set[str]] = {}
    for phase in history.phases:
        for fact in phase.facts:
            clinic = fact.data.get("clinic", phase.clinic.ref)
            at.setdefault((clinic, phase.therapist), set()).add(fact.event)
    return [
        {**{name: place[name] for name in PLACE}, "person": person}
        for place in places
        for person in sorted(known.kept_from(at.get((place["clinic"], place["therapist"]), ())))
    ]


def _homes(who: Who, read_at: str) -> list[dict[str, Any]]:
    """Return at whom a merged client is read; nothing for everybody else."""
    organisation, client = who
    if read_at == client:
        return []
    return [{"organisation": organisation, "client": client, "read_at": read_at}]
