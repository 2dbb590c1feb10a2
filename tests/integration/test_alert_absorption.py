"""A combined alert and its parts: one notice, and nothing that should be told is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.alerts.absorbing import PEERS, of_peer
from services.alerts.judgement import Held
from services.alerts.rules import COMBINED_RULES, RULES
from services.alerts.rules.alliance_decline import AllianceDecline
from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.alliance_out_of_control import AllianceOutOfControl
from services.alerts.rules.dropout_risk import DropoutRisk
from services.alerts.rules.high_then_falling import HighThenFalling
from services.alerts.rules.therapist_cancellations import TherapistCancellations
from shared.alliance.things import Clinic
from shared.envelope import Envelope
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.events import on
from tests.support.phases import judged

DROP, CANCELLED, BOTH = "alliance-drop", "therapist-cancellations", "dropout-risk"
USUAL = (37, 36.5, 37.5, 37, 36.8)


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with a combined rule and two of its parts, and somebody who is told."""
    rules = (TherapistCancellations(), AllianceDrop(), DropoutRisk())
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=rules)
        made.a_recipient("boss")
        made.arm("sessions", "ratings")
        made.tell(*(an.a_rating(total, at=on(7 * n)) for n, total in enumerate(USUAL)))
        yield made
        made.close()


def a_drop(day: float = 35) -> Envelope:
    """Return a rating far below the others."""
    return an.a_rating(28, at=on(day))


def called_off(*days: float) -> list[Envelope]:
    """Return sessions that the therapist cancelled."""
    return [an.a_session_cancelled(f"c{day}", at=on(day), by="therapist") for day in days]


def told(world: AlertsWorld) -> list[tuple[str, str]]:
    """Return rule and kind of every step that the recipient is told of, in order."""
    rules = {one["id"]: one["rule"] for one in world.shown()}
    with world.db.read() as db:
        rows = db.exec_driver_sql(
            "SELECT l.alert, l.step FROM ledger l JOIN ledger_steps s ON s.alert = l.alert "
            "AND s.number = l.number WHERE l.channel = 'webhook' AND l.recipient <> '' "
            "ORDER BY s.decided_at, l.step"
        ).all()
    return [(rules[alert], step.partition(":")[0]) for alert, step in rows]


def by_rule(world: AlertsWorld) -> dict[str, Any]:
    """Return the alerts that are shown, by rule."""
    return {one["rule"]: one for one in world.shown()}


def test_one_notice_tells_of_both(world: AlertsWorld) -> None:
    """Told before, a part stays told; the other is shown, and told by the combined alert."""
    world.tell(a_drop(), *called_off(36, 37))
    world.tell(*called_off(38))
    shown = by_rule(world)
    assert set(shown) == {DROP, CANCELLED, BOTH}
    assert shown[CANCELLED]["absorbed_by"] == shown[BOTH]["id"]
    assert [rule for rule, _ in told(world) if rule == CANCELLED] == []
    assert (BOTH, "opened") in told(world)


def test_what_was_told_before_stays_told(world: AlertsWorld) -> None:
    """A part that somebody knows of says nothing about having been absorbed."""
    world.tell(a_drop())
    world.tell(*called_off(36, 37))
    assert told(world) == [(DROP, "opened"), (BOTH, "opened")]
    assert "absorbed_by" not in by_rule(world)[DROP]


def test_what_still_holds_is_told_when_the_combined_one_is_taken_back(world: AlertsWorld) -> None:
    """A correction voids one part: the other, which was absorbed, is told then, once."""
    off = called_off(33, 34)
    world.tell(*off)
    world.tell(a_drop())
    assert told(world) == [(CANCELLED, "opened"), (BOTH, "opened")]
    world.tell(an.a_retraction(off[0], at=on(36)))
    assert (DROP, "opened") in told(world)
    assert by_rule(world)[BOTH]["state"] == "retracted"
    assert "absorbed_by" not in by_rule(world)[DROP]
    before = told(world)
    world.tick(1)
    assert told(world) == before


def test_what_is_over_is_not_told_any_more(world: AlertsWorld) -> None:
    """A part that cleared before the combined alert was taken back is told to nobody."""
    off = called_off(33, 34)
    world.tell(*off)
    world.tell(a_drop(), an.a_rating(37, at=on(42)), an.a_rating(37, at=on(49)))
    world.tell(an.a_retraction(off[0], at=on(50)))
    assert DROP not in [rule for rule, _ in told(world)]


