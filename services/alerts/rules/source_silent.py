"""A source has sent nothing for longer than its limit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.alerts.example import Example, resumed, silent
from services.alerts.rule import Audience, Episode, Family, Step, Urgency, Verdict
from services.alerts.silence import Silence
from shared import ids
from shared.alliance.history import Phase
from shared.alliance.wording import counted
from shared.clock import format_time

TITLE: Final = "A source has sent nothing for longer than its limit"


class SourceSilent:
    """Tell when a source has sent nothing for longer than its limit.

    What is missing then is not read as a lapse: deadlines that wait for its facts wait on.
    Needs no arming: the limit was given when the source was made (silent_after_hours); 96
    hours, where nothing was said, are own, not validated.
    """

    name = "source-silent"
    version = 1
    family: Family = "feed"
    title = TITLE
    needs: frozenset[str] = frozenset()
    reads = frozenset({"feed.silent", "feed.resumed"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("operations", "leadership")}
    next_steps: tuple[str, ...] = (
        "Ask whoever runs the sending system whether it still sends, and to which address.",
        "Until it speaks again, read no gap in its clinics as a lapse.",
    )
    defaults: Mapping[str, Any] = {}
    always_news = False
    example: Example = (silent(0), resumed(2))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Say nothing: a feed is nobody's phase."""
        return Verdict(())

    def judge_feed(self, organisation: str, silences: Sequence[Silence]) -> Verdict:
        """Return one episode per silence; it clears when the source speaks again."""
        return Verdict(tuple(self._episode(organisation, silence) for silence in silences))

    def _episode(self, organisation: str, silence: Silence) -> Episode:
        since, n = silence.since, len(silence.clinics)
        step = Step(
            key="attention",
            urgency="attention",
            effective_at=since,
            known_at=silence.known_at,
            evidence=silence.facts[:1],
            explanation=(
                f"The limit of this source passed at {_said(since)}, and nothing has come from it"
                f" since; deadlines in {counted(n, 'clinic')} wait until it speaks again."
                if silence.resumed_at is None
                else f"The limit of this source passed at {_said(since)}; it spoke again at"
                f" {_said(silence.resumed_at)}."
            ),
            numbers={"clinics": n},
            not_counted={},
        )
        return Episode(
            id=ids.derived_id(
                "episode", organisation, silence.source, "", "", self.name, format_time(since)
            ),
            rule=self.name,
            effective_at=since,
            known_at=silence.known_at,
            cleared_at=silence.resumed_at,
            title=self.title,
            steps=(step,),
        )


def _said(moment: datetime) -> str:
    """Return a moment as people read it; whom it concerns may be in several zones."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
