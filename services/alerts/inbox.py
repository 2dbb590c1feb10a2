"""Read the alerts as they are shown, by somebody who may not see all of them."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    cast,
    exists,
    false,
    func,
    or_,
    select,
)

from services.alerts.ledger import LEDGER, STEPS, STREAM
from services.alerts.tables import Tables, shown
from shared.alliance.elsewhere import seen_from
from shared.alliance.matters import UNKNOWN
from shared.storage import ties
from shared.stream import parking


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks.

    Attributes:
        clinics: The clinics that they see; None: all of the organisation. Of an alert that is
            about several, evidence from the others is counted only.
        person: Opaque id of who they are; never shown what concerns them.
    """

    organisation: str
    clinics: frozenset[str] | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some alerts, and the cursor of the next page; None on the last.

    Attributes:
        parked: The clients among them of whom records wait for an operator, or of somebody whom
            a merger ties to them.
    """

    alerts: Sequence[Mapping[str, Any]]
    next: str | None
    parked: Sequence[str]


def page(
    db: Connection,
    viewer: Viewer,
    filters: Mapping[str, str | None],
    *,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Return alerts that the viewer may see, the latest first.

    Args:
        db: Any transaction.
        viewer: Who asks.
        filters: ``state``, ``family``, ``clinic``, ``client``, ``group``: only those alerts.
        limit: How many.
        cursor: Where the page before ended.

    Raises:
        ValueError: when the cursor is none of ours.
    """
    tables = shown(db)
    inbox = tables.inbox.c
    asked = select(inbox.effective_at, inbox.alert, inbox.body).where(_visible(tables, viewer))
    for name, value in filters.items():
        if value is not None:
            asked = asked.where(_of(tables, name, value))
    if cursor is not None:
        at, alert = _read(cursor)
        later = and_(inbox.effective_at == at, inbox.alert > alert)
        asked = asked.where(or_(inbox.effective_at < at, later))
    ordered = asked.order_by(inbox.effective_at.desc(), inbox.alert)
    # One more than asked for: whether it is there says whether there is a next page.
    rows = db.execute(ordered.limit(limit + 1)).all()
    found = rows[:limit]
    more = _written(found[-1].effective_at, found[-1].alert) if len(rows) > limit else None
    bodies = [seen_from(orjson.loads(row.body), viewer.clinics) for row in found]
    about = {body["client"] for body in bodies}
    return Page(bodies, more, _parked(db, tables, viewer.organisation, about))


def one(db: Connection, viewer: Viewer, alert: str) -> dict[str, Any] | None:
    """Return an alert, or None where there is none that the viewer may see."""
    tables = shown(db)
    inbox = tables.inbox.c
    body = db.scalar(select(inbox.body).where(_visible(tables, viewer), inbox.alert == alert))
    return None if body is None else seen_from(orjson.loads(body), viewer.clinics)


def visible(db: Connection, viewer: Viewer, alerts: Collection[str]) -> set[str]:
    """Return which of some alerts the viewer may see."""
    tables = shown(db)
    asked = select(tables.inbox.c.alert).where(_visible(tables, viewer))
    return set(db.scalars(asked.where(tables.inbox.c.alert.in_(sorted(alerts)))))


def _visible(tables: Tables, viewer: Viewer) -> ColumnElement[bool]:
    inbox, concerned = tables.inbox.c, tables.concerned.c
    conditions = [inbox.organisation == viewer.organisation]
    if viewer.clinics is not None:
        conditions.append(_of_clinics(tables, viewer.clinics))
    if viewer.person is not None:
        hidden = select(concerned.alert).where(
            concerned.organisation == viewer.organisation,
            concerned.person.in_([viewer.person, UNKNOWN]),
        )
        conditions.append(inbox.alert.not_in(hidden))
    return and_(*conditions)


def _parked(db: Connection, tables: Tables, organisation: str, about: set[str]) -> list[str]:
    """Return of whom records wait, or of somebody whom a merger ties to them."""
    kin = ties.of(db, tables.ties, organisation, about, lock=False).kin
    waiting = parking.waiting(db, organisation, about.union(*kin.values())).keys()
    return sorted(one for one in about if waiting & ({one} | kin.get(one, frozenset())))


def _of(tables: Tables, name: str, value: str) -> ColumnElement[bool]:
    if name == "group":
        return _of_group(tables, value)
    return _of_clinics(tables, [value]) if name == "clinic" else tables.inbox.c[name] == value


def _of_clinics(tables: Tables, clinics: Collection[str]) -> ColumnElement[bool]:
    """Return whether an alert, as it is shown, is about some clinics, be it among others."""
    named, inbox, several = sorted(clinics), tables.inbox.c, cast(STEPS.c.clinics, String)
    among = exists().where(
        STEPS.c.organisation == inbox.organisation,
        STEPS.c.alert == inbox.alert,
        STEPS.c.number == inbox.number,
        # Unlike LIKE, this tells capital letters apart in every database.
        or_(false(), *(func.replace(several, f'"{one}"', "") != several for one in named)),
    )
    return or_(inbox.clinic.in_(named), and_(inbox.clinic == "", among))


def _of_group(tables: Tables, group: str) -> ColumnElement[bool]:
    """Return whether an alert, as it is shown, belongs to a group."""
    inbox = tables.inbox.c
    return exists().where(
        LEDGER.c.organisation == inbox.organisation,
        LEDGER.c.alert == inbox.alert,
        LEDGER.c.number == inbox.number,
        LEDGER.c.channel == STREAM,
        LEDGER.c.group_id == group,
    )


def _written(at: int, alert: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([at, alert])).decode().rstrip("=")


def _read(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        at, alert = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValueError, TypeError) as error:
        raise ValueError("begin again without it") from error
    made_up = type(at) is not int or abs(at) >= 2**62 or not isinstance(alert, str)
    if made_up or "\0" in alert:
        raise ValueError("begin again without it")
    return at, alert
