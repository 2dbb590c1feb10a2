"""``make faults``: run every experiment, and each again without each of its guards."""

import secrets
from collections.abc import Iterator, Sequence

import click
from rich.console import Console

from shared import logs
from tests.faults.experiment import Engines, Experiment, Postgres, Result, run
from tests.faults.experiments import EXPERIMENTS
from tests.faults.guards import Guard
from tests.support.missing import Missing

console = Console(stderr=True, highlight=False, soft_wrap=True)


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run only this; may be repeated.")
@click.option("--seed", type=int, help="Repeat a run; a fresh seed for each by default.")
@click.option("--short", is_flag=True, help="The short forms, as in make test.")
@click.option("--guards/--no-guards", default=True, help="Also without each guard.")
@click.option("--list", "list_them", is_flag=True, help="List the experiments and their guards.")
def main(
    only: Sequence[str], seed: int | None, short: bool, guards: bool, list_them: bool
) -> None:
    """Break Rapport in every way we know, and see that everything that must hold still holds.

    \b
    make faults
    make faults ARGS="--only duplicates --seed 1234"
    """
    chosen = _chosen(only)
    if list_them:
        for one in chosen:
            click.echo(f"{one.name:<28} {', '.join(map(str, one.engines))}")
            for guard in one.guards:
                click.echo(f"    without {guard.name}")
        return
    # What the reading side says in this process is no part of the table.
    logs.configure("error")
    postgres = Postgres()
    results: list[Result] = []
    missing: list[str] = []
    try:
        for experiment, engines, without in _plan(chosen, guards=guards):
            said = f"{experiment.name} on {engines}{f' without {without.name}' if without else ''}"
            with console.status(f"{len(results) + 1}: {said} …"):
                try:
                    result = _tried(experiment, engines, without, seed, postgres, short=short)
                except Missing as error:
                    missing.append(f"NOT RUN: {said}: {error}")
                    continue
            results.append(result)
            _tell(result)
    finally:
        postgres.stop()
    _summary(results, missing)


def _chosen(only: Sequence[str]) -> list[Experiment]:
    known = {one.name for one in EXPERIMENTS}
    if unknown := set(only) - known:
        raise click.UsageError(f"no such experiment: {', '.join(sorted(unknown))}; see --list")
    return [one for one in EXPERIMENTS if not only or one.name in only]


def _plan(
    chosen: Sequence[Experiment], *, guards: bool
) -> Iterator[tuple[Experiment, Engines, Guard | None]]:
    for experiment in chosen:
        for engines in experiment.engines:
            yield experiment, engines, None
        for without in experiment.guards if guards else ():
            yield experiment, experiment.engines_without(without), without


def _tried(
    experiment: Experiment,
    engines: Engines,
    guard: Guard | None,
    seed: int | None,
    postgres: Postgres,
    *,
    short: bool,
) -> Result:
    """Run once; without a guard that needs a coincidence, with further seeds as well."""
    first = secrets.randbelow(2**31) if seed is None else seed
    result = run(experiment, first, engines, postgres, without=guard, short=short)
    for n in range(1, guard.tries if guard else 1):
        if result.as_it_should:
            break
        result = run(experiment, first + n, engines, postgres, without=guard, short=short)
    return result


def _tell(result: Result) -> None:
    name = f"  without {result.without.name}" if result.without else result.experiment
    mark = "ok  " if result.as_it_should else "FAIL"
    notes = f"   ({'; '.join(result.notes)})" if result.notes else ""
    said = result.said if not result.as_it_should or result.without is None else result.said[:200]
    click.echo(
        f"{mark} {name:<44} seed {result.seed:<10} {result.engines!s:<17}"
        f" {result.seconds:6.1f} s {result.cpu_s:6.1f} CPU  {said}{notes}"
    )


def _summary(results: Sequence[Result], missing: Sequence[str]) -> None:
    plain = [one for one in results if one.without is None]
    without = [one for one in results if one.without is not None]
    wrong = [one for one in results if not one.as_it_should]
    click.echo()
    click.echo(
        f"{sum(one.as_it_should for one in plain)} of {len(plain)} experiments held;"
        f" {sum(one.as_it_should for one in without)} of {len(without)} missing guards noticed;"
        f" {sum(one.seconds for one in results):.0f} s,"
        f" {sum(one.cpu_s for one in results):.0f} s of CPU"
    )
    for line in missing:
        click.secho(line, fg="red", bold=True)
    for one in wrong:
        name = f"{one.experiment}{f' without {one.without.name}' if one.without else ''}"
        click.secho(f"FAIL {name} --seed {one.seed}", fg="red", bold=True)
    if wrong or not results:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
