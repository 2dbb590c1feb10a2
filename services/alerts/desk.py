"""What the calls about alerts do: show them, and take what people do about them.

What a caller may not see does not exist for them: another organisation's alert, one of another
clinic, and a boundary matter that concerns them are the same 404 (invariant 10).
"""

from datetime import date
from typing import Any, Final

import orjson
from flask import Response, request
from sqlalchemy import Connection

from services.alerts import acknowledging, actions, inbox, notes, told
from services.alerts.alert import etag
from services.alerts.inbox import Viewer
from services.alerts.notes import Notes
from shared.clock import Clock
from shared.errors import Fault
from shared.storage.accounts import Caller
from shared.storage.engine import Database
from shared.stream.ports import Publisher
from shared.web.auth import caller, check_right
from shared.web.errors import Problem

MEANWHILE: Final = ("deliveries", "not_acknowledged_by")
"""What is shown beside an alert, and goes on by itself."""
FILTERS: Final = ("state", "family", "clinic", "client", "group")


class Desk:
    """What the calls work with."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notes: Notes,
        clock: Clock,
        deadline_s: float,
    ) -> None:
        """Take the parts; nothing is done before a call."""
        self._database = database
        self._publisher = publisher
        self._notes = notes
        self._clock = clock
        self._deadline_s = deadline_s

    def page(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a page of the inbox."""
        filters = {name: asked.get(name) for name in FILTERS}
        try:
            with self._database.read() as db:
                found = inbox.page(
                    db, _viewer(), filters, limit=asked["limit"], cursor=asked.get("cursor")
                )
                alerts = notes.counted(db, caller().organisation, found.alerts)
        except ValueError as error:
            fault = Fault("/query/cursor", f"not a cursor: {error}", "invalid_cursor")
            raise Problem(422, "refused", errors=[fault]) from error
        return {"alerts": alerts, "next": found.next, "parked": found.parked}

    def one(self, alert: str) -> dict[str, Any]:
        """Return one alert with its notes, what became of telling it, and who has not answered.

        Raises:
            Problem: 404 where there is none that the caller may see.
        """
        with self._database.read() as db:
            found, whose = self._whole(db, _seen(db, alert)), caller().organisation
            deliveries = told.of_alert(db, whose, alert)
            speaking = inbox.visible(db, _viewer(), {one["under"] for one in deliveries} - {None})
            return {
                **found,
                "deliveries": [told.without_hidden(one, speaking) for one in deliveries],
                "not_acknowledged_by": acknowledging.not_yet(db, whose, found),
            }

    def act(self, alert: str, name: str, said: actions.Said) -> Response:
        """Publish what the caller does about an alert; answer with the alert as it will be."""
        who = caller()
        check_right(who, "act")
        with self._database.read() as db:
            found = _seen(db, alert)
            _check_unchanged(self._whole(db, found))
        if name in ("snoozed", "resolved") and found["state"] in ("resolved", "retracted"):
            raise Problem(409, "not_open", "The alert is closed already; read it again.")
        by, now = _author(who), self._clock.now()
        record = actions.record_of(who.organisation, found, name, by, said, now)
        self._publisher.publish([record], self._deadline_s)
        body = actions.foreseen(found, name, by, said, now)
        return Response(orjson.dumps(body), 202, content_type="application/json")

    def snooze(self, alert: str, until: date) -> Response:
        """Hide an alert until a day."""
        if not actions.snooze_is_sensible(until, self._clock.now().date()):
            fault = Fault("/until", "must be today or later, and within a year", "out_of_range")
            raise Problem(422, "refused", errors=[fault])
        return self.act(alert, "snoozed", {"until": until.isoformat()})

    def note(self, alert: str, text: str) -> dict[str, Any]:
        """Write a note on an alert, as the caller has seen it: sent again it is not there twice.

        Raises:
            Problem: 404 where there is no alert that the caller may see; 409 where it has as many
                notes as it may have; 412, 428 as for every action.
        """
        who = caller()
        with self._database.write() as db:
            _check_unchanged(self._whole(db, _seen(db, alert)))
            try:
                return self._notes.write(db, who.organisation, alert, _author(who), text)
            except notes.TooManyNotes as error:
                raise Problem(409, "too_many_notes", error.__doc__) from error

    def erase(self, alert: str, note: str) -> None:
        """Erase a note on an alert.

        Raises:
            Problem: 404 where there is none that the caller may see.
        """
        with self._database.write() as db:
            _seen(db, alert)
            if not notes.erase(db, caller().organisation, alert, note):
                raise Problem(404, "not_found")

    def _whole(self, db: Connection, alert: dict[str, Any]) -> dict[str, Any]:
        return self._notes.whole(db, caller().organisation, alert)


def tag_of(shown: dict[str, Any]) -> str:
    """Return the tag of an alert as ``one`` shows it; its first part is what an action needs.

    What becomes of telling it goes on beside the alert: that alone puts nobody's action off.
    """
    alert = {name: said for name, said in shown.items() if name not in MEANWHILE}
    return f"{etag(alert)}.{etag({name: shown[name] for name in MEANWHILE})[:8]}"


def _viewer() -> Viewer:
    """Return who asks, as far as it decides what they see."""
    who = caller()
    return Viewer(who.organisation, who.clinics, who.person)


def _author(who: Caller) -> str:
    """Return who acts: the person whom the key belongs to, or else the key."""
    return who.person or who.key


def _seen(db: Connection, alert: str) -> dict[str, Any]:
    """Return an alert as its steps have it.

    Raises:
        Problem: 404 where there is none that the caller may see.
    """
    found = inbox.one(db, _viewer(), alert)
    if found is None:
        raise Problem(404, "not_found")
    return found


def _check_unchanged(alert: dict[str, Any]) -> None:
    """Refuse an action on another state of the alert than the caller has seen."""
    if "If-Match" not in request.headers:
        raise Problem(
            428, "precondition_required", "Send If-Match with the ETag of the alert as you saw it."
        )
    seen = {tag.partition(".")[0] for tag in request.if_match.as_set()}
    if etag(alert) not in seen and not request.if_match.star_tag:
        raise Problem(
            412, "precondition_failed", "The alert has changed since you saw it; read it again."
        )
