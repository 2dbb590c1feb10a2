"""The web application as operations meet it: health, metrics, documents, many threads."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config import METRICS_DIR, child_environment
from shared.web.app import SECURITY_HEADERS
from tests.support.accounts import Office
from tests.support.databases import migrated, sqlite_url
from tests.support.small_service import ANNA, Service, problem
from tests.support.together import run_together


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Yield an application over an empty SQLite database."""
    with migrated(sqlite_url(tmp_path)) as database:
        yield Service(Office(database))


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
