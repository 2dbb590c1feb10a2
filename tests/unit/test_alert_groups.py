"""Which alerts of different clients are told together."""

from collections.abc import Sequence
from typing import Any

from services.alerts.groups import group_of
from services.alerts.judgement import Held
from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.leave_without_cover import LeaveWithoutCover
from services.alerts.rules.therapist_cancellations import TherapistCancellations
from shared.alliance.history import Phase, fold
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import ORGANISATION, THERAPIST, on
from tests.support.phases import FAR

RULE = TherapistCancellations()


def phases(client: str, envelopes: Sequence[Envelope]) -> tuple[Phase, ...]:
    """Return the phases of one client."""
    around = [one for one in envelopes if one.client is None]
    return fold(ORGANISATION, client, envelopes, around).phases


def cancelled(client: str, *days: int, **stated: Any) -> list[Envelope]:
    """Return sessions that were booked, and that the therapist cancelled the day before."""
    made: list[Envelope] = []
    for day in days:
        ref = f"{client}-{day}"
        made.append(an.a_session_scheduled(ref, on(day), client=client, **stated))
        off = an.a_session_cancelled(ref, at=on(day - 1), by="therapist", client=client, **stated)
        made.append(off)
    return made


def group(client: str, *envelopes: Envelope) -> str | None:
    """Return the group of the client's only alert of cancellations."""
    found = phases(client, envelopes)
    (episode,) = RULE.judge(found[0], RULE.defaults, FAR).episodes
    return group_of(Held(RULE, episode, RULE.defaults, episode.steps), found)


AWAY = an.a_therapist_away("2026-01-12", "2026-01-25", at=on(20), kind="sickness")


def test_alerts_of_one_absence_share_one_group() -> None:
    """Whoever's sessions an absence struck: its own source and id name the group."""
    anna, bert = cancelled("cl_anna", 7, 8), cancelled("cl_bert", 14, 17)
    one, two = group("cl_anna", *anna, AWAY), group("cl_bert", *bert, AWAY)
    assert one == two is not None


def test_the_order_of_arrival_is_nothing_to_a_group() -> None:
    """The same facts in another order are the same group."""
    anna = cancelled("cl_anna", 7, 8)
    assert group("cl_anna", *anna, AWAY) == group("cl_anna", AWAY, *reversed(anna))


def test_without_an_absence_the_week_is_the_group() -> None:
    """Sessions of one week that one therapist cancelled are one group; of another, another."""
    anna, bert = cancelled("cl_anna", 7, 8), cancelled("cl_bert", 9, 10)
    assert group("cl_anna", *anna) == group("cl_bert", *bert) is not None
    assert group("cl_carl", *cancelled("cl_carl", 14, 15)) != group("cl_anna", *anna)
    other = cancelled("cl_dora", 7, 8, therapist="th_other")
    assert group("cl_dora", *other) != group("cl_anna", *anna)


def test_another_organisations_absence_is_another_group() -> None:
    """A group never joins organisations, or absences under another source."""
    anna = cancelled("cl_anna", 7, 8)
    elsewhere = an.a_therapist_away("2026-01-12", "2026-01-25", at=on(20), id="another")
    assert group("cl_anna", *anna, AWAY) != group("cl_anna", *anna, elsewhere)


def test_two_announcements_of_one_absence_are_one_group() -> None:
    """The one that was announced first names it, whichever came first."""
    anna = cancelled("cl_anna", 7, 8)
    again = an.a_therapist_away("2026-01-12", "2026-01-18", at=on(21), id="again")
    assert group("cl_anna", *anna, again, AWAY) == group("cl_anna", *anna, AWAY)


def test_what_the_client_says_is_told_alone() -> None:
    """Ratings of several clients that fall in one week are each a matter of its own."""
    rule = AllianceDrop()
    ratings = [an.a_rating(n, at=on(7 * at)) for at, n in enumerate((37, 36.5, 37.5, 37, 37, 28))]
    found = phases(an.CLIENT, ratings)
    (episode,) = rule.judge(found[0], rule.defaults, FAR).episodes
    assert found[0].therapist == THERAPIST
    assert group_of(Held(rule, episode, rule.defaults, episode.steps), found) is None


def test_a_long_absence_is_the_group_of_everybody_it_leaves_alone() -> None:
    """Leadership is told once of an absence without cover, however many clients it concerns."""
    rule = LeaveWithoutCover()
    found: list[str | None] = []
    for client in ("cl_anna", "cl_bert"):
        begun = an.a_care_event("started", on(0), agreed_interval_days=5, client=client)
        theirs = phases(client, [begun, AWAY])
        (episode,) = rule.judge(theirs[0], rule.defaults, FAR).episodes
        found.append(group_of(Held(rule, episode, rule.defaults, episode.steps), theirs))
    assert found == [group("cl_carl", *cancelled("cl_carl", 7, 8), AWAY)] * 2
