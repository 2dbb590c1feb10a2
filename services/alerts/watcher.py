"""The consumer of the alerts service: facts in; what holds, and what to tell, out.

Everything that it decides is saved in the transaction that moves its position: position, facts,
episodes, steps and the ledger, all or nothing. Telling happens later, from the ledger.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection

from services.alerts import caseloads, hushing, ledger, marks, store, tables
from services.alerts.alone import alone
from services.alerts.intake import FIRST, TICK, Intake
from services.alerts.judged import Judged, Telling
from services.alerts.judging import Found, judge_client, judge_source
from services.alerts.judging_caseloads import judge_caseload
from services.alerts.judging_units import Alerts, acted_on, belonging, judge_unit
from services.alerts.organisations import Organisation, Organisations
from services.alerts.rule import CaseloadRule, FeedRule, Rule
from services.alerts.showing import shown, silent, stale
from services.alerts.store import Life, Places
from services.alerts.units import Unit, behind, origins, units
from services.alerts.voice import Aloud, Voice, states
from shared import ids
from shared.clock import EPOCH, parse_time
from shared.errors import Unreadable, blamed_on
from shared.storage import generations, table_sets
from shared.storage.accounts import Recipient
from shared.storage.facts import FOLDED_AT_ONCE
from shared.storage.replacing import Who
from shared.stream import parking
from shared.stream.handling import Item
from shared.stream.parking import MANY
from shared.stream.ports import EVENTS

FUTURE: Final = timedelta(days=3_650)
"""Own: no clock is so far ahead of the stream's own; a virtual one may be ahead of it by years."""


