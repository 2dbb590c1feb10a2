"""Which phase each fact belongs to: the unit of judgement (design.md section 4)."""

from collections.abc import Sequence

from shared.alliance.history import History, Phase, fold
from shared.envelope import Envelope
from tests.support.events import (
    CLIENT,
    COVER,
    ORGANISATION,
    THERAPIST,
    a_boundary_assessed,
    a_boundary_noted,
    a_boundary_step,
    a_care_event,
    a_clinic_configured,
    a_consent,
    a_rating,
    a_session_cancelled,
    a_session_held,
    a_session_rescheduled,
    a_session_scheduled,
    a_therapist_away,
    an_event,
    on,
)


def history(*client: Envelope, around: Sequence[Envelope] = ()) -> History:
    """Return the history of the client."""
    return fold(ORGANISATION, CLIENT, client, around)


def phases(*client: Envelope, around: Sequence[Envelope] = ()) -> list[tuple[str, list[str]]]:
    """Return each phase's therapist and the types of its facts."""
    found = history(*client, around=around).phases
    return [(phase.therapist, [fact.type for fact in phase.facts]) for phase in found]


def the_phase(*client: Envelope, around: Sequence[Envelope] = ()) -> Phase:
    """Return the only phase."""
    (phase,) = history(*client, around=around).phases
    return phase


def test_a_phase_opens_with_the_first_fact_that_names_the_therapist() -> None:
    """Before that, facts belong to a phase with an empty therapist."""
    found = history(
        a_care_event("referred", on(0), therapist=None),
        a_rating(at=on(1), therapist=None),
        a_session_scheduled("s1", on(7), at=on(3)),
    ).phases
    assert [(one.therapist, one.opened_at, one.closed_at) for one in found] == [
        ("", on(0), None),
        (THERAPIST, on(3), None),
    ]
    assert found[1].care.referred_at == on(0)


def test_a_fact_without_a_therapist_goes_to_the_phase_of_its_session() -> None:
    """Even when its session is heard of only afterwards, and others are open."""
    assert phases(
        a_session_held("s0", on(1), therapist="th_eve"),
        a_session_held("s1", on(0), therapist="th_tom"),
        a_rating(at=on(1, 12), session="s9", therapist=None),
        a_session_held("s9", on(2), therapist="th_tom"),
    ) == [
        ("th_tom", ["session.held", "rating.given", "session.held"]),
        ("th_eve", ["session.held"]),
    ]


def test_a_fact_without_therapist_or_session_goes_to_the_latest_open_phase() -> None:
    """The latest to be opened in its care, at its own time."""
    assert phases(
        a_session_held("s1", on(0), therapist="th_tom"),
        a_rating(1, at=on(1), therapist=None),
        a_session_held("s2", on(2), therapist="th_eve"),
        a_rating(2, at=on(3), therapist=None),
        a_rating(3, at=on(3), therapist=None, care="group"),
    ) == [
        ("th_tom", ["session.held", "rating.given"]),
        ("th_eve", ["session.held", "rating.given"]),
        ("", ["rating.given"]),
    ]


def test_two_courses_of_care_are_two_phases() -> None:
    """The same therapist in individual and in group therapy is judged apart."""
    found = history(
        a_session_held("s1", on(0)), a_session_held("g1", on(1), care="group", kind="group")
    ).phases
    assert [(one.therapist, one.care.ref) for one in found] == [
        (THERAPIST, "main"),
        (THERAPIST, "group"),
    ]


def test_a_transfer_closes_one_phase_and_opens_the_other() -> None:
    """Both have it among their facts; the reason and the fact are kept."""
    transfer = a_care_event(
        "transferred", on(5), to_therapist="th_eve", planned=False, reason="capacity"
    )
    old, new = history(
        a_session_held("s1", on(0)), transfer, a_session_held("s2", on(7), therapist="th_eve")
    ).phases
    assert (old.therapist, old.closed_at, old.close_reason) == (THERAPIST, on(5), "capacity")
    assert old.closed_by is not None
    assert old.closed_by.event == old.facts[-1].event == new.facts[0].event == transfer.id
    assert (new.therapist, new.opened_at, new.closed_at) == ("th_eve", on(5), None)


