"""The timeline's JSON (contract.md): every key, every type, attendance, facets, conflicts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from shared.events import EVENT_TYPES
from tests.support.events import (
    CLIENT,
    ORGANISATION,
    THERAPIST,
    a_boundary_noted,
    a_care_event,
    a_clinic_closed,
    a_clinic_configured,
    a_consent,
    a_correction,
    a_rating,
    a_rating_skipped,
    a_retraction,
    a_session_cancelled,
    a_session_held,
    a_session_missed,
    a_session_scheduled,
    a_therapist_away,
    an_event,
    on,
)
from tests.support.facets import spoken_of

KEYS = {
    "client",
    "clinic",
    "therapist",
    "valid_at",
    "known_at",
    "judged_at",
    "phases",
    "care",
    "consents",
    "attendance",
    "sessions",
    "assignments",
    "contacts",
    "ratings",
    "boundary_events",
    "ruptures",
    "dynamics",
    "goals",
    "plan",
    "setbacks",
    "facets",
    "standing",
    "waiting_amendments",
    "alerts",
}
"""What contract.md promises; what stands beside it is ours."""


def drawn(*client: Envelope, around: Sequence[Envelope] = ()) -> dict[str, Any]:
    """Return the timeline, once through JSON."""
    shown = timeline(fold(ORGANISATION, CLIENT, client, around))
    read: dict[str, Any] = orjson.loads(orjson.dumps(shown))
    return read


def test_an_empty_timeline_has_every_key() -> None:
    """Accepted but not yet projected is an empty timeline, not an error."""
    shown = drawn()
    assert set(shown) >= KEYS
    assert (shown["client"], shown["clinic"], shown["therapist"]) == (CLIENT, None, None)
    assert shown["standing"]["state"] == "unknown"
    assert shown["alerts"] == shown["phases"] == shown["sessions"] == []


def test_the_questions_asked_are_said() -> None:
    """valid_at, known_at and judged_at are written as Rapport writes times."""
    shown = timeline(
        fold(ORGANISATION, CLIENT, ()), valid_at=on(1), known_at=on(2), judged_at=on(3)
    )
    assert (shown["valid_at"], shown["known_at"], shown["judged_at"]) == (
        "2026-01-06T10:00:00Z",
        "2026-01-07T10:00:00Z",
        "2026-01-08T10:00:00Z",
    )


ABOUT_THE_CLIENT = [
    name
    for name, one in EVENT_TYPES.items()
    if one.writer == "sender" and one.scope != "clinic" and not name.startswith("record.")
]


@pytest.mark.parametrize("name", ABOUT_THE_CLIENT)
def test_every_type_is_listed(name: str) -> None:
    """The example of every type about a client is somewhere on the timeline, with its time."""
    event = an_event(name, on(5), dict(EVENT_TYPES[name].example))
    text = orjson.dumps(drawn(event)).decode()
    assert event.id in text
    assert "2026-01-10T10:00:00Z" in text


@pytest.mark.parametrize(
    "event",
    [
        a_clinic_configured(),
        a_clinic_closed("2026-01-07", "2026-01-08"),
        a_therapist_away("2026-01-07", None),
        an_event(
            "supervision.held",
            on(8),
            {"clinic": "elm", "therapist": THERAPIST, "topics": ["rupture"]},
            client=None,
        ),
    ],
    ids=lambda event: event.event.type,
)
def test_what_concerns_many_is_listed_where_it_concerns_the_client(event: Envelope) -> None:
    """Calendar, absences and supervision of the client's clinic and therapist are shown."""
    shown = orjson.dumps(drawn(a_session_held("s1", on(7)), around=[event])).decode()
    assert event.id in shown
    elsewhere = a_session_held("s1", on(7), clinic="oak", therapist="th_eve")
    assert event.id not in orjson.dumps(drawn(elsewhere, around=[event])).decode()


def test_attendance_says_who_and_what_is_not_counted() -> None:
    """Held, missed, cancelled; by whom; and what is nobody's lapse, with its number."""
    shown = drawn(
        a_session_held("s1", on(0)),
        a_session_held("s2", on(1)),
        a_session_missed("s3", at=on(2), by="client", reason="no_show"),
        a_session_missed("s4", at=on(3), by="therapist"),
        a_session_cancelled("s5", at=on(4), by="therapist", reason="emergency"),
        a_session_cancelled("s6", at=on(5), by="clinic", reason="weather"),
        a_session_cancelled("s7", at=on(6), by="client", reason="emergency"),
        a_session_scheduled("s8", on(30)),
    )
    assert shown["attendance"] == {
        "held": 2,
        "missed": 2,
        "cancelled": 3,
        "scheduled": 1,
        "by_whom": {
            "client": {"missed": 1, "cancelled": 1},
            "clinic": {"missed": 0, "cancelled": 1},
            "therapist": {"missed": 1, "cancelled": 1},
        },
        "not_counted": [{"reason": "emergency", "n": 1}, {"reason": "weather", "n": 1}],
    }


def test_a_session_item_tells_its_whole_story() -> None:
    """Its state, its fields by the contract's names, and every fact that speaks of it."""
    booked = a_session_scheduled("s1", on(7), at=on(1))
    cancelled = a_session_cancelled("s1", at=on(6), by="therapist", reason="illness")
    (item,) = drawn(booked, cancelled)["sessions"]
    assert item["event"] == cancelled.id
    assert (item["state"], item["cancelled_by"], item["reason"]) == (
        "cancelled",
        "therapist",
        "illness",
    )
    assert (item["starts_at"], item["occurred_at"]) == (
        "2026-01-12T10:00:00Z",
        "2026-01-11T10:00:00Z",
    )
    assert [one["event"] for one in item["events"]] == [booked.id, cancelled.id]


