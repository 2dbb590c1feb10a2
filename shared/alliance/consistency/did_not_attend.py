"""How many of the sessions at which the client was awaited the client missed. Pure."""

from datetime import datetime

from shared.alliance.attendance import latest
from shared.alliance.consistency.measure import Figure, Measure, Settings, not_analysable
from shared.alliance.things import Phase

_WINDOW = "every session of the phase that was held, or missed by the client"
_TOO_LATE = "arrived_too_late"


def _figure(phase: Phase, _at: datetime, _settings: Settings) -> Figure:
    """Return missed by client ÷ (held + missed by client); shown, never a therapist's lapse.

    Who came too late to be seen came: such a session is on neither side of the line, and its
    number stands beside (domain.md section 3).
    """
    decided = latest(phase, len(phase.sessions))
    held = sum(one.session.state == "held" for one in decided)
    missed = [one for one in decided if one.session.state == "missed" and one.by_client]
    counted = [one for one in missed if one.session.reason != _TOO_LATE]
    too_late = len(missed) - len(counted)
    left_out = {_TOO_LATE: too_late} if too_late else {}
    of = held + len(counted)
    if not of:
        return not_analysable("no session was held or missed by the client", _WINDOW, left_out)
    return Figure(
        says=f"{len(counted)} of {of} sessions were missed by the client",
        window=_WINDOW,
        value=len(counted) / of,
        numerator=len(counted),
        denominator=of,
        events=[one.fact for one in counted],
        not_counted=left_out,
        numbers={"held": held},
    )


DID_NOT_ATTEND = Measure(
    name="did_not_attend",
    title="Sessions missed by the client",
    unit="share of sessions",
    definition="missed by the client ÷ (held + missed by the client); who arrived too late to be "
    "seen is on neither side. An indicator, not a lapse of anybody's",
    limit="",
    defaults={},
    figure=_figure,
)
