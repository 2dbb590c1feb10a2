"""A therapist who is the only leader of an organisation, and the matters that concern them.

However they ask, by every call, by the command as them, by what they are sent, there is nothing;
and somebody else is told, or the matter counts as told to nobody.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.cli.simulation import Document
from shared.clock import ManualClock, format_time
from shared.ids import STAFF
from tests.support import events as an
from tests.support.commanding import typed
from tests.support.receiver import Receiver, a_receiver
from tests.support.whole import WholeLine

TOM: Final = "t-tom"
"""The therapist who leads."""
CLIENT: Final = "c-1"
OTHER: Final = "c-2"
"""A client of whom only the matter is known."""


def a_document(type: str, day: float, subject: str | None = CLIENT, **data: Any) -> Document:
    """Return an event as its sender sends it; the clinic and the therapist are always the same."""
    common = {"clinic": "north"} | ({} if subject is None else {"therapist": TOM})
    document = {
        "specversion": "1.0",
        "id": f"{type}/{subject}/{day}",
        "source": "urn:test:diary",
        "type": f"rapport.{type}",
        "time": format_time(an.on(day)),
        "data": common | data,
    }
    return document if subject is None else {**document, "subject": subject}


def noted(day: float = 10, subject: str = CLIENT, concerns: str = TOM) -> Document:
    """Return a serious boundary event that concerns somebody."""
    return a_document("boundary.noted", day, subject, boundary_event="b-secret", area="sexual",
                      about="therapist", concerns=concerns, reported_by="client",
                      severity=4)  # fmt: skip


def sessions() -> list[Document]:
    """Return a clinic that says what it sends, and sessions of which two were called off."""
    found = [
        a_document("clinic.configured", 0, None, timezone="UTC", sends=["sessions", "boundary"])
    ]
    for n in range(8):
        name, day = f"s-{n}", n + 1
        found.append(a_document("session.scheduled", day - 1, session=name, planned_minutes=50,
                                starts_at=format_time(an.on(day, 10))))  # fmt: skip
        if n in (5, 6):
            found.append(a_document("session.cancelled", day - 0.9, session=name,
                                    cancelled_by="therapist", reason="conflict"))  # fmt: skip
        else:
            found.append(a_document("session.held", day, session=name,
                                    started_at=format_time(an.on(day, 10)),
                                    ended_at=format_time(an.on(day, 10, 50))))  # fmt: skip
    return found


class House:
    """An installation of which Tom is the only leader, and what he and others are told."""

    def __init__(self, line: WholeLine, tom: Receiver, board: Receiver) -> None:
        """Register him as whoever is told, with a key of his own."""
        self.line, self.tom, self.board = line, tom, board
        staff = (STAFF, TOM)
        self.person = line.registry.opaque(line.organisation, [staff])[staff]
        line.recipients.add(line.organisation, "tom", role="leadership", url=tom.url,
                            person=self.person)  # fmt: skip
        self.token = self.a_key("tom", "read", "act", "quality", person=self.person)

    def a_key(self, name: str, *rights: str, **more: Any) -> str:
        """Return the token of a new key."""
        del name
        made: str = self.line.enrolment.create_key(self.line.organisation, rights, **more)[1]
        return made

    def with_a_board(self) -> None:
        """Register governance."""
        self.line.recipients.add(
            self.line.organisation, "board", role="governance", url=self.board.url
        )

    def tell(self, *documents: Document) -> None:
        """Let events go in, be judged, and be told."""
        self.line.take(documents)
        self.line.settle()

    def ask(self, path: str, token: str | None = None, **query: str) -> TestResponse:
        """Ask as Tom, unless with another key, whichever service answers."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return self._through(path).get(path, query_string=query, headers=headers)

    def act(self, path: str, body: Mapping[str, str]) -> int:
        """Act as Tom; return the status."""
        headers = {"authorization": f"Bearer {self.token}", "if-match": "*"}
        return self._through(path).post(path, json=body, headers=headers).status_code

    def _through(self, path: str) -> FlaskClient:
        return self.line.inbox if path.startswith("/v1/alerts") else self.line.timelines


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Yield a house in which Tom's sessions were told, of which two were called off."""
    with a_receiver() as tom, a_receiver() as board:
        line = WholeLine(tmp_path, ManualClock(an.on(12)))
        made = House(line, tom, board)
        made.tell(*sessions())
        yield made
        line.close()


