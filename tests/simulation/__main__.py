"""``make simulation``: run many seeds on every core, or one again (``SEED=123``)."""

import secrets
import time
from typing import Final

import click

from tests.simulation.guards import hunts
from tests.simulation.many import LARGEST_SEED, many, prepare, some
from tests.simulation.simulate import Run

TAIL: Final = 60
"""Lines of a failing schedule that are shown; its replay shows all."""


@click.command()
@click.option("--seeds", default=2_000, show_default=True, help="How many.")
@click.option("--first", type=int, help="Begin here; by default somewhere new each time.")
@click.option("--guards", is_flag=True, help="Instead, see that each missing guard is noticed.")
@click.option("--seed", type=int, help="Run this one alone, and print all that happened.")
def main(seeds: int, first: int | None, guards: bool, seed: int | None) -> None:
    """Simulate the whole of Rapport under a virtual clock, with trouble at every step."""
    if seed is not None:
        raise click.exceptions.Exit(replay(seed))
    start = secrets.randbelow(LARGEST_SEED) if first is None else first
    if guards:
        raise click.exceptions.Exit(without_guards(start))
    began = time.monotonic()
    failures = many(range(start, start + seeds))
    took_s = time.monotonic() - began
    for failure in failures:
        show(failure, TAIL)
        click.echo(f"replay it: make simulation SEED={failure.seed}\n")
    click.echo(
        f"{seeds} seeds from {start}: {len(failures)} failed;"
        f" {took_s:.0f} s, {seeds / took_s:.1f} seeds/s"
    )
    raise click.exceptions.Exit(1 if failures else 0)


def replay(seed: int) -> int:
    """Run one seed and print its whole schedule; return the exit code."""
    prepare()
    (run,) = some([seed])
    show(run, len(run.trace))
    return 0 if run.reason is None else 1


def without_guards(first: int) -> int:
    """Look for a failure without each guard; return the exit code."""
    missed = 0
    for found in hunts(first):
        seen = f"seed {found.seed}, the {found.after}th: {found.reason[:100]}"
        click.echo(f"{found.guard.name:<44} {'NOT NOTICED' if found.seed is None else seen}")
        missed += found.seed is None
    return 1 if missed else 0


def show(run: Run, lines: int) -> None:
    """Print the end of a schedule, and what did not hold."""
    click.echo(f"seed {run.seed}: {len(run.trace)} actions, digest {run.digest[:16]}")
    click.echo("\n".join(run.trace[-lines:]))
    click.echo(run.reason or "everything held")


if __name__ == "__main__":
    main()
