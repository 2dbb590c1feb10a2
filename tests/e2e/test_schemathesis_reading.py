"""Foreign hands on the OpenAPI documents of alerts, timelines and the boundary register.

What the documents promise is what the services do, asked of what exists and of what does not.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from shared.clock import ManualClock, format_time
from tests.support import events as an
from tests.support.whole import WholeLine

UNSAYABLE: list[schemathesis.CheckFunction] = [positive_data_acceptance]
"""JSON Schema cannot say that a day has passed, or that a cursor is none of ours."""

EXAMPLES: Final = 10
"""Own: requests per call and mode."""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeLine]:
    """Yield an installation with a boundary event, its alerts, and a note on one."""
    made = WholeLine(tmp_path_factory.mktemp("line"), ManualClock(an.on(12)))
    common = {"clinic": "north", "therapist": "t-1"}
    configured = {"clinic": "north", "timezone": "UTC", "sends": ["boundary"]}
    noted = common | {"boundary_event": "b-1", "area": "gifts", "about": "client",
                      "reported_by": "client", "severity": 4}  # fmt: skip
    about = {"specversion": "1.0", "source": "urn:test:diary"}
    made.take(
        [
            {**about, "id": "1", "type": "rapport.clinic.configured", "data": configured,
             "time": format_time(an.on(0))},
            {**about, "id": "2", "type": "rapport.boundary.noted", "data": noted,
             "time": format_time(an.on(10)), "subject": "c-1"},
        ]
    )  # fmt: skip
    made.settle()
    yield made
    made.close()


def existing(line: WholeLine, app: Flask) -> dict[str, str]:
    """Return what calls may be asked for by name; a note that is there for every request."""
    token, caller = {"authorization": f"Bearer {line.token}"}, app.test_client()
    if app.name == "projections":
        (entry,) = line.get(line.timelines, "/v1/boundary-events")["boundary_events"]
        return {"id": entry["id"], "client": entry["client"]}
    alert = line.alerts()[0]["id"]
    path = f"/v1/alerts/{alert}/notes"
    for note in line.get(line.inbox, path)["notes"]:
        assert caller.delete(f"{path}/{note['id']}", headers=token).status_code == 204
    written = caller.post(path, json={"text": "mine"}, headers=token | {"if-match": "*"})
    assert written.status_code == 201, written.text
    body: Any = written.json
    return {"alert": alert, "note": body["id"]}


@pytest.mark.parametrize("service", ["alerts", "projections"])
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("known", [True, False], ids=["what-exists", "made-up-names"])
def test_no_generated_request_finds_a_violation(
    line: WholeLine, service: str, mode: GenerationMode, known: bool
) -> None:
    """Every answer to every generated request is one that the document names, and never 5xx."""
    app = (line.inbox if service == "alerts" else line.timelines).application
    assert app.name == service
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    calls = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    mine = [call for call in calls if call.path.startswith("/v1/")]
    # What takes no input has no wrong one either.
    wrong = [call for call in mine if call.body or [*call.iter_parameters()]]
    bearer = {"Authorization": f"Bearer {line.token}"}
    for call in wrong if mode is GenerationMode.NEGATIVE else mine:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=call.as_strategy(mode))
        def hold(case: schemathesis.Case[Any]) -> None:
            if known:
                names = existing(line, app)
                case.path_parameters = {
                    name: names.get(name, said) for name, said in case.path_parameters.items()
                }
            seen = {"If-Match": "*"} if case.method == "POST" else {}
            case.call_and_validate(headers=bearer | seen, excluded_checks=UNSAYABLE)

        hold()


def test_every_call_about_alerts_and_the_register_is_asked(line: WholeLine) -> None:
    """The documents name the calls that these tests are about."""
    named = {
        path
        for caller in (line.inbox, line.timelines)
        for path in (caller.get("/openapi.json").json or {})["paths"]
    }
    assert named >= {
        "/v1/alerts/{alert}/notes",
        "/v1/alerts/{alert}/notes/{note}",
        "/v1/alerts/{alert}/acknowledge",
        "/v1/boundary-events",
        "/v1/boundary-events/{id}",
    }
