"""Files of history, line by line: CSV tables, and NDJSON with one event a line."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple

from services.ingest.adapter import Adapter, Draft, Origin, Reading
from services.ingest.tables import REQUIRED, read_row
from shared.errors import Fault, Refused
from shared.web.errors import Problem
from shared.web.strict import strict_json

Kind = Literal["csv", "ndjson"]

MAX_LINE_BYTES: Final = 1_048_576
"""As large as a request may be by default (own)."""

REJECTED_LINE: Final = "rejected_line"
REJECTED_REASON: Final = "rejected_reason"
"""Columns that a rejects file has beside the original's; an import leaves them aside, so a rejects
file that was mended can be imported as it is."""

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        number: From 1, as an editor counts.
        raw: Its bytes, without the end of the line.
        reading: What it tells; its faults say why it cannot be read.
        ends_at: How many bytes of the file end with it.
    """

    number: int
    raw: bytes
    reading: Reading
    ends_at: int


def kind_of(path: Path) -> Kind:
    """Return what a file is, by its name.

    Raises:
        Refused: when it is neither; the sentence says what to do.
    """
    match path.suffix.lower():
        case ".csv":
            return "csv"
        case ".ndjson" | ".jsonl":
            return "ndjson"
        case ".json":
            message = (
                "is one JSON document. Write events as NDJSON, one a line. A FHIR bundle needs a"
                " source whose adapter reads FHIR, and this version has none"
            )
            raise Refused([Fault("/file", message, "unknown_format")])
    message = "must end in .csv, .ndjson or .jsonl"
    raise Refused([Fault("/file", message, "unknown_format")])


class Contents(NamedTuple):
    """A file that is being read.

    Attributes:
        header: What a rejects file of it begins with.
        lines: Its lines, or the rows below its header, one by one.
    """

    header: bytes
    lines: Iterator[Line]


def read_ndjson(file: BinaryIO, adapter: Adapter, origin: Origin) -> Contents:
    """Read an NDJSON file, each line by the source's adapter."""
    return Contents(
        b"",
        (
            Line(number, raw, _read_document(raw, adapter, origin), ends_at)
            for number, raw, ends_at in _lines(file)
        ),
    )


def read_csv(file: BinaryIO) -> Contents:
    """Read a CSV table; no value spans lines, so one broken row breaks no other.

    Raises:
        Refused: when the first line is not a header that says ``type`` and ``time``.
    """
    lines = _lines(file)
    columns = header_of(next(lines, (1, b"", 0))[1])
    header = _joined([REJECTED_LINE, REJECTED_REASON, *_without_rejection(columns, columns)])
    return Contents(header + b"\n", (_row(line, columns) for line in lines))


def header_of(raw: bytes) -> Sequence[str]:
    """Return the columns of a table.

    Raises:
        Refused: as ``read_csv`` says.
    """
    columns = [column.strip() for column in _cells(raw) or ()]
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        message = f"the first line must name the columns; missing: {', '.join(missing)}"
        raise Refused([Fault("/file", message, "no_header")])
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        message = f"the first line names columns twice: {', '.join(twice)}"
        raise Refused([Fault("/file", message, "no_header")])
    return columns


def rejected(kind: Kind, line: Line, reason: str) -> bytes:
    """Return the line of a rejects file: the original, after its number and the reason."""
    if kind == "csv":
        return _joined([str(line.number), reason]) + b"," + line.raw + b"\n"
    said: dict[str, Any] = {REJECTED_LINE: line.number, REJECTED_REASON: reason}
    try:
        event = strict_json(line.raw)
    except Problem:
        event = None
    rest = event if isinstance(event, dict) else {"text": line.raw.decode(errors="replace")}
    return json.dumps({**said, **rest}, ensure_ascii=False).encode() + b"\n"


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, bytes and end of every line that is not blank; cut what is too long."""
    number = ends_at = 0
    while raw := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        ends_at += len(raw)
        rest = raw
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            ends_at += len(rest)
        if number == 1:
            raw = raw.removeprefix(_BOM)
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        if raw.strip():
            yield number, raw, ends_at


def _read_document(raw: bytes, adapter: Adapter, origin: Origin) -> Reading:
    try:
        body = strict_json(raw, MAX_LINE_BYTES)
    except Problem as problem:
        return Reading((), faults=problem.errors or _TOO_LONG)
    if isinstance(body, dict):
        body = {n: v for n, v in body.items() if n not in (REJECTED_LINE, REJECTED_REASON)}
    reading = adapter.read(body, origin)
    return replace(reading, drafts=tuple(_sourced(draft, origin) for draft in reading.drafts))


def _sourced(draft: Draft, origin: Origin) -> Draft:
    return replace(draft, attributes={"source": origin.urn, **draft.attributes})


def _row(line: tuple[int, bytes, int], columns: Sequence[str]) -> Line:
    number, raw, ends_at = line
    cells = _cells(raw) if len(raw) <= MAX_LINE_BYTES else None
    if cells is None:
        return Line(number, raw, Reading((), faults=_NO_ROW), ends_at)
    if len(cells) != len(columns):
        message = f"The row has {len(cells)} values for {len(columns)} columns."
        fault = Fault("", message, "not_a_row")
        return Line(number, raw, Reading((), faults=(fault,)), ends_at)
    own = _without_rejection(columns, cells)
    if len(own) < len(cells):
        raw = _joined(own)
    row = dict(zip(_without_rejection(columns, columns), own, strict=True))
    return Line(number, raw, Reading((read_row(row),)), ends_at)


def _without_rejection(columns: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return the cells of those columns that a rejects file did not add."""
    added = (REJECTED_LINE, REJECTED_REASON)
    return [cell for column, cell in zip(columns, cells, strict=True) if column not in added]


def _cells(raw: bytes) -> list[str] | None:
    try:
        return next(csv.reader([raw.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _joined(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


_TOO_LONG = (Fault("", f"The line is longer than {MAX_LINE_BYTES} bytes.", "too_large"),)
_NO_ROW = (
    Fault("", "This is no row of CSV in UTF-8: look for quotes and line breaks.", "not_a_row"),
)
