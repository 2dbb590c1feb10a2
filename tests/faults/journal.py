"""A sender that keeps an fsynced journal: what it meant to send, and what became of it.

One JSON object a line. The intent is on the disk before the first byte is sent, so that what was
under way when anything died is known to be *unknown*, never forgotten.
"""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from tests.faults.installation import Tenant
from tests.support.front_door import BATCH, STRUCTURED, signed

Document = dict[str, Any]
State = Literal["acknowledged", "refused", "unknown"]
Way = Literal["webhook", "api"]

ANSWER_WITHIN_S: Final = 20.0
"""Longer than the product waits for its stream, so that a 503 is heard as such."""

AGAIN_WITHIN_S: Final = 180.0
AGAIN_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sending:
    """One request.

    Attributes:
        number: Counts the requests of a journal.
        organisation: Opaque id of whom it was sent for.
        documents: The events, as sent.
        state: What became of it; ``unknown`` until something is known.
        accepted: Of an acknowledged one: what the 202 answer named, in the order of the body.
        codes: Of a refused one: its status, then the code of each fault.
        why: Of an unknown one: what happened.
        repeats: The number of the sending that this one repeats.
    """

    number: int
    organisation: str
    documents: tuple[Document, ...]
    state: State = "unknown"
    accepted: tuple[tuple[str, str | None], ...] = ()
    codes: tuple[str, ...] = ()
    why: str = "nothing was heard"
    repeats: int | None = None


class Journal:
    """A file that outlives the process that writes it. Safe to write from many threads."""

    def __init__(self, path: Path) -> None:
        """Open it, or begin it."""
        self._path = path
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._number = len(self.sendings())

    def intend(
        self, organisation: str, documents: Sequence[Document], repeats: int | None = None
    ) -> Sending:
        """Keep what is about to be sent; returns once it is on the disk."""
        with self._lock:
            self._number += 1
            one = Sending(self._number, organisation, tuple(documents), repeats=repeats)
            self._write({"number": one.number, "intent": organisation,
                         "documents": list(documents), "repeats": repeats})  # fmt: skip
        return one

    def settle(self, one: Sending) -> None:
        """Keep what became of it."""
        with self._lock:
            self._write({"number": one.number, "state": one.state, "accepted": one.accepted,
                         "codes": one.codes, "why": one.why})  # fmt: skip

    def sendings(self) -> list[Sending]:
        """Read back everything that was sent, in the order of the intents."""
        found: dict[int, Sending] = {}
        for line in self._path.read_text().splitlines():
            entry = json.loads(line)
            number = entry["number"]
            if "intent" in entry:
                found[number] = Sending(number, entry["intent"], tuple(entry["documents"]),
                                        repeats=entry["repeats"])  # fmt: skip
            else:
                found[number] = replace(
                    found[number], state=entry["state"], why=entry["why"],
                    accepted=tuple((one, client) for one, client in entry["accepted"]),
                    codes=tuple(entry["codes"]),
                )  # fmt: skip
        return list(found.values())

    def unknown(self) -> list[Sending]:
        """Return what is unknown still, although sent again perhaps."""
        every = self.sendings()
        known = {one.repeats for one in every if one.state != "unknown"}
        return [
            one
            for one in every
            if one.state == "unknown" and one.number not in known and one.repeats is None
        ]

    def counts(self) -> str:
        """Say how many sendings ended how."""
        every = [one.state for one in self.sendings()]
        states: tuple[State, ...] = ("acknowledged", "refused", "unknown")
        return ", ".join(f"{every.count(state)} {state}" for state in states)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Sender:
    """Sends for one tenant over HTTP. Safe in many threads; never raises for an answer."""

    def __init__(
        self,
        journal: Journal,
        address: Callable[[], str],
        tenant: Tenant,
        *,
        way: Way = "webhook",
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        """Send nothing yet.

        Args:
            journal: Where everything is kept.
            address: Asked before each request: ``http://host:port`` of an ingest process.
            tenant: Whose source or key it is.
            way: Signed webhooks, or the API with a key.
            answer_within_s: After so long without an answer a request is unknown.
        """
        self._journal = journal
        self._address = address
        self._tenant = tenant
        self._way = way
        self._answer_within_s = answer_within_s

    def send(self, documents: Sequence[Document], repeats: int | None = None) -> Sending:
        """Send events as one request, and keep what became of it."""
        one = self._journal.intend(self._tenant.organisation, documents, repeats)
        try:
            status, body = self._post(documents, one.number)
        except (OSError, http.client.HTTPException) as error:
            one = replace(one, why=f"{type(error).__name__}: {error}")
        else:
            one = _outcome(one, status, body)
        self._journal.settle(one)
        return one

    def send_all(self, batches: Iterable[Sequence[Document]], threads: int = 1) -> None:
        """Send requests, in order by one thread or as they come by several."""
        if threads == 1:
            for batch in batches:
                self.send(batch)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self.send, batches))

    def send_unknowns_again(self, within_s: float = AGAIN_WITHIN_S) -> None:
        """Send what is unknown again and again, until it is known.

        Raises:
            TimeoutError: when something is unknown still after ``within_s``.
        """
        deadline = time.monotonic() + within_s
        mine = self._tenant.organisation
        while unknown := [o for o in self._journal.unknown() if o.organisation == mine]:
            for one in unknown:
                again = self.send(one.documents, repeats=one.number)
                if again.state == "unknown" and time.monotonic() > deadline:
                    raise TimeoutError(f"after {within_s:g} s still unknown: {again.why}")
                if again.state == "unknown":
                    time.sleep(AGAIN_EVERY_S)

    def _post(self, documents: Sequence[Document], number: int) -> tuple[int, bytes]:
        single = len(documents) == 1
        body = json.dumps(documents[0] if single else documents).encode()
        headers = {"Content-Type": STRUCTURED if single else BATCH}
        if self._way == "api":
            path = "/v1/events"
            headers["Authorization"] = f"Bearer {self._tenant.token}"
        else:
            path = f"/v1/sources/{self._tenant.source}/webhook"
            now = datetime.now(UTC)
            headers |= signed(body, self._tenant.secret, id=f"msg_{number}", at=now)
        netloc = urlsplit(self._address()).netloc
        connection = http.client.HTTPConnection(netloc, timeout=self._answer_within_s)
        with closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


def _outcome(one: Sending, status: int, body: bytes) -> Sending:
    """Return what a status and a body mean: only 202 acknowledges, only 4xx refuses."""
    if status == 202:
        accepted = tuple((e["id"], e["client"]) for e in json.loads(body)["accepted"])
        return replace(one, state="acknowledged", accepted=accepted, why="")
    if 400 <= status < 500:
        codes = tuple(fault["code"] for fault in json.loads(body).get("errors", ()))
        return replace(one, state="refused", codes=(str(status), *codes), why="")
    return replace(one, why=f"status {status}")
