"""Foreign hands on the OpenAPI document: what it promises of ingest is what ingest does."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.front_door import FrontDoor

UNSAYABLE: list[schemathesis.CheckFunction] = [positive_data_acceptance]
"""JSON Schema cannot say that a time has passed, that an end lies after its beginning, or that the
answers of a questionnaire add up: what only these rules refuse is valid by any document."""

EXAMPLES = 25
"""Requests per call; the whole of schemathesis (its coverage phase: 15 000) runs by hand."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """Yield one service for all calls."""
    made = FrontDoor(tmp_path_factory.mktemp("door"))
    yield made
    made.close()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_generated_request_finds_a_violation(door: FrontDoor, mode: GenerationMode) -> None:
    """Every answer to every generated request is one that the document names, and never 5xx."""
    everything = door.a_source(mode.value, door.ehr.organisation, "identify", "configure")
    schema = schemathesis.openapi.from_wsgi("/openapi.json", door.app)
    found = schema.get_all_operations()
    calls = [result.ok() for result in found if isinstance(result, Ok)]
    assert len(calls) >= 9
    # What takes no input has no wrong one either.
    wrong = [call for call in calls if call.body or [*call.iter_parameters()]]
    for call in wrong if mode is GenerationMode.NEGATIVE else calls:

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
            case.call_and_validate(headers=everything.bearer, excluded_checks=UNSAYABLE)

        hold()