def test_a_transfer_that_names_nobody_closes_every_other_phase() -> None:
    """Left out, the therapist who hands over is whoever has the client now."""
    found = history(
        a_care_event("referred", on(0), therapist=None),
        a_session_held("s1", on(1)),
        a_care_event("transferred", on(5), therapist=None, to_therapist="th_eve"),
    ).phases
    assert [(one.therapist, one.closed_at) for one in found] == [
        ("", on(5)),
        (THERAPIST, on(5)),
        ("th_eve", None),
    ]


def test_the_end_closes_every_phase_of_its_care_alone() -> None:
    """Another course of care goes on."""
    found = history(
        a_session_held("s1", on(0)),
        a_session_held("g1", on(1), care="group"),
        a_care_event("ended", on(9), therapist=None, reason="agreed"),
    )
    assert [(one.care.ref, one.closed_at, one.close_reason) for one in found.phases] == [
        ("main", on(9), "agreed"),
        ("group", None, None),
    ]
    assert [(one.ref, one.ended_at, one.end_reason) for one in found.cares] == [
        ("main", on(9), "agreed"),
        ("group", None, None),
    ]


def test_what_follows_the_end_stays_with_the_closed_phase() -> None:
    """Cancelling what was booked, a last rating, a follow-up: no new phase opens."""
    phase = the_phase(
        a_session_scheduled("s1", on(12), at=on(1)),
        a_care_event("ended", on(9)),
        a_session_cancelled("s1", at=on(9, 11)),
        a_rating(at=on(10)),
        a_session_held("s2", on(30), kind="follow_up"),
    )
    assert phase.closed_at == on(9)
    assert [session.state for session in phase.sessions] == ["cancelled", "held"]


def test_care_that_starts_again_is_a_new_phase() -> None:
    """Baselines never cross it; the course of care is open again."""
    found = history(
        a_session_held("s1", on(0)),
        a_care_event("ended", on(9)),
        a_care_event("started", on(40)),
        a_session_held("s2", on(42)),
    )
    assert [(one.opened_at, one.closed_at) for one in found.phases] == [
        (on(0, 10, 50), on(9)),
        (on(40), None),
    ]
    assert found.cares[0].ended_at is None


def test_a_new_session_after_the_end_is_a_new_phase() -> None:
    """Where nobody says that care started again, a session that is no follow-up does."""
    found = history(
        a_session_held("s1", on(0)), a_care_event("ended", on(9)), a_session_held("s2", on(42))
    )
    assert [len(phase.sessions) for phase in found.phases] == [1, 1]


def test_a_session_held_by_the_cover_belongs_to_the_covered_phase() -> None:
    """Within the absence, to the day in the clinic's own time zone; outside it does not."""
    auckland = a_clinic_configured(timezone="Pacific/Auckland")
    away = a_therapist_away("2026-01-12", "2026-01-12", cover=COVER)
    inside = a_session_held("s2", on(6, 11, 30), therapist=COVER)
    outside = a_session_held("s3", on(7, 11, 30), therapist=COVER)
    own = a_session_held("s1", on(0))
    phase = the_phase(own, inside, around=[auckland, away])
    assert (phase.therapist, len(phase.sessions)) == (THERAPIST, 2)
    assert phase.sessions[1].therapist == COVER
    found = history(own, outside, around=[auckland, away]).phases
    assert [one.therapist for one in found] == [THERAPIST, COVER]


def test_what_belongs_to_a_covered_session_goes_with_it() -> None:
    """A rating that names the cover, for the session that the cover held, opens no phase."""
    away = a_therapist_away("2026-01-12", None, cover=COVER)
    phase = the_phase(
        a_session_held("s1", on(0)),
        a_rating(at=on(8, 9), session="s2", therapist=COVER),
        a_session_held("s2", on(8), therapist=COVER),
        around=[away],
    )
    assert (phase.therapist, len(phase.ratings)) == (THERAPIST, 1)
    assert [span.reason for span in phase.away] == ["annual_leave"]


def test_a_session_of_the_cover_is_cancelled_in_the_covered_phase() -> None:
    """When it was to be counts, not when it was called off, before the absence began."""
    away = a_therapist_away("2026-01-12", "2026-01-16", cover=COVER)
    phase = the_phase(
        a_session_held("s1", on(0)),
        a_session_scheduled("s2", on(8), at=on(4), therapist=COVER),
        a_session_cancelled("s2", at=on(5), therapist=COVER),
        around=[away],
    )
    assert [one.state for one in phase.sessions] == ["held", "cancelled"]


