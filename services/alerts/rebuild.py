"""What a rebuild needs to know of the alerts: who reads, who judges silently, what is settled.

A generation that is built is judged by the rules of the release that builds it, beside the one
that serves. What it would tell against the ledger is shown in its own tables, and nowhere else.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, MetaData, Select, Table, and_, func, select

from services.alerts import caseloads, ledger, marks, store, tables
from services.alerts.intake import FIRST
from services.alerts.judged import Telling
from services.alerts.rule import Rule
from services.alerts.showing import stale
from services.alerts.voice import Settling, Silent
from services.alerts.watcher import Watcher, presents
from shared import ids
from shared.clock import EPOCH, from_micros
from shared.storage import positions, ties
from shared.storage.accounts import Recipient
from shared.storage.comparing import Pair, Row, clients_after
from shared.storage.facts import FOLDED_AT_ONCE
from shared.storage.generations import Generation
from shared.storage.replacing import Who
from shared.stream import parking
from shared.stream.handling import Item
from shared.stream.parking import MANY

CLIENTS, CASELOADS = "clients", "caseloads"
"""What is folded, in this order."""

JUDGED_AT_ONCE: Final = 50
"""Clients of one transaction: a judgement takes some milliseconds, and SQLite has one writer."""


class Reader(Watcher):
    """Keeps facts, time and senders; judges nobody."""

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Store what came."""
        del held
        self._hold(db)
        store.advance_clock(db, self._tables, presents(items))
        self._intake.store(db, items)


class Judge(Watcher):
    """Judges clients outside a batch."""

    def judge(self, db: Connection, partition: int, whose: str, clients: Sequence[str]) -> None:
        """Judge clients (or sources) at the present of their partition.

        Who is held back, or tied to somebody who is, is not judged, here as anywhere: it would be
        by a part of its facts, and what seems to be silence would be settled for good. It is
        shown as the ledger has it.
        """
        held = parking.held(db, self.name).clients
        clock = store.advance_clock(db, self._tables, {partition: EPOCH})
        places = {(whose, client): partition for client in clients}
        free = {who: at for who, at in places.items() if who not in held}
        staff = {who for who in free if ids.is_staff(who[1])}
        alone = {who: at for who, at in free.items() if who not in staff}
        telling = Telling()
        changed, tied = self._judge_all(db, alone, clock, held, telling)
        if self._caseload_rules:
            # Judged in the end, when every client's part of them is there.
            store.touch(db, self._tables, dict.fromkeys(changed, FIRST))
        self._judge_caseloads(db, staff, held, telling)
        self._tell(db, telling)
        waiting = [one for one in clients if (whose, one) in held or (whose, one) in tied]
        store.show_nothing(db, self._tables, [(whose, client) for client in waiting])
        for known in ledger.known_alerts(db, self._tables.inbox, whose, waiting).values():
            store.show(db, self._tables, places, stale(whose, known, (), afresh=True))

    def sources(self, db: Connection, whose: str) -> Sequence[str]:
        """Return the sources that were ever silent."""
        return sorted(self._organisations.of(db, whose, FIRST).silences)


