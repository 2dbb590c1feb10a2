"""Measure Rapport beside the plainest thing that does the same work; print one table.

``make bench`` measures everything; ``make bench ARGS="--only ingest --quick"`` a part, roughly.
"""

import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click
import orjson
from rich.console import Console
from rich.status import Status

from tests.bench.bench import Bench
from tests.bench.findings import Findings
from tests.bench.groups import GROUPS
from tests.bench.machine import machine
from tests.bench.sizes import QUICK, TINY, WHOLE
from tests.bench.tables import WIDTH, draw
from tests.support.missing import Missing
from tests.support.postgres import PostgresServer

SIZES: Final = {"whole": WHOLE, "quick": QUICK, "tiny": TINY}


@click.command(name="bench")
@click.option("--only", multiple=True, type=click.Choice(list(GROUPS)),
              help="Measure this group of rows; may be given several times.")  # fmt: skip
@click.option("--quick", "size", flag_value="quick", help="Fewer repeats of less.")
@click.option("--tiny", "size", flag_value="tiny",
              help="So little that the figures mean nothing: it tries the harness.")  # fmt: skip
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Keep every figure in this file.")  # fmt: skip
def main(only: tuple[str, ...], size: str | None, file: Path | None) -> None:
    """Measure Rapport on real Kafka and PostgreSQL, beside the plainest thing that could do.

    Everything shares this machine: servers, broker, database and load. Only ratios within one run
    mean something elsewhere.

    \b
    make bench
    make bench ARGS="--only ingest --quick --json build/bench.json"
    """
    chosen = size or "whole"
    try:
        postgres = PostgresServer()
    except Missing as missing:
        raise click.ClickException(str(missing)) from missing
    try:
        wanted = only or tuple(GROUPS)
        found = _measured(wanted, chosen, postgres)
        named = machine(postgres)
    finally:
        postgres.stop()
    draw(Console(width=WIDTH, highlight=False), named, found)
    if file is not None:
        file.write_bytes(_json(chosen, named, found))
    if len(found) < len(wanted):
        raise click.exceptions.Exit(1)


def _measured(
    names: tuple[str, ...], size: str, postgres: PostgresServer
) -> Mapping[str, Findings]:
    found: dict[str, Findings] = {}
    with (
        tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder,
        Console(stderr=True).status("") as status,
    ):
        for name in names:
            bench = Bench(SIZES[size], Path(folder) / name, postgres, _told(status, name))
            try:
                found[name] = GROUPS[name](bench)
            except Exception:
                # What the others found took a quarter of an hour; it is shown all the same.
                click.echo(f"{name} failed:\n{traceback.format_exc()}", err=True)
    return found


def _told(status: Status, name: str) -> Callable[[str], None]:
    return lambda text: status.update(f"{name}: {text}")


def _json(size: str, named: Mapping[str, str], found: Mapping[str, Findings]) -> bytes:
    groups = {
        name: {
            "rows": [row.as_json() for row in findings.rows],
            "costs": [cost.as_json() for cost in findings.costs],
            "notes": findings.notes,
        }
        for name, findings in found.items()
    }
    whole = {"size": size, "machine": dict(named), "groups": groups}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


if __name__ == "__main__":
    main()