def test_a_rating_item_has_its_scores_or_why_not() -> None:
    """Scored and unscored ratings are both listed; risk items are seen, or not."""
    items = {str(number): 1 for number in range(1, 10)}
    shown = drawn(
        a_rating(None, at=on(1), instrument="phq-9", items=items),
        a_rating(9, at=on(2), instrument="phq-9"),
        a_rating(None, at=on(3), instrument="phq-9", items={"1": 1}),
    )["ratings"]
    assert [one["scores"].get("total", {}).get("value") for one in shown] == [9, 9, None]
    assert [one.get("unscored_because") for one in shown] == [None, None, "too_many_missing"]
    assert [one["risk_items"] for one in shown] == ["seen", "not_seen", "not_seen"]


def test_a_skipped_rating_is_no_rating() -> None:
    """It is listed beside the ratings, with its reason."""
    shown = drawn(a_rating_skipped(reason="declined"))
    assert shown["ratings"] == []
    assert [one["reason"] for one in shown["ratings_skipped"]] == ["declined"]


def test_corrected_facts_say_so() -> None:
    """Whoever reads a figure sees that it was corrected."""
    rating = a_rating(30)
    (item,) = drawn(rating, a_correction(rating, total=20))["ratings"]
    assert (item["scores"]["total"]["value"], item["events"][0]["corrected"]) == (20, True)


def test_waiting_amendments_and_conflicts_are_shown() -> None:
    """What has no effect (yet) is not hidden."""
    rating = a_rating(30, id="r1")
    other = replace(a_rating(10, id="r1"), recorded_at=rating.recorded_at + timedelta(days=1))
    absent = a_retraction(a_rating(at=on(2), id="absent"))
    shown = drawn(rating, other, absent)
    assert [one["event"] for one in shown["waiting_amendments"]] == [absent.id]
    assert [(one["event"], one["contents"]) for one in shown["conflicts"]] == [(rating.id, 1)]


def test_consents_have_their_latest_word_and_their_spans() -> None:
    """Per scope: the state, when it was withdrawn, and the facts."""
    shown = drawn(a_consent("withdrawn", on(1), scope="alerts"), a_rating(at=on(2)))
    assert shown["consents"]["alerts"]["state"] == "withdrawn"
    (span,) = shown["consents"]["alerts"]["withdrawn"]
    assert (span["from"], span["until"]) == ("2026-01-06T10:00:00Z", None)


def test_the_present_therapist_is_the_latest_open_phases() -> None:
    """After a transfer it is the new one; after the end, the last one."""
    transfer = a_care_event("transferred", on(5), to_therapist="th_eve")
    assert drawn(a_session_held("s1", on(1)), transfer)["therapist"] == "th_eve"
    ended = a_care_event("ended", on(9), therapist=None)
    assert drawn(a_session_held("s1", on(1)), transfer, ended)["therapist"] == "th_eve"


def test_facets_take_the_clients_latest_word_within_eight_weeks() -> None:
    """The client first, then the latest; nothing older, and no level without evidence."""
    scales = {"relationship": 9, "goals_and_topics": 5, "approach_or_method": 8, "overall": 8}
    ours = a_rating(None, at=on(10), scales=scales)
    therapists = a_rating(
        None, at=on(12), instrument="wai-sr-t", rater="therapist", scales={"bond": 10}
    )
    trust = drawn(ours, therapists, a_session_held("s9", on(20)))["facets"]["trust"]
    assert (trust["level"], trust["age_days"]) == (90.0, 10)
    assert [one["event"] for one in trust["evidence"]] == [ours.id]
    later = drawn(ours, a_session_held("s9", on(70)))["facets"]["trust"]
    assert (later["level"], later["evidence"], later["age_days"]) == (None, [], None)
    assert spoken_of(drawn(a_boundary_noted())["facets"]).keys() == {"safety", "boundaries"}


def test_a_former_therapists_alliance_says_nothing_of_the_present_one() -> None:
    """After a transfer trust begins anew; how the client does is the client's own."""
    scales = {"relationship": 1, "goals_and_topics": 5, "approach_or_method": 8, "overall": 8}
    rated = [
        a_rating(None, at=on(1), scales=scales),
        a_rating(30, at=on(1), instrument="ors"),
    ]
    over = a_care_event("transferred", on(5), to_therapist="th_eve")
    assert set(spoken_of(drawn(*rated)["facets"])) > {"trust", "outcome"}
    assert set(spoken_of(drawn(*rated, over)["facets"])) == {"outcome"}


def test_boundary_events_name_what_the_contract_names() -> None:
    """Severity, concerns and reporter stand in the item, for whoever may read it."""
    (item,) = drawn(a_boundary_noted(severity=2, happened_on="2026-01-12"))["boundary_events"]
    assert (item["severity"], item["concerns"], item["happened_on"]) == (
        2,
        THERAPIST,
        "2026-01-12",
    )
    assert item["state"] == "noted"


def test_goals_and_assignments_are_one_item_per_reference() -> None:
    """Agreed, rated and closed: one goal, with each step in it."""
    common = {"clinic": "elm", "therapist": THERAPIST, "goal": "g1"}
    shown = drawn(
        an_event("goal.agreed", on(1), common | {"agreed_by": ["client"], "domain": "work"}),
        an_event("goal.rated", on(8), common | {"attainment": 3, "rater": "client"}),
        an_event("goal.rated", on(15), common | {"attainment": 6, "rater": "client"}),
    )
    (goal,) = shown["goals"]
    assert (goal["attainment"], goal["domain"]) == (6, "work")
    assert [step.get("attainment") for step in goal["events"]] == [None, 3, 6]
