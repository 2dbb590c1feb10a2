"""Is the result what a run without any fault gives? (Invariants 2 and 3.)

The same journal goes into a clean embedded installation in this process, each organisation into
one of its own; opaque ids are mapped back to what they stand for, and the rest is equal byte for
byte.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from shared.clock import ManualClock
from shared.ids import CLIENT
from shared.storage.registry import Registry
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Document, Journal
from tests.faults.records import Contents
from tests.support.whole import WholeLine, mapped_back

SAID: Final = (
    "client", "rule", "urgency", "effective_at", "cleared_at", "title", "explanation", "numbers",
    "not_counted", "next_steps", "tell",
)  # fmt: skip
"""What an alert says that follows from the facts; its id, history and times of telling do not."""

OWN: Final = frozenset({"judged_at", "alerts", "conflicts"})
"""What depends on when it was judged, or had no effect; alerts are compared by themselves."""


def unlike_faultless(
    installation: Installation, journal: Journal, found: Contents
) -> Iterator[str]:
    """Say what a fault-free run of the same journal shows otherwise."""
    at = found.newest_recorded()
    if at is None:
        return
    for tenant in installation.tenants:
        yield from unlike_run_of(installation, tenant, sent(journal, tenant.organisation), at)


def unlike_run_of(
    installation: Installation, tenant: Tenant, documents: Sequence[Document], at: datetime
) -> Iterator[str]:
    """Say what a fault-free run of some events shows otherwise than an installation.

    Args:
        installation: What is compared.
        tenant: Whose timelines and episodes.
        documents: What the run takes.
        at: When it takes them.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rapport-faultless-") as name,
        closing(WholeLine(Path(name), ManualClock(at))) as line,
    ):
        line.take(documents)
        line.settle()
        yield from _unlike(installation, tenant, line, documents)


def sent(journal: Journal, organisation: str) -> list[Document]:
    """Return every event that was acknowledged, each once, in the order in which they happened."""
    acknowledged = {
        one.repeats or one.number
        for one in journal.sendings()
        if one.organisation == organisation and one.state == "acknowledged"
    }
    documents: dict[tuple[str, str, str | None], Document] = {}
    for one in journal.sendings():
        if one.number in acknowledged:
            for document in one.documents:
                key = (document["source"], document["id"], document.get("subject"))
                documents.setdefault(key, document)
    return sorted(documents.values(), key=lambda one: str(one["time"]))


def _unlike(
    installation: Installation, tenant: Tenant, line: WholeLine, documents: Sequence[Document]
) -> Iterator[str]:
    registry = installation.registry
    for reference in sorted({d["subject"] for d in documents if d.get("subject")}):
        about = [d for d in documents if d.get("subject") in (None, reference)]
        client = installation.client(tenant, reference)
        if client is None:
            yield f"faultless: the reference {reference} of {tenant.name} was forgotten"
            continue
        served = installation.get(tenant, f"/v1/clients/{client}/timeline") or {}
        mine = back(registry, tenant.organisation, _without(served), about)
        theirs = line.mapped_back(_without(line.timeline(reference)), about)
        if mine != theirs:
            where = _at(mine, theirs)
            yield f"faultless: {tenant.name}'s timeline of {reference} is another: {where}"
    shown = installation.pages(tenant, "/v1/alerts", "alerts")
    mine_alerts = episodes(shown, lambda value: back(registry, tenant.organisation, value, []))
    theirs_alerts = episodes(line.alerts(), lambda value: line.mapped_back(value, []))
    for one in sorted(set(mine_alerts) ^ set(theirs_alerts)):
        which = "too much" if one in mine_alerts else "missing"
        yield f"faultless: {tenant.name} has an episode {which}: {one[:300]}"
    if len(mine_alerts) != len(theirs_alerts):
        yield f"faultless: {len(mine_alerts)} episodes, not {len(theirs_alerts)}"


def episodes(alerts: Sequence[dict[str, Any]], mapped: Any) -> list[str]:
    """Return what every alert says that was not retracted, mapped back."""
    return sorted(
        mapped({name: alert[name] for name in SAID})
        for alert in alerts
        if alert["state"] != "retracted"
    )


def back(registry: Registry, organisation: str, value: Any, documents: Sequence[Document]) -> str:
    """Return canonical JSON with every opaque id replaced by what it stands for."""
    subjects = {d["subject"] for d in documents if d.get("subject")}
    found = registry.find(organisation, [(CLIENT, one) for one in subjects])
    clients = {reference: opaque for (_, reference), opaque in found.items()}
    return mapped_back(registry, organisation, value, documents, clients)


def _without(timeline: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in timeline.items() if name not in OWN}


def _at(mine: str, theirs: str) -> str:
    """Return where two texts part."""
    at = next(
        (n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b),
        min(len(mine), len(theirs)),
    )
    return f"…{mine[max(0, at - 60) : at + 60]}… against …{theirs[max(0, at - 60) : at + 60]}…"
