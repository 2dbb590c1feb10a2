"""The steps of an alert: the last one that is known, and one that is taken now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from services.alerts.alert import Kind, Subject
from shared import ids
from shared.values import frozen

SOURCE: Final = "urn:rapport:alerts"
"""The CloudEvents source of what this service writes."""

Telling = Literal["news", "history", "quiet", "correction", "instead", "nobody"]
"""``news`` is told; ``history``, and what a clinic's ``quiet`` start holds back, waits in the
ledger; ``correction`` is told to who was told. With ``instead`` others are told of what was told
already, where it concerns everybody who was."""


@frozen
class Terms:
    """How people are told at a clinic, by the settings of ``delivery`` there.

    Attributes:
        daily_cap: So many notices that are not urgent a recipient gets on a day of the clinic's
            calendar; the rest come in one digest when it is over.
        quiet_until: Until when nobody is told, but of what cannot wait; None: nothing is quiet.
    """

    daily_cap: int
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as the record of its steps has it: the last step, and what led to it.

    Attributes:
        first: Orders alerts by when they were opened.
        number: How many steps it has taken.
        round: How often it was opened: again after it was retracted.
        keys: The steps of its episode that were said in this round.
        opened_at: When it was opened for the first time, as the stream knew the time.
        escalated_at: When it was last opened or escalated, as the stream knew the time.
        told: Whether anybody was told of it, or has acted on it, or written a note on it.
        silent: Whether something was not said of it for now.
        concerned: The staff whom it concerned in any of its steps.
        hidden: True where it vanished.
        shown: The number of the step that is shown; 0 where none is.
    """

    alert: str
    first: int
    number: int
    round: int
    kind: Kind
    keys: tuple[str, ...]
    effective_at: datetime
    cleared_at: datetime | None
    opened_at: datetime
    escalated_at: datetime
    told: bool
    silent: bool
    concerned: frozenset[str]
    body: Mapping[str, Any]
    hidden: bool
    shown: int

    def known_to_somebody(self) -> "Known":
        """Return the same, told: whoever acted on it knows of it."""
        return replace(self, told=True)

    @property
    def retracted(self) -> bool:
        """Whether it was taken back."""
        return bool(self.body["state"] == "retracted")


@dataclass(frozen=True, slots=True)
class Decided:
    """One step of an alert, ready to be kept.

    Attributes:
        key: What names an opened or escalated step; empty for the others.
        hidden: True for one that vanishes: nobody knew of it, so the list forgets it.
        decided_at: The present, as the stream knew it.
        opened_at: The same, when the alert was opened for the first time.
        terms: How people are told where it was decided.
        muted: True while the client wants nobody told: it is said when they do again.
    """

    subject: Subject
    alert: str
    number: int
    round: int
    kind: Kind
    key: str
    keys: tuple[str, ...]
    effective_at: datetime
    cleared_at: datetime | None
    decided_at: datetime
    opened_at: datetime
    escalated_at: datetime
    concerned: frozenset[str]
    body: Mapping[str, Any]
    telling: Telling
    terms: Terms
    hidden: bool = False
    muted: bool = False

    @property
    def step(self) -> str:
        """What names the step within its alert: for what is told, equal whenever it is told."""
        if self.kind in ("opened", "escalated"):
            return f"{self.kind}:{self.round}:{self.key}"
        return f"{self.kind}:{self.round if self.kind == 'retracted' else self.number}"

    @property
    def id(self) -> str:
        """The step's id everywhere: ``ce_id`` on the topic, ``webhook-id`` to recipients."""
        return ids.event_id(
            self.subject.organisation, self.subject.client, SOURCE, f"{self.alert}/{self.step}"
        )