def test_a_part_that_becomes_urgent_is_told_by_the_combined_one(world: AlertsWorld) -> None:
    """Urgent is said at once, and once: the combined alert escalates with its part."""
    world.tell(a_drop())
    world.tell(*called_off(36, 37))
    world.tell(*called_off(38))
    assert by_rule(world)[BOTH]["urgency"] == "urgent"
    assert told(world) == [(DROP, "opened"), (BOTH, "opened"), (BOTH, "escalated")]


def test_read_again_it_takes_no_step(world: AlertsWorld) -> None:
    """The stream read again says nothing twice, and shows the same."""
    world.tell(a_drop())
    world.tell(*called_off(36, 37, 38))
    before = (world.ledger(), world.shown())
    world.begun_again()
    world.settle()
    assert (world.ledger(), world.shown()) == before


def test_in_any_order_the_same_episodes(world: AlertsWorld) -> None:
    """Lapse before decline or decline before lapse: what holds is the same."""
    world.tell(a_drop(), *called_off(36, 37))
    world.tell(*called_off(36, 37), an.a_rating(28, at=on(35), client="cl_bert"))
    usual = (an.a_rating(t, at=on(7 * n), client="cl_bert") for n, t in enumerate(USUAL))
    off = (an.a_session_cancelled(f"c{day}", at=on(day), by="therapist", client="cl_bert")
           for day in (37, 36))  # fmt: skip
    world.tell(*off, *usual)
    mine = [(one["rule"], one["effective_at"]) for one in world.episodes(an.CLIENT)]
    theirs = [(one["rule"], one["effective_at"]) for one in world.episodes("cl_bert")]
    assert mine == theirs
    assert BOTH in {rule for rule, _ in mine}


def test_four_weeks_apart_is_together_and_a_day_more_is_not(world: AlertsWorld) -> None:
    """A lapse that is over counts for 28 days before the decline."""
    off = [*called_off(1, 6), *(an.a_session_held(f"h{day}", on(day)) for day in range(7, 15))]
    world.tell(*off, an.a_rating(28, at=on(34)))
    assert BOTH in by_rule(world)
    late = [an.a_session_cancelled(f"c{day}", at=on(day), by="therapist", client="cl_bert")
            for day in (1, 5)]  # fmt: skip
    held = [an.a_session_held(f"h{day}", on(day), client="cl_bert") for day in range(7, 15)]
    usual = [an.a_rating(t, at=on(7 * n), client="cl_bert") for n, t in enumerate(USUAL)]
    world.tell(*late, *held, *usual, an.a_rating(28, at=on(34), client="cl_bert"))
    assert BOTH not in {one["rule"] for one in world.shown() if one["client"] == "cl_bert"}


def test_whom_a_part_tells_the_combined_alert_tells_too() -> None:
    """Nobody who would have been told of a part is left out."""
    every = {rule.name: rule for rule in RULES}
    for combined in COMBINED_RULES:
        for name in combined.parts:
            for urgency in ("attention", "urgent"):
                assert set(every[name].tell.get(urgency, ())) <= set(combined.tell[urgency])


def test_one_fall_is_told_once(db: Database, tmp_path: Path) -> None:
    """Two rules that see the same fall, and tell the same people, are one notice."""
    world = AlertsWorld(db, tmp_path, rules=(AllianceOutOfControl(), HighThenFalling()))
    world.a_recipient("boss", role="supervisor")
    world.arm("ratings")
    world.tell(*(an.a_rating(total, at=on(7 * n)) for n, total in enumerate((*USUAL, 28))))
    world.tell(an.a_rating(27, at=on(42)))
    world.tell(an.a_rating(27, at=on(49)))
    shown = by_rule(world)
    assert len(shown) == 2
    assert [step for _, step in told(world)] == ["opened"]
    (first,) = [one for one in shown.values() if "absorbed_by" not in one]
    assert {one.get("absorbed_by") for one in shown.values()} == {None, first["id"]}
    world.close()


def test_who_is_told_by_one_rule_alone_is_told() -> None:
    """A rule that tells others too is not absorbed by one that does not."""
    (episode,) = judged(AllianceDrop(), *(
        an.a_rating(total, at=on(7 * n)) for n, total in enumerate((*USUAL, 28))
    )).episodes  # fmt: skip
    drop = Held(AllianceDrop(), episode, {}, episode.steps)
    narrow = of_peer("a", AllianceOutOfControl(), on(30), None, Clinic("elm"))
    assert not narrow.absorbs(drop, episode.steps[-1])
    assert of_peer("a", AllianceDecline(), on(30), None, Clinic("elm")).absorbs(
        drop, episode.steps[-1]
    )


def test_peers_are_never_urgent() -> None:
    """An urgent step is never told by an alert that is none."""
    assert all("urgent" not in rule.tell for rule in RULES if rule.name in PEERS)
