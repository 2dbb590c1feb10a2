"""The boundary register in a terminal: a list, and the life of one boundary event, drawn."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

SIGNS: Final[Mapping[str, str]] = {
    "noted": "○",
    "assessed": "◐",
    "acted_on": "◑",
    "closed": "●",
    "reopened": "↺",
}
"""Step → a sign of its own shape, so that a life is whole without colour."""


def show_list(page: Mapping[str, Any]) -> None:
    """Print a page of the register."""
    console = _console()
    for one in page["boundary_events"]:
        console.print(_line(one), soft_wrap=True)
    if not page["boundary_events"]:
        click.echo("There are none.", err=True)
    elif page["next"] is not None:
        click.echo(f"These are the worst; there are {page['total']}. See --limit.", err=True)


def show_one_life(one: Mapping[str, Any]) -> None:
    """Print a boundary event from step to step, with its deadline and its patterns."""
    console = _console()
    console.print(_line(one), soft_wrap=True)
    for line in _life(one):
        console.print(Text(f"  {line}"), soft_wrap=True)
    for pattern in one["patterns"]:
        said = (
            f"Pattern: {len(pattern['boundary_events'])} boundary events of {pattern['kinds']} "
            f"kinds, {pattern['from'][:10]} to {pattern['until'][:10]}"
        )
        console.print(Text(said, style="bold"), soft_wrap=True)


def _life(one: Mapping[str, Any]) -> list[str]:
    due, lines = one["deadline"], []
    for step in one["steps"]:
        role = f" by {_words(step['role'])}" if step["role"] else ""
        severity = "" if step["severity"] is None else f", severity {step['severity']}"
        corrected = " (corrected)" if step.get("corrected") else ""
        lines.append(
            f"{SIGNS[step['step']]} {_moment(step['occurred_at'])}  {_words(step['step'])}{role}: "
            f"{_words(step['code'] or 'unknown')}{severity}{corrected}"
        )
        lines.append(f"│   {step['event']}")
    if due is not None:
        settled = "" if due["settled_at"] is None else f", settled {_moment(due['settled_at'])}"
        late = " (late)" if due["settled_late"] else " (overdue)" if one["overdue"] else ""
        lines.append(f"⚑ {due['due_on']}        assessment due by the end of it{settled}{late}")
    return lines


def _line(one: Mapping[str, Any]) -> Text:
    severity = "?" if one["severity"] is None else one["severity"]
    text = Text()
    text.append(f"severity {severity}  ", style="bold")
    text.append(f"{_words(one['area'] or 'unknown')}, {_words(one['state'])}")
    if one["overdue"]:
        text.append("  assessment overdue", style="bold red")
    since = one["noted_at"]
    where = [
        f"noted {since[:10]}" if since else "never noted",
        f"assessment due by the end of {one['due_on']}"
        if one["due_on"] and not one["settled_at"]
        else "",
        one["clinic"],
        one["client"],
        one["id"],
    ]
    text.append(f"\n  {' · '.join(part for part in where if part)}", style="dim")
    return text


def _moment(time: str) -> str:
    return f"{time[:10]} {time[11:16]}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _console() -> Console:
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
