"""Many seeds, on every core."""

import gc
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from multiprocessing import get_context
from typing import Final

from rich.console import Console
from rich.progress import Progress

from services.cli.serve import COLLECT_AFTER
from shared import logs
from tests.simulation.installation import an_installation
from tests.simulation.simulate import SEEDS_PER_SCENARIO, Run, Simulator

LARGEST_SEED: Final = 10**9


def many(seeds: range) -> list[Run]:
    """Run seeds, and show how far it is on a terminal; return those that failed, in order."""
    console = Console(stderr=True)
    failures: list[Run] = []
    with (
        Progress(console=console, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(
            os.cpu_count(), mp_context=get_context("spawn"), initializer=prepare
        ) as pool,
    ):
        task = progress.add_task("simulating", total=len(seeds))
        for done in as_completed([pool.submit(some, chunk) for chunk in _by_scenario(seeds)]):
            runs = done.result()
            failures += [run for run in runs if run.reason is not None]
            progress.update(task, advance=len(runs))
    return sorted(failures, key=lambda run: run.seed)


def prepare() -> None:
    """Have a process that only simulates say nothing else, and collect garbage as workers do."""
    logs.configure("critical")
    gc.set_threshold(*COLLECT_AFTER)


def some(seeds: Iterable[int]) -> list[Run]:
    """Run a few seeds in this process."""
    return list(_run(seeds))


def some_until_failure(seeds: Iterable[int]) -> Run | None:
    """Run seeds in this process until one fails; return its run."""
    return next((run for run in _run(seeds) if run.reason is not None), None)


def _run(seeds: Iterable[int]) -> Iterator[Run]:
    with an_installation() as installation, closing(Simulator(installation)) as simulator:
        for seed in seeds:
            yield simulator.run(seed)


def _by_scenario(seeds: range) -> Iterator[list[int]]:
    chunk: list[int] = []
    for seed in seeds:
        if chunk and chunk[-1] // SEEDS_PER_SCENARIO != seed // SEEDS_PER_SCENARIO:
            yield chunk
            chunk = []
        chunk.append(seed)
    if chunk:
        yield chunk
