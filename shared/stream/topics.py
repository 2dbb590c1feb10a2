"""The topics that Rapport needs, and how each must be set up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import Fault, Refused
from shared.stream.ports import ALERTS, EVENTS, QUARANTINE, Outgoing

MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
"""Own: twice the default limit of a request's body, so that no single event can be too large."""

MAX_HEADER_BYTES: Final = 4 * 1024
"""Own: what key, headers and framing may take of a record beside its value."""

CLUSTER: Final = 3
"""From this replication on, a record must be in two places before it is acknowledged."""

_DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        name: Its name on the stream.
        kept_days: After how many days its records may go; None: they are kept for ever.
    """

    name: str
    kept_days: int | None = None


TOPICS: Final = (
    Topic(EVENTS),
    Topic(ALERTS),
    Topic(QUARANTINE, kept_days=90),
)


def kafka_settings(topic: Topic, replication: int) -> Mapping[str, str]:
    """Return the topic-level settings that Kafka must have.

    Compaction by client would delete history, so the policy is always ``delete``; an election of
    a replica that lags would take back what was acknowledged. The broker stamps the time, so
    that ``appended_at`` means what it says.
    """
    kept_ms = -1 if topic.kept_days is None else topic.kept_days * _DAY_MS
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(kept_ms),
        "retention.bytes": "-1",
        "min.insync.replicas": "2" if replication >= CLUSTER else "1",
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_RECORD_BYTES),
    }


def refuse_too_large(records: Sequence[Outgoing]) -> None:
    """Refuse a publication with a record that no engine would take, before anything is sent.

    Raises:
        Refused: naming the record by its place in the publication.
    """
    limit = MAX_RECORD_BYTES - MAX_HEADER_BYTES
    faults = [
        Fault(f"/{index}", f"at most {limit} bytes as a record; send less", "too_large")
        for index, record in enumerate(records)
        if len(record.value) > limit
    ]
    if faults:
        raise Refused(faults)