def secrets(house: House) -> set[str]:
    """Return every name by which the matter goes: of its events, alerts, steps, register."""
    found = {"b-secret", "boundary", "sexual"}
    key = house.a_key("all", "read")
    entries: Any = house.ask("/v1/boundary-events", key).json
    for entry in entries["boundary_events"]:
        found.add(entry["id"])
        life: Any = house.ask(f"/v1/boundary-events/{entry['id']}", key).json
        found |= {step["event"] for step in life["steps"]}
    for alert in alerts_of(house, key):
        if alert["family"] == "boundary":
            found.add(alert["id"])
            found |= {step["id"] for step in alert["history"] if "id" in step}
    return found


def alerts_of(house: House, token: str | None = None) -> list[Any]:
    """Return the alerts that a key sees; Tom's unless another is given."""
    body: Any = house.ask("/v1/alerts", token).json
    return list(body["alerts"])


def boundary_alerts(house: House) -> list[Any]:
    """Return the alerts about boundary events, as a key of nobody's sees them."""
    seen = alerts_of(house, house.a_key("all", "read"))
    return [one for one in seen if one["family"] == "boundary"]


def everything_he_reads(house: House) -> str:
    """Return all that Tom is answered, over every call and every drawing, and what he is sent."""
    client = house.line.client(CLIENT)
    known = alerts_of(house)
    paths = [
        *("/v1/alerts", "/v1/boundary-events", "/v1/clients"),
        *(f"/v1/clients/{client}/timeline{form}" for form in ("", ".html", ".svg")),
        *(f"/v1/alerts/{one['id']}{part}" for one in known for part in ("", "/notes")),
    ]
    answers = [house.ask(path) for path in paths]
    answers += [house.ask("/v1/alerts", **{name: said}) for name, said in
                (("state", "open"), ("client", client), ("clinic", "north"))]  # fmt: skip
    assert {one.status_code for one in answers} == {200}
    sent = [f"{one.headers}{one.raw!r}" for one in house.tom.messages]
    # The names of the calls and of the fields are no secret; what stands in them is.
    said = "\n".join([*(one.text for one in answers), *sent])
    for name in ("boundary_events", "boundary-events", '"facet":"boundaries"'):
        said = said.replace(name, "")
    return said


def test_he_reads_nothing_by_any_call(house: House) -> None:
    """What he is answered holds no name of the matter; asked for by name it is not there."""
    key = house.a_key("all", "read")
    before = everything_he_reads(house)
    house.tell(noted(), noted(10.5, OTHER))
    assert {one["family"] for one in alerts_of(house)} == {"consistency"}
    matters = boundary_alerts(house)
    assert len(matters) >= 2
    names = secrets(house)
    said = everything_he_reads(house)
    theirs = {name for name in names if name in said and name not in before}
    assert not theirs
    register: Any = house.ask("/v1/boundary-events").json
    assert (register["boundary_events"], register["total"]) == ([], 0)
    for entry in (house.ask("/v1/boundary-events", key).json or {})["boundary_events"]:
        assert house.ask(f"/v1/boundary-events/{entry['id']}").status_code == 404
    assert house.ask("/v1/alerts", family="boundary").json["alerts"] == []  # type: ignore[index]
    for alert in matters:
        path = f"/v1/alerts/{alert['id']}"
        assert {house.ask(path).status_code, house.ask(f"{path}/notes").status_code} == {404}
        assert house.act(f"{path}/acknowledge", {}) == 404
        assert house.act(f"{path}/resolve", {"reason": "handled"}) == 404
        assert house.act(f"{path}/notes", {"text": "mine"}) == 404
    assert house.ask(f"/v1/clients/{house.line.client(OTHER)}/timeline").status_code == 404