class Candidate:
    """A generation of the alerts that is to serve next."""

    def __init__(
        self,
        generation: int,
        rules: Sequence[Rule],
        recipients: Callable[[str], Sequence[Recipient]],
        judged_at_once: int = JUDGED_AT_ONCE,
    ) -> None:
        """Fill the tables of a generation by some rules.

        Args:
            generation: Its number.
            rules: Those of the release that builds it.
            recipients: Organisation → everybody who is told there: who may have to stand in.
            judged_at_once: How many clients in one transaction.
        """
        self._recipients = recipients
        self._generation = generation
        self._rules = rules
        self._tables = tables.of(generation)
        self._consumer = tables.catalogue(generation).consumer(tables.CONSUMER)
        self._judged_at_once = judged_at_once
        self._judge = Judge(rules, _nobody, generation, Silent())

    def reader(self) -> Watcher:
        """Return what keeps the facts and judges nobody."""
        return Reader(self._rules, _nobody, self._generation, Silent())

    def follower(self) -> Watcher:
        """Return what judges as the generation that serves, and tells nobody."""
        return Watcher(self._rules, _nobody, self._generation, Silent())

    def fold(self, db: Connection, cursor: str) -> tuple[str, int]:
        """Judge some clients after ``cursor``, each once, and the sources of organisations.

        Then, when each client's part of them is there, the therapists' caseloads.
        """
        kind, *after = orjson.loads(cursor) if cursor else (CLIENTS, "", "")
        if kind == CLIENTS:
            folded, n = self._fold_clients(db, (after[0], after[1]))
            if n:
                return folded, n
            after = ["", ""]
        page = caseloads.after(db, self._tables, after, self._judged_at_once)
        for organisation, therapist in page:
            self._judge.judge(db, FIRST, organisation, [therapist])
        return (orjson.dumps([CASELOADS, *page[-1]]).decode() if page else "", len(page))

    def _fold_clients(self, db: Connection, after: Who) -> tuple[str, int]:
        page = clients_after(db, self._tables.facts, after, self._judged_at_once)
        for (partition, organisation), whose in self._places(db, page).items():
            self._judge.judge(db, partition, organisation, sorted(whose))
        for organisation, client in page:
            if client == MANY and (sources := self._judge.sources(db, organisation)):
                self._judge.judge(db, FIRST, organisation, sources)
        return (orjson.dumps([CLIENTS, *page[-1]]).decode() if page else "", len(page))

    def clients(self, db: Connection) -> int:
        """Return how many clients have facts, and how many organisations have facts of many."""
        rows = self._tables.facts.c
        distinct = select(rows.organisation, rows.client).distinct().subquery()
        return db.execute(select(func.count()).select_from(distinct)).scalar_one()

    def pairs(self, db: Connection, old: Generation) -> Sequence[Pair]:
        """Return what is compared with another generation: what holds, and what is shown."""
        mine = tables.catalogue(self._generation)
        made = {
            what: Pair(
                what.removeprefix("alerts_"),
                Table(old.tables[what], MetaData(), autoload_with=db),
                mine.metadata.tables[mine.names[what]],
                _IGNORED.get(what, frozenset()),
                _SAID.get(what),
            )
            for what in _COMPARED
            if what in old.tables
        }
        return list(made.values())

    def held(self, db: Connection) -> frozenset[Who]:
        """Return who is held back, and everybody tied to them."""
        held, found = parking.held(db, self._consumer).clients, set[Who]()
        for organisation in {organisation for organisation, _ in held}:
            names = [client for whose, client in held if whose == organisation]
            tied = ties.of(db, self._tables.ties, organisation, names, lock=False)
            found |= {(organisation, client) for client in tied.kin}
        return held | found

    def settle(self, db: Connection) -> int:
        """Settle every step that these rules would take now, against the ledger.

        From then on they tell what is new, and only that; also when everything is read again.
        """
        voice = Settling(self._recipients)
        judge = Judge(self._rules, _nobody, self._generation, voice)
        for (partition, organisation), whose in self._unsettled(db).items():
            for start in range(0, len(whose), FOLDED_AT_ONCE):
                judge.judge(db, partition, organisation, whose[start : start + FOLDED_AT_ONCE])
        for (_, partition), at in positions.all_of(db, self._consumer).items():
            marks.set_mark(db, self._consumer, partition, at.next_offset)
        return voice.settled

    def _places(self, db: Connection, page: Sequence[Who]) -> Mapping[tuple[int, str], list[str]]:
        """Return partition and organisation → the clients among some that have facts there."""
        rows = self._tables.facts.c
        by_organisation: dict[str, list[str]] = defaultdict(list)
        for organisation, client in page:
            if client != MANY:
                by_organisation[organisation].append(client)
        found: dict[tuple[int, str], list[str]] = defaultdict(list)
        for organisation, clients in by_organisation.items():
            asked = select(rows.partition, rows.client).where(
                rows.organisation == organisation, rows.client.in_(clients)
            )
            for row in db.execute(asked.distinct()):
                found[row.partition, organisation].append(row.client)
        return found

    def _unsettled(self, db: Connection) -> Mapping[tuple[int, str], list[str]]:
        """Return partition and organisation → who is shown otherwise than the ledger has it."""
        inbox, clients = self._tables.inbox.c, self._tables.clients.c
        shown = select(inbox.organisation, inbox.client, inbox.alert, inbox.body)
        last = _last_bodies()
        found: dict[tuple[int, str], set[str]] = defaultdict(set)
        for more in (shown.except_(last).subquery(), last.except_(shown).subquery()):
            same = and_(
                clients.organisation == more.c.organisation, clients.client == more.c.client
            )
            asked = select(clients.partition, clients.organisation, clients.client)
            for row in db.execute(asked.select_from(more).join(self._tables.clients, same)):
                found[row.partition, row.organisation].add(row.client)
        return {place: sorted(whose) for place, whose in sorted(found.items())}


