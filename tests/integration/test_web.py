"""The application that all services share: problems, keys, health, documents."""

import io
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient
from marshmallow import Schema, fields, validate
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from shared.config import METRICS_DIR, child_environment
from shared.errors import DatabaseUnavailable, Fault, Refused, StreamUnavailable, Unavailable
from shared.web.app import SECURITY_HEADERS, create_app
from shared.web.auth import caller, check_clinic, require
from shared.web.blueprint import Blueprint
from tests.support.accounts import Office
from tests.support.databases import migrated, sqlite_url
from tests.support.together import run_together

MEMBERS = {"type", "title", "status", "detail", "errors"}
ANNA = "Anna Karenina"
LIMIT = 2_000


class Note(Schema):
    """What the test's own call takes."""

    code = fields.String(required=True, validate=validate.OneOf(["a", "b"]))
    grade = fields.Integer(validate=validate.Range(0, 4))


class Query(Schema):
    """What stands in its query."""

    valid_at = fields.AwareDateTime()


class Falling(Exception):
    """Stands for any mistake of ours; its text holds what somebody sent."""


class Service:
    """One application with calls that do what can go wrong."""

    def __init__(self, office: Office) -> None:
        """Build it over real accounts."""
        self.office = office
        self.ready = {"database": True, "stream": True}
        self.organisation = office.an_organisation()
        app = create_app(
            "test",
            [_calls()],
            office.accounts,
            checks={name: partial(self.ready.__getitem__, name) for name in self.ready},
            max_body_bytes=LIMIT,
        )
        self.http: FlaskClient = app.test_client()

    def key(self, *rights: str, **options: Any) -> dict[str, str]:
        """Return the header of a new key."""
        token = self.office.a_token(self.organisation, *rights, **options)
        return {"Authorization": f"Bearer {token}"}