def test_nobody_else_makes_it_undeliverable_and_the_doctor_fails(house: House) -> None:
    """He is sent nothing; that nobody was told is counted, and said with what to do."""
    house.tell(noted())
    matters = {one["id"] for one in boundary_alerts(house)}
    sent = [one.body["data"].get("alert") for one in house.tom.messages]
    assert sent
    assert not matters & set(sent)
    doctor = typed(house.line, "doctor")
    assert doctor.exit_code == 1
    assert "could be told to nobody" in doctor.stdout + doctor.stderr


def test_governance_is_told_and_he_is_not(house: House) -> None:
    """Where there is governance it is told of the matter, once each, and of nothing of his."""
    house.with_a_board()
    house.tell(noted())
    matters = {one["id"] for one in boundary_alerts(house)}
    told = [one.body["data"]["alert"] for one in house.board.messages]
    assert sorted(told) == sorted(matters)
    assert not matters & {one.body["data"].get("alert") for one in house.tom.messages}


def test_named_afterwards_he_loses_sight_of_it(house: House) -> None:
    """He alone was told while it concerned another; then it is his no more, and the board's."""
    document = noted(concerns="t-other")
    house.tell(document)
    matters = {one["id"] for one in boundary_alerts(house)}
    assert matters <= {one["id"] for one in alerts_of(house)}
    assert matters & {one.body["data"].get("alert") for one in house.tom.messages}
    for alert in matters:
        assert house.act(f"/v1/alerts/{alert}/notes", {"text": "I ask t-other"}) == 201
    many = len(house.tom.messages)
    house.with_a_board()
    corrected = a_document(
        "record.corrected", 11, target={"id": document["id"], "type": "boundary.noted"},
        data={**document["data"], "concerns": TOM},
    )  # fmt: skip
    del corrected["data"]["therapist"]
    house.tell(corrected)
    assert matters.isdisjoint(one["id"] for one in alerts_of(house))
    for alert in matters:
        path = f"/v1/alerts/{alert}"
        assert {house.ask(path).status_code, house.ask(f"{path}/notes").status_code} == {404}
    assert len(house.tom.messages) == many
    told = [one.body["data"]["alert"] for one in house.board.messages]
    assert set(told) == matters
    assert len(told) == len(set(told))
    assert house.ask("/v1/boundary-events").json["total"] == 0  # type: ignore[index]


def test_as_him_the_command_shows_nothing(house: House) -> None:
    """With --person the terminal shows what he may see; to write a note he cannot."""
    house.tell(noted())
    (matter, *_) = [one["id"] for one in boundary_alerts(house)]
    (entry,) = house.ask("/v1/boundary-events", house.a_key("all", "read")).json["boundary_events"]  # type: ignore[index]
    as_him = ("--person", TOM)
    listed = typed(house.line, "alerts", "list", "--state", "every", "--json", *as_him)
    assert {one["family"] for one in json.loads(listed.stdout)} == {"consistency"}
    assert json.loads(typed(house.line, "boundary", "list", "--json", *as_him).stdout) == []
    drawn = json.loads(typed(house.line, "timeline", CLIENT, "--json", *as_him).stdout)
    assert drawn["boundary_events"] == []
    for words in (
        ("alerts", "show", matter, *as_him),
        ("boundary", "show", entry["id"], *as_him),
        ("alerts", "note", matter, "--by", TOM),
        ("alerts", "list", "--person", "t-nobody"),
    ):
        refused = typed(house.line, *words)
        assert (refused.exit_code, refused.stdout) == (2, ""), words
    assert typed(house.line, "alerts", "show", matter).exit_code == 0
    assert typed(house.line, "boundary", "show", entry["id"]).exit_code == 0