def test_a_cover_named_before_their_session_takes_nothing_else() -> None:
    """What names nobody in between belongs to the covered therapist, whose phase it is."""
    away = a_therapist_away("2026-01-12", None, cover=COVER)
    reached = {"clinic": "elm", "by": "clinic", "reached": True}
    phase = the_phase(
        a_session_held("s1", on(0)),
        a_rating(at=on(8, 9), session="s2", therapist=COVER),
        an_event("contact.attempted", on(8, 9, 30), reached),
        a_session_held("s2", on(8), therapist=COVER),
        around=[away],
    )
    assert len(phase.facts) == 4


def test_nothing_but_an_end_makes_no_phase() -> None:
    """Where only the end of care is known, there is a course of care and no phase of nobody."""
    found = history(a_care_event("ended", on(9), therapist=None))
    assert found.phases == ()
    assert [(care.ref, care.clinic, care.ended_at) for care in found.cares] == [
        ("main", "elm", on(9))
    ]


def test_a_cover_keeps_their_own_clients() -> None:
    """Covering for somebody who never saw this client changes nothing."""
    away = a_therapist_away("2026-01-01", None, cover=COVER)
    assert phases(a_session_held("s1", on(8), therapist=COVER), around=[away]) == [
        (COVER, ["session.held"])
    ]


def test_a_session_belongs_to_whom_it_was_moved_to() -> None:
    """Its facts stay where they named their therapists; the session itself is the last one's."""
    found = history(
        a_session_scheduled("s1", on(7), at=on(1)),
        a_session_rescheduled("s1", on(8), at=on(2), to_therapist="th_eve"),
    ).phases
    assert [(one.therapist, len(one.sessions)) for one in found] == [
        (THERAPIST, 0),
        ("th_eve", 1),
    ]


def test_a_boundary_event_stays_where_it_began() -> None:
    """Assessed after a transfer, naming the new therapist, it is still of the old phase."""
    old, new = history(
        a_boundary_noted(at=on(1), severity=2),
        a_care_event("transferred", on(5), to_therapist="th_eve"),
        a_boundary_assessed(at=on(6), severity=3, therapist="th_eve"),
        a_boundary_step("acted_on", at=on(7)),
        a_boundary_step("closed", at=on(8), outcome="upheld"),
    ).phases
    (event,) = old.boundary_events
    assert new.boundary_events == ()
    assert (event.severity, event.noted_at, event.closed_at, event.outcome) == (
        3,
        on(1),
        on(8),
        "upheld",
    )
    assert event.actions == ((on(7), "supervision"),)


def test_consent_and_mergers_belong_to_no_phase() -> None:
    """They are about the client."""
    merged = an_event("client.merged", on(3), {"clinic": "elm", "into": "cl_ben"})
    found = history(a_consent("given", on(0), scope="alerts"), merged)
    assert found.phases == ()
    assert [fact.type for fact in found.others["client"]] == ["client.merged"]


def test_consent_spans_are_kept_by_scope() -> None:
    """Each scope has its latest word and the spans in which it was withdrawn."""
    found = history(
        a_consent("withdrawn", on(1), scope="alerts"),
        a_consent("given", on(3), scope="alerts"),
        a_consent("given", on(3), scope="research"),
        a_consent("withdrawn", on(5), scope="alerts"),
    )
    assert found.given == {"alerts": "withdrawn", "research": "given"}
    assert [(span.start, span.until) for span in found.withdrawn["alerts"]] == [
        (on(1), on(3)),
        (on(5), None),
    ]


def test_supervision_of_the_therapist_stands_beside_the_phase() -> None:
    """What the therapist had while the phase was open, and not before or after."""
    held = [
        an_event(
            "supervision.held",
            on(day),
            {"clinic": "elm", "therapist": THERAPIST, "topics": ["alliance"]},
            client=None,
        )
        for day in (0, 3, 9)
    ]
    phase = the_phase(a_session_held("s1", on(1)), a_care_event("ended", on(5)), around=held)
    assert [fact.occurred_at for fact in phase.supervision] == [on(3)]
