"""What becomes of the steps that a judgement decides: told, only seen, or settled.

The watcher judges the same whoever it judges for. What serves writes its steps into the ledger,
with whom each is to be told to. What is built beside it is silent: it writes nothing there, and
shows in tables of its own what it would come to. When it takes over, what it holds otherwise than
the ledger is settled: kept as a matter of record, told to nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from services.alerts import ledger, standing_in, taking_back
from services.alerts.alert import RANKS
from services.alerts.alone import alone
from services.alerts.latest import readers
from services.alerts.ledger import Entries, Entry
from services.alerts.shares import Shares
from services.alerts.steps import Decided
from shared import metrics
from shared.clock import to_micros
from shared.storage.accounts import Recipient
from shared.storage.generations import State

KEPT_AT_ONCE: Final = 500
"""Own: one fact can open alerts for all clients of a clinic, and a row is as large as its step."""


class Voice(Protocol):
    """What becomes of steps.

    Attributes:
        states: The generation that is judged for must be in one of them.
        aloud: Whether the ledger is written: then it also says how far was judged.
    """

    states: tuple[State, ...]
    aloud: bool

    def keep(self, db: Connection, steps: Sequence[Decided]) -> Sequence[Decided]:
        """Do with steps what is to be done; return them as they are to be shown."""


class Aloud:
    """Of the generation that serves: steps are kept, and told."""

    states: tuple[State, ...] = ("active",)
    aloud = True

    def __init__(self, recipients: Callable[[str], Sequence[Recipient]]) -> None:
        """Tell nobody yet; ``recipients``: organisation → everybody who is told there."""
        self._recipients = recipients

    def keep(self, db: Connection, steps: Sequence[Decided]) -> Sequence[Decided]:
        """Write steps into the ledger, and whom each is to be told to."""
        shares = Shares(db)
        ordered = sorted(steps, key=_in_turn)
        # What is taken back tells of nothing any more, also not of others of its group.
        back = [one for one in ordered if one.telling == "correction"]
        meanwhile = states(steps)
        self._keep(db, [(one, self._corrected(db, one, meanwhile)) for one in back])
        rest = [one for one in ordered if one.telling != "correction"]
        for start in range(0, len(rest), KEPT_AT_ONCE):
            some = rest[start : start + KEPT_AT_ONCE]
            self._keep(db, [(one, self._entries(db, one, shares)) for one in some])
        return steps

    def _keep(self, db: Connection, kept: Sequence[tuple[Decided, Entries]]) -> None:
        ledger.keep(db, kept)
        for step, entries in kept:
            taking_back.overtake(db, step, entries)
            if step.body["family"] != metrics.KEPT_QUIET:
                metrics.ALERT_STEPS.labels(step.body["family"], step.kind).inc()

    def _corrected(self, db: Connection, step: Decided, meanwhile: Mapping[str, str]) -> Entries:
        told = taking_back.to_correct(db, step)
        whose = step.subject.organisation
        taking_back.speak_for_themselves(db, whose, step.alert, meanwhile=meanwhile)
        entry = Entry(ledger.HUSHED if step.muted else ledger.PENDING)
        return _on_the_stream(step) | {(ledger.WEBHOOK, one): entry for one in told}

    def _entries(self, db: Connection, step: Decided, shares: Shares) -> Entries:
        found = _on_the_stream(step)
        organisation = step.subject.organisation
        if step.telling == "history" and step.body["state"] != "resolved":
            found[ledger.SUMMARY, ledger.NOBODY] = _waiting(step, ledger.WAITING)
        elif step.telling == "quiet":
            found[ledger.SUMMARY, ledger.NOBODY] = _waiting(step, ledger.QUIET)
        elif step.telling == "news":
            people, clinics = self._recipients(organisation), step.subject.clinics
            who = readers(people, step.body, clinics, step.concerned)
            found |= {(ledger.WEBHOOK, one): shares.entry(step, one) for one in who.recipients}
            if not who.recipients:
                found[ledger.WEBHOOK, ledger.NOBODY] = Entry(who.outcome)
        elif step.telling == "instead":
            standing_in.tell(db, step, self._recipients(organisation))
        return found


def _on_the_stream(step: Decided) -> dict[tuple[str, str], Entry]:
    return {(ledger.STREAM, ledger.NOBODY): Entry(ledger.PENDING, group=step.body.get("group"))}


def _waiting(step: Decided, status: str) -> Entry:
    """Return what waits for a message of many, unless nobody is to be told."""
    until = step.terms.quiet_until
    return Entry(
        ledger.HUSHED if step.muted else status,
        due_at=None if until is None else to_micros(until),
    )


def states(steps: Sequence[Decided]) -> dict[str, str]:
    """Return alert → its state after the steps that are decided together."""
    return {step.alert: step.body["state"] for step in steps}


def _in_turn(step: Decided) -> tuple[Any, ...]:
    """Order steps that are decided together by what they say.

    The first have the day's places, and speak for their groups: the most urgent ones.
    """
    latest = max((one["occurred_at"] for one in step.body["evidence"]), default="")
    urgency, rule = RANKS[step.body["urgency"]], step.body["rule"]
    return (-urgency, step.decided_at, step.effective_at, latest, rule, step.subject.client)


class Silent:
    """Of a generation that is built, or was kept: nothing is written, everything is shown."""

    states: tuple[State, ...] = ("building", "previous")
    aloud = False

    def keep(self, db: Connection, steps: Sequence[Decided]) -> Sequence[Decided]:
        """Write nothing."""
        del db
        return steps


class Settling:
    """Of a generation that takes over: what the ledger does not hold yet is settled."""

    states: tuple[State, ...] = ("building", "previous")
    aloud = False

    def __init__(self, recipients: Callable[[str], Sequence[Recipient]]) -> None:
        """Settle nothing yet; ``recipients``: organisation → everybody who is told there."""
        self._recipients = recipients
        self.settled = 0

    def keep(self, db: Connection, steps: Sequence[Decided]) -> Sequence[Decided]:
        """Write steps into the ledger; they go onto the topic of alerts, and to no recipient.

        Who was not told yet of an alert that is taken back is not told of it any more. Where one
        turns out to concern everybody who was told of it, whoever stands in is told what was.
        """
        found, meanwhile = [_settled(step) for step in steps], states(steps)
        for organisation in sorted({step.subject.organisation for step in steps}):
            alone(db, organisation)
        for step in steps:
            if step.telling == "correction":
                told = taking_back.to_correct(db, step)
                whose = step.subject.organisation
                taking_back.speak_for_themselves(
                    db, whose, step.alert, but=told, meanwhile=meanwhile
                )
            elif step.telling == "instead":
                standing_in.tell(db, step, self._recipients(step.subject.organisation))
            taking_back.overtake(db, step, {})
        ledger.keep(db, [(step, _to_nobody(step)) for step in found])
        self.settled += len(found)
        return found


def _to_nobody(step: Decided) -> Entries:
    return _on_the_stream(step) | {(ledger.WEBHOOK, ledger.NOBODY): Entry(ledger.SETTLED)}


def _settled(step: Decided) -> Decided:
    """Return a step that says of itself that it is no news."""
    history = [
        {**entry, "settled": True} if entry.get("id") == step.id else entry
        for entry in step.body["history"]
    ]
    body = {**step.body, "settled": True, "history": history}
    return replace(step, body=body, telling="nobody")
