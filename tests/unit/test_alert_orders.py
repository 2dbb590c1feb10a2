"""Arming and settings of a rule at a clinic."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.alerts.orders import (
    BEGINNING,
    DELIVERY,
    DELIVERY_DEFAULTS,
    Order,
    along,
    orders,
)
from services.alerts.seen import WORDS
from shared.alliance.reading import Fact, standing
from shared.alliance.settings import settings_of
from tests.support import events as an
from tests.support.alert_rules import Cancelled

RULE = Cancelled()


def facts(*envelopes: Any) -> tuple[Fact, ...]:
    """Return what stands."""
    return standing(envelopes).facts


def configured(day: float, **data: Any) -> Any:
    """Return a ``rule.configured`` of the rule; for all clinics unless one is named."""
    return an.an_event("rule.configured", an.on(day), {"rule": RULE.name, **data}, client=None)


def sending(day: float, *sends: str) -> Any:
    """Return a clinic's word on what it sends."""
    return an.a_clinic_configured(at=an.on(day), sends=list(sends))


def modes(found: tuple[Order, ...]) -> list[str]:
    """Return the modes in time."""
    return [order.mode for order in found]


def test_nothing_arms_a_rule_but_a_word() -> None:
    """Never sent is not never happened: an unconfigured clinic has no orders at all."""
    assert orders(RULE, an.CLINIC, ()) == ()
    assert orders(RULE, an.CLINIC, facts(sending(1, "ratings"))) == ()


def test_once_armed_it_judges_the_whole_life() -> None:
    """Arming decides whether, not from when."""
    found = orders(RULE, an.CLINIC, facts(sending(5, "sessions")))
    assert modes(found) == ["on"]
    assert found[0].since < an.on(-1000)


def test_enabled_arms_and_false_switches_off_from_its_time() -> None:
    """What began before stays judged; nothing begins while it is off."""
    found = orders(
        RULE, an.CLINIC, facts(configured(1, enabled=True), configured(5, enabled=False))
    )
    assert [(order.mode, order.since) for order in found][1:] == [("off", an.on(5))]
    assert modes(orders(RULE, an.CLINIC, facts(configured(1, enabled=False)))) == ["off"]


def test_switched_off_beats_what_is_sent() -> None:
    """A clinic that sends sessions does not arm a rule that was switched off."""
    found = orders(RULE, an.CLINIC, facts(sending(1, "sessions"), configured(2, enabled=False)))
    assert modes(found) == ["on", "off"]


def test_what_was_seen_arms_as_well() -> None:
    """Words that were seen count like words that were sent."""
    assert modes(orders(RULE, an.CLINIC, (), frozenset({"sessions"}))) == ["on"]


def test_settings_apply_from_their_time_and_the_clinics_own_win() -> None:
    """Each setting is the clinic's own latest, else everybody's latest, else the default."""
    found = orders(
        RULE,
        an.CLINIC,
        facts(
            sending(0, "sessions"),
            configured(1, settings={"attention": 2}, clinic=an.CLINIC),
            configured(2, settings={"attention": 9, "urgent": 9}),
            configured(3, settings={"attention": 7}, clinic="oak"),
            configured(4, settings={"no_such_setting": 1}),
        ),
    )
    assert [(dict(order.settings), order.since) for order in found[1:]] == [
        ({"attention": 2, "urgent": 3}, an.on(1)),
        ({"attention": 2, "urgent": 9}, an.on(2)),
    ]


@pytest.mark.parametrize(
    ("name", "value", "heard"),
    [
        ("attention", 8, 8),
        ("attention", 8.0, 8),
        ("attention", 2.5, 1),
        ("attention", "eight", 1),
        ("attention", True, 1),
        ("attention", -1, 1),
        ("attention", [2], 1),
        ("attention", 1e12, 1),
        ("gap_ratio", 2, 2),
        ("gap_ratio", 1e300, 1.5),
        ("grace_hours", 1.5, 1.5),
        ("grace_hours", None, 48),
        ("working_days", 2.5, 2),
    ],
)
def test_what_no_rule_can_compute_with_is_not_heard(name: str, value: Any, heard: Any) -> None:
    """A setting of another kind, below zero or beyond any calendar leaves the default."""

    class Settable(Cancelled):
        """A rule with settings of every kind."""

        defaults: Mapping[str, Any] = {
            "attention": 1, "gap_ratio": 1.5, "grace_hours": 48, "working_days": 2,
        }  # fmt: skip

    said = facts(sending(0, "sessions"), configured(1, settings={name: value}))
    last = orders(Settable(), an.CLINIC, said)[-1].settings
    assert last[name] == heard
    assert isinstance(last[name], type(heard))


def test_orders_follow_what_moves_between_clinics() -> None:
    """Each clinic's orders hold while it was there; where nothing was said it is off."""
    here = (Order(BEGINNING, "on", {}), Order(an.on(4), "shadow", {}))
    moved = along([(BEGINNING, here), (an.on(6), ()), (an.on(9), here)])
    assert [(order.mode, order.since) for order in moved] == [
        ("on", BEGINNING),
        ("shadow", an.on(4)),
        ("off", an.on(6)),
        ("shadow", an.on(9)),
    ]
    assert along([(BEGINNING, ()), (an.on(1), (Order(BEGINNING, "off", {}),))]) == ()


def test_shadow_is_a_mode() -> None:
    """Shadow judges, and nobody is told."""
    found = orders(RULE, an.CLINIC, facts(sending(0, "sessions"), configured(1, shadow=True)))
    assert modes(found) == ["on", "shadow"]


def test_how_alerts_are_told_is_set_like_a_rule() -> None:
    """``delivery`` is never armed; its settings hold by clinic all the same."""
    said = facts(
        an.an_event(
            "rule.configured",
            an.on(1),
            {"rule": "delivery", "clinic": an.CLINIC, "settings": {"history_after_days": 3}},
            client=None,
        )
    )
    name = "history_after_days"
    assert settings_of(DELIVERY, DELIVERY_DEFAULTS, an.CLINIC, said)[name] == 3
    assert settings_of(DELIVERY, DELIVERY_DEFAULTS, "oak", said)[name] == 14


def test_every_word_of_sends_can_be_seen() -> None:
    """For each word that a clinic may send there is at least one type that speaks for it."""
    assert dict(WORDS) == {
        "session.scheduled": "sessions",
        "session.rescheduled": "sessions",
        "session.cancelled": "sessions",
        "session.missed": "sessions",
        "session.held": "sessions",
        "rating.given": "ratings",
        "rating.skipped": "ratings",
        "boundary.noted": "boundary",
        "boundary.assessed": "boundary",
        "boundary.acted_on": "boundary",
        "boundary.closed": "boundary",
        "boundary.reopened": "boundary",
        "goal.agreed": "goals",
        "goal.rated": "goals",
        "goal.closed": "goals",
        "plan.reviewed": "plan",
        "assignment.set": "plan",
        "assignment.completed": "plan",
        "setback.noted": "plan",
        "relapse_plan.agreed": "plan",
        "contact.attempted": "contacts",
        "supervision.held": "supervision",
        "therapist.away": "leave",
    }
