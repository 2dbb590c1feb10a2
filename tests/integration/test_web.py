"""The web application as callers meet it: every refusal is a problem, who may call what."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.accounts import Office
from tests.support.databases import migrated, sqlite_url
from tests.support.small_service import (
    ANNA,
    LIMIT,
    Service,
    headers_of,
    problem,
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Yield an application over an empty SQLite database."""
    with migrated(sqlite_url(tmp_path)) as database:
        yield Service(Office(database))


def test_every_error_is_a_problem(service: Service) -> None:
    """404, 405, 413, 415, 422, 500 and 503 are problem+json, all with the same members."""
    key, url = service.key("act"), "/v1/notes/elm"
    problem(service.http.get("/nowhere"), 404)
    assert "POST" in headers_of(problem_of=service.http.get(url), status=405)["Allow"]
    large = service.http.post(url, headers=key, json={"code": "a" * LIMIT})
    problem(large, 413)
    problem(service.http.post(url, headers=key, data="code=a"), 415)
    problem(service.http.post(url, headers=key, json=[]), 422)
    problem(service.http.post(url, headers=key, data="{", content_type="application/json"), 400)
    problem(service.http.get("/v1/raise/mistake"), 500)
    for what in ("stream", "database", "part"):
        away = service.http.get(f"/v1/raise/{what}")
        assert int(headers_of(problem_of=away, status=503)["Retry-After"]) > 0


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
    assert "small_service.py:" in failed["where"]


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
