"""Draw what was found: one table, and a second one of costs."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.findings import Cost, Findings, Row
from tests.bench.measuring import Measured

WIDTH: Final = 165
MISSED: Final = "MISSED"


def draw(console: Console, machine: Mapping[str, str], found: Mapping[str, Findings]) -> None:
    """Print the machine, both tables and the notes."""
    console.print("; ".join(f"{name} {text}" for name, text in machine.items()))
    console.print()
    console.print(_rows(found))
    costs = [cost for findings in found.values() for cost in findings.costs]
    if costs:
        console.print()
        console.print(_costs(costs))
    console.print()
    for findings in found.values():
        for note in findings.notes:
            console.print(f"- {note}")


def _rows(found: Mapping[str, Findings]) -> Table:
    table = Table(box=None, pad_edge=False, title="Medians (lowest–highest)", title_justify="left")
    for name in ("what", "Rapport", "against", "its figure", "ratio", "target", ""):
        right = name in {"Rapport", "its figure", "ratio"}
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for group, findings in found.items():
        table.add_row(group.upper())
        for row in findings.rows:
            table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> Sequence[str]:
    target = row.target
    wanted = "" if target is None else f"{target.sense} {number(target.limit)}"
    if target is not None and target.of == "ratio":
        wanted += " ×"
    met = {None: "", True: "met", False: MISSED}[row.met]
    return (f"  {row.what}", f"{_cell(row.value)} {row.unit}", row.against, _cell(row.other),
            _cell(row.ratio), wanted, met)  # fmt: skip


def _costs(costs: Sequence[Cost]) -> Table:
    table = Table(box=None, pad_edge=False, title="What one event costs", title_justify="left")
    table.add_column("part")
    table.add_column("figure", justify="right")
    table.add_column("unit")
    table.add_column("measured on")
    for cost in costs:
        table.add_row(cost.part, number(cost.figure), cost.unit, cost.note)
    return table


def _cell(taken: Measured | None) -> str:
    if taken is None:
        return ""
    if len(taken.figures) == 1:
        return number(taken.median)
    return f"{number(taken.median)} ({number(taken.low)}–{number(taken.high)})"


def number(figure: float) -> str:
    """Return a figure with as many digits as mean something."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}".replace(",", " ")
    if abs(figure) >= 10:
        return f"{figure:.1f}"
    return f"{figure:.2f}"
