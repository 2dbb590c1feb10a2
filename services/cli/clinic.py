"""``rapport clinic``: what Rapport must know of a clinic."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

import click

from services.cli.common import (
    Office,
    json_option,
    organisation_option,
    show_one,
    with_office,
)
from services.ingest.canonical import canonical_content
from shared.envelope import Envelope, Event
from shared.errors import Refused
from shared.events import validate
from shared.ids import opaque_id
from shared.stream.broadcast import broadcast
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FEEDS = (
    "sessions", "ratings", "boundary", "goals", "plan", "supervision", "contacts", "leave",
)  # fmt: skip
TYPE = "clinic.configured"


@click.group()
def clinic() -> None:
    """Say where a clinic is, when it works, and what its systems send.

    \b
    Example:
      rapport clinic set elm --timezone Europe/London --sends sessions --sends ratings
    """


@clinic.command("set")
@click.argument("name", metavar="CLINIC")
@click.option("--timezone", required=True, metavar="IANA", help="Such as Europe/London.")
@click.option("--working-day", "days", type=click.Choice(DAYS), multiple=True, help="Repeat it.")
@click.option(
    "--holiday",
    "holidays",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    multiple=True,
    help="Repeat it.",
)
@click.option(
    "--sends",
    type=click.Choice(FEEDS),
    multiple=True,
    help="What its systems are known to send: arms the rules that need it; repeat it.",
)
@organisation_option
@json_option
@with_office
def set_(
    office: Office,
    name: str,
    timezone: str,
    days: tuple[str, ...],
    holidays: tuple[datetime, ...],
    sends: tuple[str, ...],
    organisation: str | None,
    as_json: bool,
) -> None:
    """Say what holds of CLINIC from now on; it replaces what was said before.

    It is a fact like any other, on the stream, in every partition.
    """
    given = {
        "working_days": list(days),
        "holidays": [day.date().isoformat() for day in holidays],
        "sends": list(sends),
    }
    data = {"clinic": name, "timezone": timezone} | {k: v for k, v in given.items() if v}
    if faults := validate(TYPE, data):
        raise Refused(faults)
    _publish(office, _envelope(office, office.organisation(organisation).id, data))
    show_one(data, as_json=as_json)


def _envelope(office: Office, organisation: str, data: Mapping[str, Any]) -> Envelope:
    now = office.clock.now()
    event = Event(
        type=TYPE,
        source="urn:rapport:cli",
        id=opaque_id("set"),
        time=now,
        subject=None,
        data=data,
    )
    return Envelope(
        organisation=organisation,
        sender="rapport",
        event=event,
        content=office.registry.content_hash(
            organisation, canonical_content(TYPE, None, now, data)
        ),
        recorded_at=now,
    )


def _publish(office: Office, envelope: Envelope) -> None:
    with closing(open_stream(office.settings)) as stream:
        stream.create_topics()
        with closing(stream.publisher()) as publisher:
            deadline_s = office.settings.publish_deadline_ms / 1000
            broadcast(publisher, envelope, stream.partitions(EVENTS), deadline_s)
