"""What an episode says that was not said yet, and whether that is news. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.alerts.alert import RANKS, peak, still_said
from services.alerts.decided import Known
from services.alerts.difference import Pair
from services.alerts.judgement import Held
from services.alerts.rule import Rule, Step
from shared.values import frozen


def historical(
    step: Step, rule: Rule, latest_recorded: datetime, history_after: timedelta
) -> bool:
    """Return whether a step became true long before it was learnt (invariant 9).

    Never against a tick: a ticker that was away makes no history.
    """
    learnt = latest_recorded
    if not step.deadline:
        learnt = max(fact.known_at for fact in step.evidence)
    if step.effective_at + history_after >= learnt:
        return False
    return not rule.always_news or all(fact.backfill for fact in step.evidence)


@frozen
class New:
    """What an episode says beside what was said of its alert.

    Attributes:
        fresh: Whether the alert opens, for the first time or again.
        rises: Whether there is a new step as urgent as any that was said.
        said: Keys of the steps that were said and still stand.
        keys: These, and those of the new ones.
        news: The step that is told, if any is.
        historical: Whether that is history.
    """

    fresh: bool
    rises: bool
    said: Sequence[str]
    keys: tuple[str, ...]
    news: Step
    historical: bool

    @property
    def moves(self) -> bool:
        """Whether anything is news in it."""
        return self.fresh or self.rises


def new_of(
    rule: Rule, pair: Pair[Held, Known], latest_recorded: datetime, history_after: timedelta
) -> New:
    """Return what an episode says that was not said of its alert.

    Args:
        rule: Whose episode it is.
        pair: The episode, and what is known of its alert.
        latest_recorded: When the client's latest fact was recorded.
        history_after: What became true longer ago than this is history.
    """
    held, known = pair.episode, pair.known
    fresh = known is None or known.retracted
    standing_keys = {step.key for step in held.steps}
    said = () if known is None or fresh else still_said(known.keys, standing_keys)
    new = [step for step in held.steps if step.key not in said]
    rises = [step for step in new if RANKS[step.urgency] >= peak(said)]
    # A late fact may put a step between those that were said: what is told is what is new.
    news = rises[-1] if rises else held.steps[-1]
    is_history = bool(known and known.body["historical"])
    if fresh or rises:
        is_history = historical(news, rule, latest_recorded, history_after)
    keys = (*said, *(step.key for step in new))
    return New(fresh, bool(rises), said, keys, news, is_history)