def _calls() -> Blueprint:
    calls = Blueprint("notes", __name__)
    raised: dict[str, Exception] = {
        "stream": StreamUnavailable(ANNA),
        "database": DatabaseUnavailable(ANNA),
        "part": Unavailable(ANNA),
        "mistake": Falling(ANNA),
        "refused": Refused([Fault("/data/total", "must be 0 to 40", "out_of_range", ("a",))]),
    }

    @calls.route("/v1/notes/<name>", methods=["POST"])
    @require("act")
    @calls.arguments(Query, location="query")
    @calls.arguments(Note)
    @calls.response(200, Note)
    def note(query: dict[str, Any], body: dict[str, Any], name: str) -> dict[str, Any]:
        """Take a note.

        And give it back, `code` and <all>.
        """
        check_clinic(caller(), name, "/clinic")
        return body

    @calls.route("/v1/guarded/below", methods=["POST"])
    @calls.arguments(Query, location="query")
    @calls.arguments(Note)
    @calls.response(200, Note)
    @require("act")
    def guarded_below(query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        return body

    @calls.route("/v1/raise/<what>")
    def fail(what: str) -> Response:
        raise raised[what]

    return calls


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Yield an application over an empty SQLite database."""
    with migrated(sqlite_url(tmp_path)) as database:
        yield Service(Office(database))


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """Return the body of an answer, which must be a whole problem with this status."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.data)
    assert set(body) == MEMBERS
    assert body["status"] == status
    assert body["type"].startswith("urn:rapport:problem:")
    assert body["detail"]
    return body


def test_every_error_is_a_problem(service: Service) -> None:
    """404, 405, 413, 415, 422, 500 and 503 are problem+json, all with the same members."""
    key, url = service.key("act"), "/v1/notes/elm"
    problem(service.http.get("/nowhere"), 404)
    assert "POST" in _headers(problem_of=service.http.get(url), status=405)["Allow"]
    large = service.http.post(url, headers=key, json={"code": "a" * LIMIT})
    problem(large, 413)
    problem(service.http.post(url, headers=key, data="code=a"), 415)
    problem(service.http.post(url, headers=key, json=[]), 422)
    problem(service.http.post(url, headers=key, data="{", content_type="application/json"), 400)
    problem(service.http.get("/v1/raise/mistake"), 500)
    for what in ("stream", "database", "part"):
        away = service.http.get(f"/v1/raise/{what}")
        assert int(_headers(problem_of=away, status=503)["Retry-After"]) > 0


def test_every_fault_is_named_with_its_place(service: Service) -> None:
    """Faults of a body, of a query and of the domain have pointer, message and code."""
    key = service.key("act")
    sent = {"code": ANNA, "grade": 9, "narrative": ANNA}
    body = problem(service.http.post("/v1/notes/elm", headers=key, json=sent), 422)
    codes = {fault["pointer"]: fault["code"] for fault in body["errors"]}
    assert codes == {
        "/code": "not_allowed",
        "/grade": "out_of_range",
        "/narrative": "unknown_field",
    }
    wrong = service.http.post("/v1/notes/elm?valid-at=x", headers=key, json={"code": "a"})
    assert [fault["pointer"] for fault in problem(wrong, 422)["errors"]] == ["/query/valid-at"]
    refused = problem(service.http.get("/v1/raise/refused"), 422)
    assert refused["errors"] == [
        {
            "pointer": "/data/total",
            "message": "must be 0 to 40",
            "code": "out_of_range",
            "allowed": ["a"],
        }
    ]


def test_nothing_sent_is_echoed_or_logged(service: Service) -> None:
    """Neither an answer nor a log line holds what stood in address, query, header or body."""
    key = service.key("act")
    with capture_logs() as lines:
        answers = [
            service.http.get(f"/v1/{ANNA}"),
            service.http.get(f"/nowhere?name={ANNA}", headers={"X-Name": ANNA}),
            service.http.post(
                f"/v1/notes/{ANNA}?valid_at={ANNA}", headers=key, json={"code": ANNA}
            ),
            service.http.post("/v1/notes/elm", headers=key, data=f'{{"a": {ANNA}'),
            service.http.get("/v1/raise/mistake"),
            service.http.get("/v1/raise/stream"),
            service.http.open(f"/{ANNA}", method="ANNA"),
        ]
    for answer in answers:
        assert b"Anna" not in answer.data
    assert "Anna" not in repr(lines)
    assert "ANNA" not in repr(lines)
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == len(answers)
    assert {line["route"] for line in requests} == {
        "none",
        "/v1/notes/<name>",
        "/v1/raise/<what>",
    }


def test_a_mistake_of_ours_is_logged_by_its_place(service: Service) -> None:
    """A 500 leaves a line with the kind and the place, so that it can be mended."""
    with capture_logs() as lines:
        service.http.get("/v1/raise/mistake")
    failed = next(line for line in lines if line["event"] == "request_failed")
    assert failed["error"] == "Falling"
    assert "test_web.py:" in failed["where"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer rk_1_2, Bearer rk_1_2", "Bearer " + "é" * 9],
)
def test_without_a_live_key_all_is_401(service: Service, header: str) -> None:
    """Missing, malformed, unknown and revoked keys get the same answer, before anything else."""
    missing = service.http.post("/v1/notes/elm", json={"code": "no"})
    wrong = service.http.post("/v1/notes/elm", headers={"Authorization": header}, data=b"{")
    assert problem(wrong, 401) == problem(missing, 401)
    assert wrong.headers["WWW-Authenticate"] == missing.headers["WWW-Authenticate"]
    key = service.key("act")
    service.office.enrolment.revoke_key(service.organisation, key["Authorization"][7:34])
    assert problem(service.http.post("/v1/notes/elm", headers=key), 401) == problem(missing, 401)


def test_a_key_without_the_right_is_403(service: Service) -> None:
    """The code names the right that is missing; the body is not even read."""
    body = problem(service.http.post("/v1/notes/elm", headers=service.key("read"), data=b"{"), 403)
    assert [fault["code"] for fault in body["errors"]] == ["needs_act"]


@pytest.mark.parametrize("path", ["/v1/notes/elm", "/v1/guarded/below"])
def test_who_may_not_call_learns_nothing_else(service: Service, path: str) -> None:
    """Key and right are asked first, wherever the guard stands among the decorators."""
    wrong = f"{path}?no_such=1"
    problem(service.http.post(wrong, json={"no_such": 1}), 401)
    problem(service.http.post(wrong, headers=service.key("read"), data="{"), 403)
    problem(service.http.post(wrong, headers=service.key("act"), json={"no_such": 1}), 422)


def test_an_address_with_a_nul_character_is_nobody_s(service: Service) -> None:
    """No such text reaches the database: PostgreSQL would not take it."""
    key = service.key("act")
    problem(service.http.post("/v1/notes/%00", headers=key, json={"code": "a"}), 404)
    refused = service.http.post("/v1/notes/elm?limit=%00", headers=key, json={"code": "a"})
    assert problem(refused, 422)["errors"][0]["code"] == "control_character"


def test_a_bound_key_reaches_its_clinics_alone(service: Service) -> None:
    """Bound to elm, a key acts on elm and gets 403 for oak."""
    key = service.key("act", clinics=["elm"])
    assert service.http.post("/v1/notes/elm", headers=key, json={"code": "a"}).json == {
        "code": "a"
    }
    body = problem(service.http.post("/v1/notes/oak", headers=key, json={"code": "a"}), 403)
    assert [fault["code"] for fault in body["errors"]] == ["other_clinic"]


def test_with_the_database_away_a_key_is_503(service: Service, tmp_path: Path) -> None:
    """A key that cannot be looked up is not said to be wrong."""
    key = service.key("act")
    service.office.db.close()
    (tmp_path / "rapport.db").rename(tmp_path / "away.db")
    (tmp_path / "rapport.db").mkdir()
    problem(service.http.post("/v1/notes/elm", headers=key, json={"code": "a"}), 503)


def test_bodies_are_read_strictly(service: Service) -> None:
    """A body with duplicate keys is refused, wherever arguments are declared."""
    body = service.http.post(
        "/v1/notes/elm",
        headers=service.key("act"),
        data=b'{"code": "a", "code": "b"}',
        content_type="application/json",
    )
    assert [fault["code"] for fault in problem(body, 400)["errors"]] == ["duplicate_key"]


@pytest.mark.parametrize(("size", "status"), [(LIMIT - 1, 422), (LIMIT, 413), (9 * LIMIT, 413)])
def test_a_body_of_unannounced_length_is_never_cut(
    service: Service, size: int, status: int
) -> None:
    """Sent in chunks, a body over the limit is refused with 413, not read in part."""
    text = b'{"code": "a", "more": "' + b"x" * (size - 25) + b'"}'
    answer = service.http.post(
        "/v1/notes/elm",
        headers=service.key("act"),
        input_stream=io.BytesIO(text),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert len(text) == size
    problem(answer, status)


def test_liveness_never_depends_on_anything(service: Service) -> None:
    """With everything away the process is alive, not ready, and says what is away."""
    assert service.http.get("/readyz").json == {
        "ready": True,
        "checks": {"database": True, "stream": True},
    }
    service.ready["stream"] = False
    assert service.http.get("/livez").json == {"alive": True}
    body = problem(service.http.get("/readyz"), 503)
    assert [fault["code"] for fault in body["errors"]] == ["stream_away"]


def test_every_answer_has_the_security_headers(service: Service) -> None:
    """Answers of all kinds carry them; a page may only have a policy of its own."""
    for address in ("/livez", "/nowhere", "/v1/raise/mistake", "/openapi.json", "/metrics"):
        headers = service.http.get(address).headers
        assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    policy = service.http.get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_metrics_name_routes_never_addresses(service: Service) -> None:
    """Requests are timed by route template; what stood in the address is no label."""
    service.http.get("/v1/raise/stream")
    service.http.get(f"/v1/{ANNA}")
    text = service.http.get("/metrics").text
    assert 'rapport_http_request_seconds_count{method="GET",route="/v1/raise/<what>"' in text
    assert "Anna" not in text


def test_metrics_of_processes_that_share_a_port_are_added_up(tmp_path: Path) -> None:
    """With a common folder any of them answers for all of them."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shared.config import load\n"
        "from shared.storage.accounts import Accounts\n"
        "from shared.storage.engine import Database\n"
        "from shared.storage.sealing import Sealer\n"
        "from shared.web.app import create_app\n"
        "accounts = Accounts(Database(sys.argv[1]), Sealer(bytes(32)))\n"
        "app = create_app('x', [], accounts, checks={}, metrics_dir=load().metrics_dir)\n"
        "# go\n"
        "http = app.test_client()\n"
        "http.get('/livez')\n"
        "print(http.get('/metrics').text)\n"
    )
    folder = tmp_path / "metrics"
    folder.mkdir()
    environment = child_environment({METRICS_DIR: str(folder)})
    url = sqlite_url(tmp_path)
    run_together(script, [url], 2, environment)
    (text,) = run_together(script, [url], 1, environment)
    counted = next(
        line
        for line in text.splitlines()
        if line.startswith("rapport_http_request_seconds_count{") and "/livez" in line
    )
    assert float(counted.rpartition(" ")[2]) == 3


def test_the_document_describes_every_call(service: Service) -> None:
    """OpenAPI 3.1 lists calls, security, rights and the form of problems; /docs shows them."""
    document = service.http.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    call = document["paths"]["/v1/notes/{name}"]["post"]
    assert call["x-right"] == "act"
    assert document["security"] == [{"key": []}]
    assert document["paths"]["/livez"]["get"]["security"] == []
    error = document["components"]["responses"]["DEFAULT_ERROR"]
    assert list(error["content"]) == ["application/problem+json"]
    page = service.http.get("/docs").text
    assert "POST /v1/notes/{name}" in page
    assert "And give it back, <code>code</code> and &lt;all&gt;." in page
    assert "with the right act" in page
    assert "<script" not in page


def test_callers_on_many_threads_are_told_apart(service: Service) -> None:
    """Sixteen threads with different keys each act as themselves."""
    keys = [service.key("act", clinics=[f"clinic-{n}"]) for n in range(16)]
    wrong: list[int] = []

    def call(number: int) -> None:
        for other in range(16):
            url = f"/v1/notes/clinic-{other}"
            http = service.http.application.test_client()
            answer = http.post(url, headers=keys[number], json={"code": "a"})
            if (answer.status_code == 200) != (number == other):
                wrong.append(number)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def _headers(problem_of: TestResponse, status: int) -> Any:
    problem(problem_of, status)
    return problem_of.headers
