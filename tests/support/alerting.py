"""A world with the alerts service in it: facts in at the stream, alerts out over HTTP.

Every worker is stepped by hand under a clock that stands still.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import select
from werkzeug.test import TestResponse

from services.alerts import api, inbox, notes_api, rules_api, tables
from services.alerts.deliveries import Deliverer
from services.alerts.desk import Desk
from services.alerts.inbox import Viewer
from services.alerts.ledger import LEDGER
from services.alerts.notes import Notes
from services.alerts.orders import DELIVERY
from services.alerts.rule import Rule
from services.alerts.rules.source_silent import SourceSilent
from services.alerts.ticker import Ticker
from services.alerts.watcher import Watcher
from services.alerts.webhook import MessageSender, Sender
from shared.alliance.mergers import merged_into
from shared.clock import ManualClock
from shared.envelope import Envelope
from shared.storage.engine import Database
from shared.stream.broadcast import copies
from shared.stream.codec import decode, encode, key_of
from shared.stream.embedded import EmbeddedStream
from shared.stream.following import Following
from shared.stream.ports import ALERTS, EVENTS, Outgoing, Partition
from shared.stream.runner import Runner
from shared.web.app import create_app
from tests.support import alert_rules
from tests.support import events as an
from tests.support.accounts import SEALER, Office
from tests.support.rebuildable import dropped

PARTITIONS = 3
DEADLINE_S = 10.0
START = an.on(0, 0)

RULES: Sequence[Rule] = (*alert_rules.RULES, SourceSilent())


class AlertsWorld:
    """One organisation, its stream, and the workers of the alerts service."""

    def __init__(
        self,
        db: Database,
        folder: Path,
        *,
        organisation: str | None = None,
        rules: Sequence[Rule] = RULES,
        batch_limit: int = 1_000,
    ) -> None:
        """Open everything; nothing has happened yet."""
        self.db = db
        self.folder = folder
        self.rules = rules
        self.clock = ManualClock(START)
        self.office = Office(db, self.clock)
        self.organisation = organisation or self.office.an_organisation()
        tables.prepare(db, rules)
        self.stream = EmbeddedStream(folder / "stream.db", PARTITIONS, self.clock)
        self.stream.create_topics()
        self.publisher = self.stream.publisher()
        self.runner = self.another_runner(batch_limit)
        self.ticker = self.another_ticker()
        self.deliverer = self.another_deliverer()
        self.notes = Notes(SEALER, self.clock)
        desk = Desk(db, self.publisher, self.notes, self.clock, DEADLINE_S)
        self.app: Flask = create_app(
            "alerts",
            [
                api.blueprint(desk, rules),
                rules_api.blueprint(db, rules),
                notes_api.blueprint(desk),
            ],
            self.office.accounts,
            checks={"database": db.healthy},
        )

    def another_runner(self, batch_limit: int = 1_000) -> Following:
        """Return a runner of the watcher, by the rules as they are now."""
        rules, recipients = self.rules, self.office.accounts.recipients
        return Following(
            self.db,
            lambda db: tables.number_to_judge(db, rules),
            lambda generation: Runner(
                self.stream,
                self.db,
                Watcher(rules, recipients, generation),
                self.clock,
                batch_limit=batch_limit,
                poll_timeout_s=0.01,
            ),
        )

    def another_ticker(self, db: Database | None = None) -> Ticker:
        """Return a ticker."""
        return Ticker(
            db or self.db,
            self.stream.publisher(),
            lambda: self.stream.partitions(EVENTS),
            self.office.accounts.source,
            self.office.accounts.recipients,
            every=timedelta(minutes=15),
            deadline_s=DEADLINE_S,
        )

    def another_deliverer(self, sender: MessageSender | None = None) -> Deliverer:
        """Return a deliverer that may send to this machine."""
        return Deliverer(
            self.db,
            self.stream.publisher(),
            self.office.accounts.recipients,
            sender or Sender(allow_private=True),
            publish_deadline_s=DEADLINE_S,
        )

    def begun_again(self, *, batch_limit: int = 1_000) -> None:
        """Forget every table that the stream can fill again, and begin reading anew."""
        self.runner.close()
        with self.db.write() as db:
            dropped(db)
        tables.prepare(self.db, self.rules)
        self.runner = self.another_runner(batch_limit)

    def close(self) -> None:
        """Release everything but the database."""
        self.runner.close()
        self.ticker.close()
        self.deliverer.close()
        self.publisher.close()
        self.stream.close()

    def placed(self, envelope: Envelope) -> Envelope:
        """Return a made-up envelope as one of this world's organisation."""
        if envelope.organisation != an.ORGANISATION:
            return envelope
        return replace(envelope, organisation=self.organisation)

    def tell(self, *envelopes: Envelope, settle: bool = True) -> None:
        """Publish facts in this order, move the clock to the latest, and handle them."""
        for envelope in map(self.placed, envelopes):
            if envelope.client is None:
                self.publisher.publish(copies(envelope, PARTITIONS), DEADLINE_S)
            else:
                self.publisher.publish(records(envelope), DEADLINE_S)
        latest = max((one.recorded_at for one in envelopes), default=START)
        self.clock.set(max(self.clock.now(), latest))
        if settle:
            self.settle()

    def settle(self) -> None:
        """Handle until nothing is left."""
        while self.runner.step(self.clock.now()):
            pass

    def tick(self, days: float = 0) -> None:
        """Let time pass without a tick in between, then tick once and handle it."""
        self.clock.advance(timedelta(days=days))
        self.ticker.step(self.clock.now())
        self.settle()

    def live(self, days: float) -> None:
        """Let time pass, ticking every six hours."""
        for _ in range(round(days * 4)):
            self.tick(0.25)

    def deliver(self) -> None:
        """Send until nothing is due."""
        while self.deliverer.step(self.clock.now()):
            pass

    def arm(self, *sends: str, clinic: str = an.CLINIC) -> None:
        """Say what a clinic's systems send."""
        words = list(sends) or ["sessions", "boundary"]
        self.tell(an.a_clinic_configured(clinic, sends=words, sender="rapport"))

    def deliver_by(self, clinic: str | None = None, **settings: Any) -> None:
        """Say how people are told, from now on: ``daily_cap`` and what else there is."""
        data = {"rule": DELIVERY, "clinic": clinic, "settings": settings}
        now = self.clock.now()
        said = an.an_event("rule.configured", now, data, client=None, sender="rapport")
        self.tell(replace(said, recorded_at=now))

    def a_recipient(
        self, name: str, url: str = "https://example.org/", role: str = "leadership", **more: Any
    ) -> str:
        """Register a recipient; return its id."""
        return self.a_recipient_with_secret(name, url, role, **more)[0]

    def a_recipient_with_secret(
        self, name: str, url: str, role: str = "leadership", **more: Any
    ) -> tuple[str, str]:
        """Register a recipient; return its id and its secret."""
        return self.office.recipients.add(self.organisation, name, role=role, url=url, **more)

    def a_key(self, *rights: str, organisation: str | None = None, **more: Any) -> dict[str, str]:
        """Return the header of a new key."""
        whose = organisation or self.organisation
        token = self.office.a_token(whose, *(rights or ("read",)), **more)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, key: Mapping[str, str] | None = None) -> TestResponse:
        """Ask over HTTP."""
        return self.app.test_client().get(path, headers=key or self.a_key())

    def post(self, path: str, body: Any, headers: Mapping[str, str]) -> TestResponse:
        """Act over HTTP."""
        return self.app.test_client().post(path, json=body, headers=headers)

    def alerts(self, query: str = "", key: Mapping[str, str] | None = None) -> list[Any]:
        """Return the alerts of the inbox."""
        response = self.get(f"/v1/alerts{query}", key)
        assert response.status_code == 200, response.text
        body: Any = response.json
        return list(body["alerts"])

    def shown(self) -> list[Any]:
        """Return the alerts of the inbox, whoever asks."""
        with self.db.read() as db:
            return list(inbox.page(db, Viewer(self.organisation), {}, limit=200).alerts)

    def the_alert(self, rule: str = "test-cancelled") -> Any:
        """Return the only alert of a rule."""
        (found,) = [one for one in self.alerts() if one["rule"] == rule]
        return found

    def episodes(self, client: str | None = None) -> list[dict[str, Any]]:
        """Return the episodes that hold, as the watcher has them, ``known_at`` aside."""
        with self.db.read() as db:
            rows = [dict(row) for row in db.execute(select(tables.shown(db).episodes)).mappings()]
        for row in rows:
            del row["known_at"]
        mine = [row for row in rows if client in (None, row["client"])]
        return sorted(mine, key=lambda row: (row["client"], row["rule"], row["effective_at"]))

    def ledger(self) -> list[tuple[str, str, str, str]]:
        """Return every row of the ledger: step, channel, recipient, status; sorted."""
        with self.db.read() as db:
            rows = db.execute(
                select(LEDGER.c.step, LEDGER.c.channel, LEDGER.c.recipient, LEDGER.c.status)
            )
            return sorted((row[0], row[1], row[2], row[3]) for row in rows)

    def told(self) -> list[tuple[str, str]]:
        """Return what is told to recipients: (first word of the step, status)."""
        return [
            (step.partition(":")[0], status)
            for step, channel, recipient, status in self.ledger()
            if channel == "webhook" and recipient
        ]

    def published(self) -> list[Envelope]:
        """Return what stands on the topic of alerts, in order."""
        reader = self.stream.consumer(f"test-{self.clock.now()}", [ALERTS], _from_the_start)
        found: list[Envelope] = []
        while batch := reader.poll(1_000, 0.05):
            found += [decode(record) for record in batch]
        reader.close()
        return found


def records(envelope: Envelope) -> list[Outgoing]:
    """Return the records of an event about a client: a merger stands under both keys."""
    record = encode(envelope, EVENTS)
    into = merged_into(envelope.event)
    if into is None:
        return [record]
    return [record, replace(record, key=key_of(envelope.organisation, into))]


def cancellations(count: int, *, first: float = 1, **stated: Any) -> list[Envelope]:
    """Return sessions that the therapist cancelled, one a day."""
    return [
        an.a_session_cancelled(f"c{first + n}", at=an.on(first + n), by="therapist", **stated)
        for n in range(count)
    ]


def held(day: float, **stated: Any) -> Envelope:
    """Return a held session of a day."""
    return an.a_session_held(f"h{day}", an.on(day), **stated)


def sample(name: str, **labels: str) -> float:
    """Return what a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0


def types(envelopes: Iterable[Envelope]) -> list[str]:
    """Return the types of envelopes."""
    return [envelope.event.type for envelope in envelopes]


def _from_the_start(_: Partition) -> int:
    return 0


@contextmanager
def armed(db: Database, folder: Path, rules: Sequence[Rule] = RULES) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    made = AlertsWorld(db, folder, rules=rules)
    made.arm()
    yield made
    made.close()
