"""Every metric of Rapport, declared once, with its unit and its sentence.

Labels come from closed sets; no organisation, clinic or person is ever a label value. Moments are
timestamps (seconds since 1970), never ages: Prometheus subtracts.
"""

from functools import partial
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client import Gauge as AnyGauge

# Every service ----------------------------------------------------------------------------------
HTTP_REQUEST_SECONDS = Histogram(
    "rapport_http_request_seconds",
    "Time to answer an HTTP request, by method, route and class of status.",
    ["method", "route", "status"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)

Gauge = partial(AnyGauge, multiprocess_mode="mostrecent")
# Where processes share a port, the latest value counts; a label with a process id is never wanted.

# Ingest -----------------------------------------------------------------------------------------
ACCEPTED = Counter(
    "rapport_events_accepted_total",
    "Events that the stream acknowledged, by the way they came in.",
    ["way"],  # api, webhook
)
IGNORED = Counter(
    "rapport_ignored_total",
    "Things in payloads that Rapport does not use, by kind.",
    ["what"],  # attribute, field, resource
)
REFUSED = Counter(
    "rapport_requests_refused_total",
    "Requests (or events, where good ones were taken) that were refused, by the reason's code.",
    ["code"],
)
PUBLISH_SECONDS = Histogram(
    "rapport_publish_seconds",
    "Time until the stream acknowledged a publication.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
PUBLISH_FAILURES = Counter(
    "rapport_publish_failures_total",
    "Publications that the stream did not acknowledge in time.",
)
REGISTRY_SECONDS = Histogram(
    "rapport_registry_seconds",
    "Time to turn the references of one request into opaque ids.",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
REGISTRY_ERRORS = Counter(
    "rapport_registry_errors_total", "Look-ups of references that the database did not answer."
)

# Consumers --------------------------------------------------------------------------------------
POSITION_LAG = Gauge(
    "rapport_position_lag_events",
    "Records in the stream that this consumer has not handled yet, per partition.",
    ["consumer", "partition"],
)
NEWEST_RECORDED = Gauge(
    "rapport_newest_recorded_timestamp_seconds",
    "Newest recordedtime that this consumer has handled, per partition, as a Unix timestamp.",
    ["consumer", "partition"],
)
HANDLED = Counter("rapport_records_handled_total", "Records handled, by consumer.", ["consumer"])
DUPLICATES = Counter(
    "rapport_duplicate_events_total",
    "Events received again with the same content, without effect.",
    ["consumer"],
)
CONFLICTS = Counter(
    "rapport_conflicting_events_total",
    "Events received with other content under an id that was already taken, without effect.",
    ["consumer"],
)
LATE = Counter(
    "rapport_late_events_total",
    "Events recorded more than a day after they occurred, without being marked as backfill.",
    ["consumer"],
)
CONSUMER_STOPPED = Gauge(
    "rapport_consumer_stopped",
    "1 while a consumer stands still on a record that it cannot handle, else 0.",
    ["consumer"],
)
PARKED_CLIENTS = Gauge(
    "rapport_parked_clients",
    "Clients whose records wait for an operator; the facts that concern many count as one.",
    ["consumer"],
)
PARKED_RECORDS = Gauge(
    "rapport_parked_records",
    "Records that wait for an operator: those that could not be handled, and all behind them.",
    ["consumer"],
)
PARKED = Counter(
    "rapport_parked_total", "Records that could not be handled, and were parked.", ["consumer"]
)
QUARANTINED = Counter(
    "rapport_quarantined_total",
    "Records that nobody can decode, put on the topic rapport.quarantine.",
    ["consumer"],
)

# Alerts -----------------------------------------------------------------------------------------
OPEN_ALERTS = Gauge(
    "rapport_open_alerts",
    "Open alerts, by family and urgency; of boundary matters none, as /metrics asks for no key.",
    ["family", "urgency"],
)
ALERT_STEPS = Counter(
    "rapport_alert_steps_total",
    "Steps that alerts took; those of boundary matters are left out.",
    ["family", "step"],
)
KEPT_QUIET: Final = "boundary"
"""Alerts of this family are in no metric: whom a matter concerns could tell that there is one."""
DELIVERIES = Counter(
    "rapport_deliveries_total",
    "Attempts to tell a recipient, by outcome.",
    ["outcome"],  # delivered, retried, given_up, blocked
)
UNDELIVERABLE = Gauge(
    "rapport_alerts_undeliverable",
    "Open alerts that nobody could be told of without telling the person concerned.",
)
WITHOUT_RECIPIENT = Gauge(
    "rapport_alerts_without_recipient", "Open alerts for which no recipient is registered."
)
HELD_BACK = Gauge(
    "rapport_notices_held_back",
    "Notices that wait to be told together, by what for; none of boundary matters is counted.",
    ["until"],  # digest, report (of a quiet start), summary (of history)
)
OUTBOX_OLDEST = Gauge(
    "rapport_outbox_oldest_timestamp_seconds",
    "When the oldest entry still waiting in the outbox was written; 0 when none waits.",
)
TICKER_HOLDER = Gauge(
    "rapport_ticker_lease_held", "1 in the process that holds the ticker's lease, else 0."
)
LAST_TICK = Gauge(
    "rapport_last_tick_timestamp_seconds", "Newest clock.ticked published, as a Unix timestamp."
)
SOURCES_SILENT = Gauge("rapport_sources_silent", "Registered sources that are silent now.")
RULES_SUSPENDED = Gauge(
    "rapport_rules_suspended",
    "Phases whose deadline rules are suspended because their source is silent.",
)