def _last_bodies() -> Select[Any]:
    """Return what asks how the ledger has every alert that did not vanish."""
    steps = ledger.STEPS.c
    last = (
        select(steps.organisation, steps.alert, func.max(steps.number).label("number"))
        .group_by(steps.organisation, steps.alert)
        .subquery()
    )
    same = and_(
        steps.organisation == last.c.organisation,
        steps.alert == last.c.alert,
        steps.number == last.c.number,
    )
    asked = select(steps.organisation, steps.client, steps.alert, steps.body)
    return asked.join(last, same).where(steps.hidden.is_(False))


def _nobody(_: str) -> Sequence[Recipient]:
    return ()


_COMPARED: Final = (
    "alerts_facts",
    "alerts_ties",
    "alerts_phases",
    "alerts_extracts",
    "alerts_episodes",
    "alerts_inbox",
    "alerts_concerned",
    "alerts_clock",
    "alerts_senders",
)
"""The facts first. When a client is looked at again is a matter of the rules alone."""

_IGNORED: Final[Mapping[str, frozenset[str]]] = {"alerts_episodes": frozenset({"known_at"})}
"""When something became known depends on the order in which facts came (invariant 3)."""


def _said_of_episode(was: Row | None, now: Row | None) -> str:
    some = now or was or {}
    named = f"{some['rule']}, since {_day(some['effective_at'])}"
    if was is None or now is None:
        return f"{named}: {'holds now' if was is None else 'holds no more'}, {some['urgency']}"
    return f"{named}: {_changed(was, now, ('urgency', 'steps', 'told'), ('cleared_at',))}"


def _said_of_alert(was: Row | None, now: Row | None) -> str:
    before, after = (None if one is None else _body(one) for one in (was, now))
    some = after or before or {}
    named = f"{some['rule']}, since {some['effective_at'][:10]} ({some['id']})"
    if before is None or after is None:
        word = "opened" if before is None else "gone"
        return f"{named}: {word}, {some['urgency']}, {some['state']}: {some['title']}"
    if before["state"] != after["state"]:
        return f"{named}: {before['state']} → {after['state']}, {after['urgency']}"
    other = [name for name in sorted({*before, *after} - {"history"})
             if before.get(name) != after.get(name)]  # fmt: skip
    said = [f"{name} {before[name]} → {after[name]}" for name in _IN_FULL if name in other]
    more = [name for name in other if name not in _IN_FULL]
    return f"{named}: {'; '.join([*said, *more]) or 'told otherwise in its history'}"


def _body(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row["body"])
    return found


_IN_FULL: Final = ("urgency", "effective_at", "cleared_at", "rule_version")
_SAID: Final = {"alerts_episodes": _said_of_episode, "alerts_inbox": _said_of_alert}


def _changed(was: Row, now: Row, plain: Sequence[str], times: Sequence[str]) -> str:
    found = [f"{name} {was[name]} → {now[name]}" for name in plain if was[name] != now[name]]
    found += [
        f"{name} {_day(was[name])} → {_day(now[name])}" for name in times if was[name] != now[name]
    ]
    return "; ".join(found) or "is another"


def _day(micros: int | None) -> str:
    return "–" if micros is None else from_micros(micros).date().isoformat()
