"""The caseload through the front door: who is in it, the worst first, page by page."""

from typing import Any

import pytest

from services.projections import cursors
from tests.support import events as an
from tests.support.projected import World, an_alert_step

NOBODY = "cl_" + 24 * "0"


# The caseload -----------------------------------------------------------------------------------
def falling(client: str) -> list[Any]:
    """Return the ratings of a client whose word of the alliance falls."""
    return [an.a_rating(38 - n, at=an.on(7 * n, 11), client=client) for n in range(1, 7)]


def seen(client: str, day: int, **stated: Any) -> Any:
    """Return a held session of a client."""
    return an.a_session_held(f"s{day}", an.on(day), client=client, **stated)


def test_the_worst_come_first(world: World) -> None:
    """Urgent, attention, falling, low, the rest; among equals, longest without a held session."""
    low = [an.a_rating(20, at=an.on(day, 11), client="cl_low") for day in (7, 14)]
    world.tell(
        seen("cl_rest_new", 30), seen("cl_rest_old", 1), seen("cl_urgent", 40),
        seen("cl_attention", 2), seen("cl_falling", 41), *falling("cl_falling"),
        seen("cl_low", 42), *low,
    )  # fmt: skip
    world.alert(
        an_alert_step("a1", client=world.client("cl_urgent"), urgency="urgent"),
        an_alert_step("a2", client=world.client("cl_attention")),
        an_alert_step("a3", client=world.client("cl_rest_new"), urgency="urgent", state="snoozed"),
    )
    order = ["cl_urgent", "cl_attention", "cl_falling", "cl_low", "cl_rest_old", "cl_rest_new"]
    assert world.caseload() == order
    assert world.caseload("?standing=falling") == ["cl_falling"]
    assert world.caseload(f"?therapist={an.THERAPIST}&clinic={an.CLINIC}") == order
    assert world.caseload("?therapist=th_none") == []


def test_who_is_not_in_care_is_not_in_the_caseload(world: World) -> None:
    """Ended care, and a withdrawn consent to processing, take a client out."""
    world.tell(
        seen("cl_in", 1),
        seen("cl_ended", 2),
        an.a_care_event("ended", an.on(3), client="cl_ended"),
        seen("cl_gone", 2),
        an.a_consent("withdrawn", an.on(3), client="cl_gone"),
    )
    assert world.caseload() == ["cl_in"]


def test_a_last_word_after_the_end_brings_nobody_back_into_care(world: World) -> None:
    """A questionnaire after the end that names no therapist; a new booking does."""
    world.tell(
        *(an.a_rating(30, at=an.on(day)) for day in (1, 2)),
        an.a_care_event("ended", an.on(3)),
        an.a_rating(31, at=an.on(30), therapist=None),
    )
    assert world.caseload() == []
    assert world.timeline()["therapist"] == an.THERAPIST
    world.tell(an.a_session_scheduled("s9", an.on(50), therapist=None))
    assert world.caseload() == [an.CLIENT]


def test_a_fact_about_many_reaches_who_it_concerns(world: World) -> None:
    """An absence that comes late moves a cover's session back to the covered phase."""
    world.tell(seen("cl_a", 1), seen("cl_a", 30, therapist=an.COVER), seen("cl_b", 1))
    assert world.caseload(f"?therapist={an.COVER}") == ["cl_a"]
    world.tell(an.a_therapist_away("2026-02-01", "2026-02-10", cover=an.COVER))
    assert world.caseload(f"?therapist={an.COVER}") == []
    assert world.caseload(f"?therapist={an.THERAPIST}") == ["cl_b", "cl_a"]