class Watcher:
    """Handles the records of ``rapport.events``."""

    topics: tuple[str, ...] = (EVENTS,)

    def __init__(
        self,
        rules: Sequence[Rule],
        recipients: Callable[[str], Sequence[Recipient]],
        generation: int = table_sets.FIRST,
        voice: Voice | None = None,
    ) -> None:
        """Judge nothing yet.

        Args:
            rules: The rules; those about feeds judge sources, those about caseloads therapists.
            recipients: Organisation → everybody who is told of alerts there.
            generation: Whose tables it fills.
            voice: What becomes of steps; None: they are told to the recipients.
        """
        self.name = tables.catalogue(generation).consumer(tables.CONSUMER)
        self._tables = tables.of(generation)
        self._rules = [one for one in rules if not isinstance(one, FeedRule | CaseloadRule)]
        self._caseload_rules = [rule for rule in rules if isinstance(rule, CaseloadRule)]
        self._feed_rules = [rule for rule in rules if isinstance(rule, FeedRule)]
        self._voice = voice or Aloud(recipients)
        self._organisations = Organisations(self._tables)
        self._intake = Intake(self.name, self._tables, self._rules, self._organisations)

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Store what came, and judge whom it concerns and what has fallen due.

        Raises:
            Superseded: when another generation serves now; this one must tell nobody anything.
        """
        self._hold(db)
        clock = store.advance_clock(db, self._tables, presents(items))
        touched = self._intake.take(db, items)
        ends = {item.record.partition: item.record.offset + 1 for item in items}
        self._judge_due(db, ends, touched, clock, held)

    def redo(self, db: Connection, item: Item, held: Collection[Who]) -> None:
        """Store what had to wait; whomever it concerns is due from now on."""
        self._hold(db)
        store.advance_clock(db, self._tables, presents([item]))
        store.touch(db, self._tables, self._intake.take(db, [item]))

    def refresh(
        self, db: Connection, who: Who, partition: int, next_offset: int, *, last: bool
    ) -> None:
        """Judge one client anew at the present of its partition.

        Only the last judgement is kept: states in between would be told for true.
        """
        if who[1] == MANY:
            return
        self._hold(db)
        store.touch(db, self._tables, {who: partition})
        if self._voice.aloud and next_offset < marks.mark_of(db, self.name, partition):
            return  # Where the mark is reached it is judged with everybody else.
        clock = store.advance_clock(db, self._tables, {partition: EPOCH})
        telling = Telling()
        if ids.is_staff(who[1]):
            self._judge_caseloads(db, {who}, (), telling)
        else:
            held = parking.held(db, self.name).clients
            judged = self._judged(db, who[0], {who: partition}, clock, held - {who})
            if last and not judged.waiting:
                self._judge_caseloads(db, self._keep(db, judged, telling), held, telling)
        self._tell(db, telling)

    def clients_known(self, db: Connection) -> int:
        """Return how many clients were ever judged."""
        return store.clients_known(db, self._tables)

    def _hold(self, db: Connection) -> None:
        """Keep the generation as it is until the end of the transaction."""
        generations.hold(db, tables.NAME, self._tables.generation, *self._voice.states)

    def _judge_due(
        self,
        db: Connection,
        ends: Mapping[int, int],
        touched: Places,
        clock: Mapping[int, datetime],
        held: Collection[Who],
    ) -> None:
        """Judge what is due, but where a partition was already judged further than it stands.

        Reading the stream again, every client is judged once, where it stood when it was judged
        last: states in between were told long ago, or were never worth telling. Who is held back
        stays due until they are judged.
        """
        reached = set(ends)
        if self._voice.aloud:
            reached = marks.reached(db, self.name, ends)
        due = {**store.due(db, self._tables, reached), **touched}
        free = {who: at for who, at in due.items() if at in reached and who not in held}
        # Whoever is judged now need not be noted to be judged.
        later = {who: at for who, at in touched.items() if who not in free}
        store.touch(db, self._tables, later)
        staff = {who for who in free if ids.is_staff(who[1])}
        clients = {who: at for who, at in free.items() if who not in staff}
        telling = Telling()
        changed, _ = self._judge_all(db, clients, clock, held, telling)
        self._judge_caseloads(db, staff | changed, held, telling)
        self._tell(db, telling)

    def _judge_all(
        self,
        db: Connection,
        whose: Places,
        clock: Mapping[int, datetime],
        held: Collection[Who],
        telling: Telling,
    ) -> tuple[set[Who], list[Who]]:
        """Judge clients, so many at once, and write what holds.

        Returns:
            The therapists whose caseloads are otherwise now; and who stays due, because somebody
            whom a merger ties to them cannot be judged.
        """
        changed: set[Who] = set()
        waiting: list[Who] = []
        for organisation, every in groupby(sorted(whose), key=itemgetter(0)):
            named = list(every)
            for start in range(0, len(named), FOLDED_AT_ONCE):
                # Who is tied to somebody was judged with them.
                some = {who: whose[who] for who in named[start : start + FOLDED_AT_ONCE]
                        if who not in telling.places}  # fmt: skip
                judged = self._judged(db, organisation, some, clock, held)
                changed |= self._keep(db, judged, telling)
                waiting += [who for who in judged.waiting if who in some]
        store.touch(db, self._tables, {who: whose[who] for who in waiting})
        return changed, waiting

    def _judge_caseloads(
        self, db: Connection, whose: Collection[Who], held: Collection[Who], telling: Telling
    ) -> None:
        """Judge therapists' caseloads, in the transaction in which they became otherwise."""
        if not whose or not self._caseload_rules:
            return
        # Their rows stay locked to the end: of two partitions that change one caseload at once,
        # the second judges what both have written.
        store.touch(db, self._tables, dict.fromkeys(whose, FIRST))
        if self._voice.aloud and not caseloads.complete(db, self.name):
            return
        # What stands in a partition that is behind may be what a deadline waits for.
        until = min(store.present(db, self._tables).values())
        free = sorted(who for who in whose if who not in held)
        for organisation, every in groupby(free, key=itemgetter(0)):
            therapists = [therapist for _, therapist in every]
            self._keep(db, self._judged_caseloads(db, organisation, therapists, until), telling)

    def _judged_caseloads(
        self, db: Connection, organisation: str, whose: Sequence[str], until: datetime
    ) -> Judged:
        around = self._organisations.of(db, organisation, FIRST)
        every = caseloads.of_therapists(db, self._tables, organisation, whose, around.around)
        alerts = ledger.known_alerts(db, self._tables.inbox, organisation, whose)
        places = {(organisation, one): FIRST for one in whose}
        found, afresh = Judged([], [], places), not self._voice.aloud
        for therapist, caseload in every.items():
            with blamed_on(organisation, therapist):
                known = acted_on(alerts[therapist], (), around)
                one = judge_caseload(around, caseload, self._caseload_rules, known, until)
                found.all.append(one)
                found.stale.extend(stale(organisation, known, one.steps, afresh=afresh))
                found.silent.extend(silent(organisation, known))
        return found

    def _judged(
        self,
        db: Connection,
        organisation: str,
        whose: Places,
        clock: Mapping[int, datetime],
        held: Collection[Who],
    ) -> Judged:
        """Judge clients of one organisation, and whomever mergers tie to them; write nothing.

        Raises:
            ClientFault: naming the one who cannot be judged.
        """
        every = units(db, self._tables, organisation, whose)
        free = self._free(db, every, held)
        found, afresh = Judged([], []), not self._voice.aloud
        found.waiting.extend(who for one in every if one not in free for who in one.whose)
        found.places.update(pair for one in free for pair in one.whose.items())
        clients = [client for _, client in found.places]
        read = self._organisations.at(db, organisation, set(found.places.values()))
        alerts = ledger.known_alerts(db, self._tables.inbox, organisation, clients)
        for unit in free:
            # Whoever is to be judged is blamed: a record of theirs is what was just read.
            with blamed_on(
                organisation, next(one for org, one in unit.whose if (org, one) in whose)
            ):
                for one, known in self._judge(db, unit, read, alerts, clock):
                    found.all.append(one)
                    found.stale.extend(stale(organisation, known, one.steps, afresh=afresh))
                    found.silent.extend(silent(organisation, known))
        return found

    def _free(
        self, db: Connection, every: Sequence[Unit], held: Collection[Who]
    ) -> Sequence[Unit]:
        """Return the units that can be judged now."""
        if all(len(one.places) == 1 and not one.half_read for one in every):
            return every
        again = behind(db, self.name) if self._voice.aloud else ()
        return [one for one in every if not one.waits(held, again)]

    def _judge(
        self,
        db: Connection,
        unit: Unit,
        read: Mapping[int, Organisation],
        alerts: Mapping[str, Alerts],
        clock: Mapping[int, datetime],
    ) -> Iterable[tuple[Found, Alerts]]:
        """Yield what is found of each of a unit, and the alerts known of them."""
        if len(unit.places) > 1:
            told = [
                one.alert for of in unit.members for each in alerts[of].values() for one in each
            ]
            first = origins(db, unit.organisation, told)
            presents = store.present(db, self._tables)
            mine = belonging(unit, alerts, first)
            yield from judge_unit(unit, read, self._rules, mine, presents)
            return
        ((client, partition),) = unit.places.items()
        around, own, until = read[partition], unit.own[client], clock[partition]
        known = acted_on(alerts[client], own, around)
        if own:
            yield judge_client(around, client, own, self._rules, known, until), known
        elif client not in around.silences:
            # Nothing is known of it (any more): let it be due no longer.
            yield Found(Life((around.id, client), None, 0, (), ()), ()), {}
        for rule in self._feed_rules if client in around.silences else ():
            yield judge_source(around, client, rule, known, until), known

    def _keep(self, db: Connection, judged: Judged, telling: Telling) -> set[Who]:
        """Write what holds; return whose caseloads are otherwise now."""
        lives = [one.life for one in judged.all]
        store.save(db, self._tables, judged.places, lives)
        telling.add(judged)
        if not self._voice.aloud:
            # What was shown may have been another's guess: it is in no ledger.
            store.show_nothing(db, self._tables, [one.who for one in lives])
        return caseloads.save(db, self._tables, lives)

    def _tell(self, db: Connection, telling: Telling) -> None:
        """Write what to tell, and show it.

        In the end, because who does so is alone until the transaction is over: nobody waits for
        anything else while others wait for them.
        """
        if self._voice.aloud:
            for organisation in telling.organisations:
                alone(db, organisation)
            hushing.hush(db, telling.hushed, states(telling.steps))
        kept = self._voice.keep(db, telling.steps)
        if self._voice.aloud:
            hushing.say(db, telling.sayable)
        store.show(db, self._tables, telling.places, [*telling.stale, *map(shown, kept)])


def presents(items: Iterable[Item]) -> dict[int, datetime]:
    """Return the latest moment that each partition speaks of as the present."""
    latest: dict[int, datetime] = {}
    for item in items:
        place, seen = item.record.partition, present(item)
        latest[place] = max(seen, latest.get(place, seen))
    return latest


def present(item: Item) -> datetime:
    """Return the latest moment that a record speaks of as the present.

    Raises:
        Unreadable: when that is absurd: time never goes back, so every deadline would be over.
    """
    event, latest = item.envelope.event, item.envelope.recorded_at
    if event.type == TICK:
        latest = max(latest, parse_time(event.data["tick_at"]))
    if latest - item.record.appended_at > FUTURE:
        raise Unreadable("it speaks of a time that cannot be the present")
    return latest
