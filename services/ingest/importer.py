"""Bring history in from a file: the same way as everything else, in batches, safe to repeat."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from services.ingest.adapter import Draft, Origin, Reading
from services.ingest.canonical import canonical_content
from services.ingest.files import Line
from services.ingest.ingest import Ingest, Outcome, Sender
from shared.clock import parse_time
from shared.envelope import TYPE_PREFIX
from shared.errors import Fault

BATCH: Final = 500
"""Lines that are taken together."""

UNDER_WAY: Final = 4
"""Batches that wait for the stream while the next one is prepared."""

UNNAMED: Final = "unnamed"
"""Stands for the id of a row whose content has no time, and so no name; it is refused anyway."""


@dataclass(slots=True)
class Summary:
    """What became of a file so far; ``accepted`` counts what the stream has acknowledged."""

    accepted: int = 0
    rejected: int = 0
    ignored: int = 0


class Importer:
    """Imports one file."""

    def __init__(
        self,
        ingest: Ingest,
        sender: Sender,
        origin: Origin,
        reject: Callable[[Line, str], None],
        progress: Callable[[int], None],
    ) -> None:
        """Import nothing yet.

        Args:
            ingest: The way in.
            sender: On whose behalf.
            origin: The source that the file came from.
            reject: Is told of each line that was not taken, and why.
            progress: Is told how many bytes of the file are done.
        """
        self._ingest = ingest
        self._sender = sender
        self._origin = origin
        self._reject = reject
        self._progress = progress
        self.summary = Summary()

    def run(self, lines: Iterable[Line]) -> None:
        """Take every good line, and reject the others.

        One thread publishes, batch after batch, so that what one client's lines say reaches the
        stream in the order of the file.

        Raises:
            StreamUnavailable, DatabaseUnavailable: when they do not answer; running it again
                loses nothing and doubles nothing, because every id follows from the file.
        """
        waiting: deque[tuple[Future[Outcome], int]] = deque()
        publishing = ThreadPoolExecutor(1, thread_name_prefix="import")
        try:
            for batch in _batches(lines):
                prepared = self._ingest.prepare(self._reading(batch), self._sender, skip=True)
                self._reject_each(batch, prepared.outcome)
                done = publishing.submit(self._ingest.publish, prepared)
                waiting.append((done, batch[-1].ends_at))
                if len(waiting) > UNDER_WAY:
                    self._settle(*waiting.popleft())
            while waiting:
                self._settle(*waiting.popleft())
        finally:
            publishing.shutdown(cancel_futures=True)

    def _reading(self, batch: Sequence[Line]) -> Reading:
        """Return the drafts of a batch, each pointing to its line."""
        return Reading(
            tuple(
                replace(self._named(draft), pointer=str(line.number))
                for line in batch
                for draft in line.reading.drafts
            ),
            tuple(ignored for line in batch for ignored in line.reading.ignored),
        )

    def _named(self, draft: Draft) -> Draft:
        given = {**draft.attributes, "backfill": True}
        given.setdefault("source", self._origin.urn)
        if "id" not in given:
            given["id"] = self._name(given, draft.data)
        return replace(draft, attributes=given)

    def _name(self, given: Mapping[str, Any], data: Any) -> str:
        """Return the keyed hash of a row's content, which is its id wherever it comes from."""
        try:
            time = parse_time(given.get("time", ""))
        except ValueError:
            return UNNAMED
        type_name = given.get("type", "").removeprefix(TYPE_PREFIX)
        content = canonical_content(type_name, given.get("subject"), time, data)
        return self._ingest.content_hash(self._sender.organisation, content)

    def _reject_each(self, batch: Sequence[Line], outcome: Outcome) -> None:
        faults: dict[str, list[Fault]] = {}
        for refusal in outcome.refused:
            faults.setdefault(refusal.pointer, []).extend(refusal.faults)
        for line in batch:
            wrong = [*line.reading.faults, *faults.get(str(line.number), ())]
            if wrong:
                self._reject(line, "; ".join(_reason(fault) for fault in wrong))
                self.summary.rejected += 1

    def _settle(self, done: Future[Outcome], ends_at: int) -> None:
        outcome = done.result()
        self.summary.accepted += len(outcome.accepted)
        self.summary.ignored += len(outcome.ignored)
        self._progress(ends_at)


def _reason(fault: Fault) -> str:
    allowed = f" Allowed: {', '.join(fault.allowed)}." if fault.allowed else ""
    return f"{fault.pointer or 'row'}: {fault.message}{allowed}"


def _batches(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    rest = iter(lines)
    while batch := list(islice(rest, BATCH)):
        yield batch
