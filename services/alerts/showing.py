"""How alerts are to be shown. Pure."""

from collections.abc import Mapping, Sequence

from services.alerts.ledger import Key
from services.alerts.steps import Decided, Known
from services.alerts.store import Shown


def stale(
    organisation: str,
    alerts: Mapping[Key, Sequence[Known]],
    steps: Sequence[Decided],
    *,
    afresh: bool,
) -> list[Shown]:
    """Return alerts that take no step now but are not shown as they are: after a rebuild.

    Args:
        organisation: Whose.
        alerts: What is known of one client.
        steps: Those that are taken now.
        afresh: Whether what is shown of the client is forgotten first.
    """
    moving = {step.alert for step in steps}
    return [
        Shown(organisation, one.alert, one.number, one.body, one.concerned, hidden=False)
        for known in alerts.values()
        for one in known
        if one.alert not in moving and not one.hidden and (afresh or one.shown != one.number)
    ]


def silent(organisation: str, alerts: Mapping[Key, Sequence[Known]]) -> list[tuple[str, str]]:
    """Return the alerts of which something was not said for now, each with whose it is."""
    return [(organisation, one.alert) for known in alerts.values() for one in known if one.silent]


def shown(step: Decided) -> Shown:
    """Return an alert as it is to be shown after a step."""
    return Shown(
        step.subject.organisation,
        step.alert,
        step.number,
        step.body,
        step.concerned,
        step.hidden,
    )
