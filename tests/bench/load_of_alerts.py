"""Count the alerts of simulated half years: ``python -m tests.bench.load_of_alerts``.

Per 100 client-weeks, by family and by rule, as the armed rules find them in the made-up clinics of
``services/cli/simulation.py`` (seeds 1 to 3): steps that are delivered as news, before and after a
combined alert has absorbed its parts. The aim is own: at most 1 for trust and 1 for consistency.
Simulated data say nothing about real clinics.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.alerts.bootstrap import EVERY_RULE
from services.alerts.judging import judge_client
from services.alerts.organisations import Organisation
from services.alerts.rule import FeedRule
from services.alerts.steps import Decided, Known
from services.cli.simulation import configurations, half_year
from shared.clock import parse_time
from shared.envelope import Envelope, Event

ORGANISATION: Final = "org_simulated"
END: Final = datetime(2026, 5, 3, 12, tzinfo=UTC)
SEEDS: Final = (1, 2, 3)
RULES: Final = [rule for rule in EVERY_RULE if not isinstance(rule, FeedRule)]


def main() -> None:
    """Print the figures."""
    told: Counter[tuple[str, str]] = Counter()
    absorbed: Counter[tuple[str, str]] = Counter()
    weeks = 0.0
    for seed in SEEDS:
        clinics = [_envelope(one) for one in configurations(END)]
        around = Organisation(ORGANISATION, clinics)
        for client, life in _lives(seed).items():
            weeks += (END - min(one.event.time for one in life)) / timedelta(weeks=1)
            for step in _lived(around, client, life):
                key = (step.body["family"], step.body["rule"])
                told[key] += step.telling == "news" and not step.muted
                absorbed[key] += _is_absorbed(step)
    _print(told, absorbed, weeks)


def _lives(seed: int) -> Mapping[str, list[Envelope]]:
    """Return the events of each client, in time."""
    found: dict[str, list[Envelope]] = defaultdict(list)
    for document in half_year(END, seed):
        envelope = _envelope(document)
        found[document["subject"]].append(envelope)
    return found


def _envelope(document: Mapping[str, Any]) -> Envelope:
    """Return a document as it would stand in the stream, recorded a minute after it happened."""
    at = parse_time(document["time"])
    name = document["type"].removeprefix("rapport.")
    data = dict(document["data"])
    if name == "rating.given":
        data["instrument_version"] = "1"
    event = Event(name, document["source"], document["id"], at, document.get("subject"), data)
    sender = "src_simulated"
    return Envelope(ORGANISATION, sender, event, document["id"], at + timedelta(minutes=1))


def _lived(around: Organisation, client: str, life: list[Envelope]) -> Iterator[Decided]:
    """Yield the steps that a life came to, judged at the end of each day."""
    known: dict[tuple[str, str, str], dict[str, Known]] = defaultdict(dict)
    day = min(one.event.time for one in life).replace(hour=0, minute=0)
    while day <= END + timedelta(days=1):
        day += timedelta(days=1)
        so_far = [one for one in life if one.recorded_at <= day]
        alerts = {key: list(found.values()) for key, found in known.items()}
        for step in judge_client(around, client, so_far, RULES, alerts, day).steps:
            key = (*step.subject.key, step.body["rule"])
            before = known[key].get(step.alert)
            known[key][step.alert] = _known(step, before, len(known[key]))
            if step.hidden:
                del known[key][step.alert]
            yield step


def _known(step: Decided, before: Known | None, first: int) -> Known:
    told = (step.telling == "news" and not step.muted) or (before is not None and before.told)
    if before is not None:
        first = before.first
    return Known(
        alert=step.alert,
        first=first,
        number=step.number,
        round=step.round,
        kind=step.kind,
        keys=step.keys,
        effective_at=step.effective_at,
        cleared_at=step.cleared_at,
        opened_at=step.opened_at,
        escalated_at=step.escalated_at,
        told=told,
        silent=step.muted,
        concerned=step.concerned,
        body=step.body,
        hidden=step.hidden,
        shown=step.number,
    )


def _is_absorbed(step: Decided) -> bool:
    return step.kind in ("opened", "escalated") and "absorbed_by" in step.body


def _print(
    told: Counter[tuple[str, str]], absorbed: Counter[tuple[str, str]], weeks: float
) -> None:
    out = sys.stdout.write
    out(f"simulated: {len(SEEDS)} half years, {weeks:.0f} client-weeks\n")
    for family in sorted({family for family, _ in (*told, *absorbed)}):
        mine = {rule: n for (of, rule), n in told.items() if of == family}
        out(f"{family}: {100 * sum(mine.values()) / weeks:.2f} delivered per 100 client-weeks\n")
        for rule, n in sorted(mine.items(), key=lambda one: -one[1]):
            kept = absorbed[family, rule]
            if n or kept:
                out(f"  {rule}: {n} ({100 * n / weeks:.2f}), absorbed {kept}\n")


if __name__ == "__main__":
    main()
