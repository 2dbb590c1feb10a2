"""How long a client waited for a first session in a course of care. Pure."""

from collections.abc import Sequence
from datetime import datetime

from shared.alliance.reading import Fact
from shared.alliance.things import Care, Session
from shared.clock import parse_time
from shared.values import frozen


@frozen
class Wait:
    """From a referral to the first session that was held after it, with whomever.

    Attributes:
        since: The referral.
        fact: What says so.
        end: When the session began, or care ended; None while it lasts.
    """

    since: datetime
    fact: Fact
    end: datetime | None


def waits(care: Care) -> Sequence[Wait]:
    """Return every wait of a course of care, in time; one of which the end is unknown is left out.

    An assessment ends none (NHS Talking Therapies: to the first treatment). A first session that
    is said to be a later one than the first came after others that were never told.
    """
    found: list[Wait] = []
    sessions = [one for one in care.held if one.kind != "assessment"]
    current: tuple[datetime, Fact] | None = None
    for fact in care.facts:
        current = _ended_by(current, sessions, fact.occurred_at, found)
        if fact.type == "care.ended" and current is not None:
            found.append(Wait(*current, fact.occurred_at))
            current = None
        elif fact.type == "care.referred":
            current = current or (fact.occurred_at, fact)
        elif fact.type == "care.started" and fact.data.get("referred_at") is not None:
            since = parse_time(fact.data["referred_at"])
            if current is not None or not any(since <= _began(one) for one in care.held
                                              if _began(one) <= fact.occurred_at):  # fmt: skip
                current = (since, fact)
    current = _ended_by(current, sessions, None, found)
    if current is not None:
        found.append(Wait(*current, None))
    return found


def _ended_by(
    current: tuple[datetime, Fact] | None,
    sessions: Sequence[Session],
    before: datetime | None,
    found: list[Wait],
) -> tuple[datetime, Fact] | None:
    """Close a wait with the first session after it, if one was held by then."""
    if current is None:
        return None
    first = next((one for one in sessions if _began(one) >= current[0]), None)
    if first is None or (before is not None and _began(first) > before):
        return current
    if (first.session_number or 1) == 1:
        found.append(Wait(*current, _began(first)))
    return None


def _began(session: Session) -> datetime:
    return session.started_at or session.state_at
