"""The same id with other content, from eight threads: the first stays, the others are shown."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from services.alerts.intake import RAPPORT
from shared.envelope import Envelope
from shared.stream.codec import decode
from shared.stream.ports import EVENTS
from tests.faults.checker import Expectation, violations
from tests.faults.content import Document, a_story
from tests.faults.experiment import EMBEDDED, KAFKA, Experiment, World
from tests.faults.faultless import unlike_run_of
from tests.faults.guards import Guard
from tests.faults.installation import Installation, Tenant
from tests.faults.journal import Sender
from tests.faults.records import contents

THREADS: Final = 8
CONTENTS: Final = 4
CONTESTED: Final = 20
RATING: Final = "rapport.rating.given"


def run(world: World) -> Iterable[str]:
    """Send some ratings of a story with several contents under one id, all at once."""
    site = world.installation()
    receiver, journal = world.receiver(), world.journal()
    tenant = site.tenant("north", receiver.url)
    site.up().ready()
    story = a_story(world.chance, clients=2)
    rivals = _rivals(story, world.chance)
    names = {document["id"] for document in rivals}
    quiet = [document for document in story if document["id"] not in names]
    sender = Sender(journal, lambda: site.processes["up"].address, tenant)
    sender.send(quiet)
    sender.send_all([[document] for document in rivals], THREADS)
    site.wait_settled()
    world.note(f"{len(names)} contested ids")
    yield from violations(site, journal, Expectation(messages=receiver.messages, faultless=False))
    yield from _without_effect(site, tenant, quiet, rivals)


def _rivals(story: list[Document], chance: random.Random) -> list[Document]:
    """Return ratings of the story, each with several contents and some twice, in any order."""
    given = [document for document in story if document["type"] == RATING]
    made: list[Document] = []
    for document in chance.sample(given, min(CONTESTED, len(given))):
        for number in range(CONTENTS):
            data = document["data"]
            items = {**data["items"], "1": number}
            made += [{**document, "data": {**data, "items": items}}] * chance.choice((1, 2))
    chance.shuffle(made)
    return made


def _without_effect(
    site: Installation, tenant: Tenant, quiet: list[Document], rivals: list[Document]
) -> Iterator[str]:
    """Say where another than the first had an effect, or the others are not shown."""
    arrived: dict[str, list[Envelope]] = defaultdict(list)
    found = contents(site)
    for record in found.of(EVENTS):
        envelope = decode(record)
        if envelope.sender != RAPPORT:
            arrived[envelope.event.id].append(envelope)
    winners = [
        document
        for document in {_item(one): one for one in rivals}.values()
        if arrived[document["id"]][0].event.data["items"]["1"] == document["data"]["items"]["1"]
    ]
    at = found.newest_recorded()
    assert at is not None
    yield from unlike_run_of(site, tenant, [*quiet, *winners], at)
    for document in winners:
        others = arrived[document["id"]]
        rival = {one.event.data["items"]["1"] for one in others} - {_item(document)[1]}
        client = others[0].client
        timeline = site.get(tenant, f"/v1/clients/{client}/timeline")
        shown = {one["event"]: one["contents"] for one in timeline["conflicts"]}
        if shown.get(others[0].id) != len(rival):
            yield f"conflict: {document['id']}: {shown.get(others[0].id)} shown, {len(rival)} came"


def _item(document: Document) -> tuple[str, Any]:
    return document["id"], document["data"]["items"]["1"]


EXPERIMENT = Experiment(
    "conflicts",
    run,
    guards=(
        Guard(
            name="first-of-a-batch-stays",
            file="shared/storage/facts.py",
            old="        first.setdefault(row[:_KEY], row)\n",
            new="        first[row[:_KEY]] = row\n",
            tries=3,
        ),
        Guard(
            name="conflict-is-shown",
            file="services/projections/read_models/facts.py",
            old="        _keep_conflicts(db, self._conflicts, stored.conflicts)\n",
            new="",
        ),
    ),
    engines=(EMBEDDED, KAFKA),
)
