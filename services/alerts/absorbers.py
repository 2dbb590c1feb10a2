"""Which alerts of a client tell of others, and absorb them: those that were news. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from services.alerts.absorbing import PEERS, Absorbing, of_peer
from services.alerts.alert import delivered
from services.alerts.decided import Known
from services.alerts.difference import overlap
from services.alerts.judgement import Held
from services.alerts.rule import CombinedRule, Rule
from services.alerts.steps import Outcome
from shared.alliance.calendar import days_from
from shared.alliance.things import Clinic

COMBINED: Final = "combined"
"""The family of rules that are judged from the episodes of others."""


def absorbing_now(
    rule: Rule, known: Sequence[Known], outcome: Outcome, clinic: Clinic
) -> Iterator[Absorbing]:
    """Yield the alerts that tell of others, and that people were told of, or are now."""
    news = {step.alert for step in outcome.steps if step.telling in ("news", "quiet")}
    if rule.family != COMBINED:
        for alert, one in outcome.alerts:
            if alert in news:
                yield of_peer(alert, rule, one.effective_at, one.cleared_at, clinic)
        return
    combined = cast(CombinedRule, rule)
    news |= {one.alert for one in known if _was_news(one)}
    for alert, one in outcome.alerts:
        if alert in news:
            reaches = days_from(clinic, one.effective_at, -one.settings["within_days"])
            tell = frozenset(rule.tell[one.episode.urgency])
            parts = frozenset(combined.parts)
            yield Absorbing(alert, parts, tell, one.effective_at, one.cleared_at, reaches)


def _was_news(known: Known) -> bool:
    """Return whether an alert was told, or would have been had there been anybody to tell.

    Whom there is to tell is no matter of what is told: else the same facts, judged again, would
    come to another alert that tells of them. Nor is whether the client wants it told just then.
    """
    body = known.body
    if body["historical"]:
        return False
    return known.told or (delivered(body["urgency"]) and not body.get("absorbed_by"))


def peers_told(
    rule: Rule, held: Sequence[Held], known: Sequence[Known], clinic: Clinic
) -> Iterator[Absorbing]:
    """Yield the alerts of a rule among peers that people were told of before, and that hold."""
    if rule.name not in PEERS:
        return
    for one in known:
        if _was_news(one) and not one.retracted:
            yield from (
                of_peer(one.alert, rule, episode.effective_at, episode.cleared_at, clinic)
                for episode in held
                if episode.steps and overlap(one, episode)
            )