def test_pages_survive_changes(world: World) -> None:
    """While others come and go, a walk over the pages gives nobody twice and misses nobody."""
    names = [f"cl_{number:02}" for number in range(7)]
    world.tell(*(seen(name, day) for day, name in enumerate(names, 1)))
    key, path, walked = world.key(), "/v1/clients?limit=2", list[str]()
    while path:
        page = world.get(path, key).json
        assert page is not None
        walked += [row["client"] for row in page["clients"]]
        path = f"/v1/clients?limit=2&cursor={page['next']}" if page["next"] else ""
        # Somebody arrives before and after the place, and somebody already passed is gone.
        number = len(walked)
        assert number < 40
        world.tell(seen(f"cl_before{number}", 0), seen(f"cl_after{number}", 100 + number))
        world.tell(an.a_care_event("ended", an.on(50), client=names[0]))
    asked = [world.client(name) for name in names]
    assert [one for one in walked if one in asked] == asked
    assert len(walked) == len(set(walked))


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "WzEsMiwiYyIsIngiXQ", "%C3%A9", "W1s"])
def test_a_cursor_of_somebody_elses_making_is_refused(world: World, cursor: str) -> None:
    """What is no cursor of ours is 422, and named."""
    response = world.get(f"/v1/clients?cursor={cursor}")
    assert response.status_code == 422
    assert response.json is not None
    assert [fault["pointer"] for fault in response.json["errors"]] == ["/query/cursor"]


@pytest.mark.parametrize(
    "place", [(True, 5, NOBODY), (1, True, NOBODY), (1, 5, "a\0b"), (1, 2**62, NOBODY)]
)
def test_a_cursor_made_up_with_care_is_refused_too(
    world: World, place: tuple[int, int, str]
) -> None:
    """A cursor is no secret: one in our own form that names no row is 422, never 500."""
    nothing = {"clinic": None, "therapist": None, "standing": None}
    assert world.get(f"/v1/clients?cursor={cursors.write(place, nothing)}").status_code == 422


def test_a_cursor_belongs_to_its_question(world: World) -> None:
    """A cursor under other filters is refused: its place means nothing there."""
    world.tell(seen("cl_a", 1), seen("cl_b", 2))
    page = world.get("/v1/clients?limit=1").json
    assert page is not None
    cursor = page["next"]
    assert world.get(f"/v1/clients?cursor={cursor}").status_code == 200
    assert world.get(f"/v1/clients?cursor={cursor}&standing=low").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "standing=bad", "clinic=%00", "therapist=%0Ax", "a=1"],
)
def test_what_cannot_be_asked_is_refused(world: World, query: str) -> None:
    """A limit out of range, an unknown standing or parameter is 422."""
    assert world.get(f"/v1/clients?{query}").status_code == 422


def test_a_client_known_by_a_hidden_matter_alone_is_hidden(world: World) -> None:
    """Whom a matter concerns does not learn from the caseload that there is its client."""
    world.tell(seen("cl_a", 1), an.a_boundary_noted(concerns="th_eve", client="cl_b"))
    assert world.caseload(person="th_eve") == ["cl_a"]
    assert world.caseload(person="th_ada") == world.caseload() == ["cl_a", "cl_b"]
    world.tell(seen("cl_b", 9))
    assert world.caseload(person="th_eve") == ["cl_a", "cl_b"]


def test_a_matter_that_cannot_be_placed_hides_its_client_from_everybody_bound(
    world: World,
) -> None:
    """Of a step without a beginning nobody knows whom it concerns: no key of a person shows it."""
    world.tell(an.a_boundary_assessed("b1", client="cl_b"))
    assert (world.caseload(person="th_ada"), world.caseload()) == ([], ["cl_b"])


def test_a_place_known_by_a_hidden_matter_alone_is_hidden(world: World) -> None:
    """Seen elsewhere too, the client is shown there, and not where the matter is all there is."""
    there: dict[str, Any] = {"clinic": "oak", "therapist": "th_eve", "client": "cl_b"}
    world.tell(seen("cl_b", 1), an.a_boundary_noted(concerns="th_eve", care="c2", **there))
    assert world.caseload("?therapist=th_eve") == ["cl_b"]
    assert world.caseload("?therapist=th_eve", person="th_eve") == []
    assert world.caseload(person="th_eve") == ["cl_b"]
    assert world.caseload(person="th_eve", clinics=["oak"]) == []
