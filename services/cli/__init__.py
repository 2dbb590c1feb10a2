"""The command line ``rapport``: one module per group of commands, loaded when it is used."""

import importlib
from collections.abc import Mapping

import click

from shared import logs

COMMANDS: Mapping[str, str] = {
    "demo": "services.cli.demo:demo",
    "up": "services.cli.serve:up",
    "serve": "services.cli.serve:serve",
    "org": "services.cli.org:org",
    "clinic": "services.cli.clinic:clinic",
    "source": "services.cli.source:source",
    "key": "services.cli.key:key",
    "recipient": "services.cli.recipient:recipient",
    "import": "services.cli.import_:import_",
    "timeline": "services.cli.timeline:timeline",
    "alerts": "services.cli.alerts:alerts",
    "rules": "services.cli.alerts:rules",
    "boundary": "services.cli.boundary:boundary",
    "instruments": "services.cli.instruments:instruments",
    "analyse": "services.cli.analysis.command:analyse",
    "rebuild": "services.cli.rebuild:rebuild",
    "parked": "services.cli.parked:parked",
    "doctor": "services.cli.doctor:doctor",
}
"""Name → module and command, in the order in which a newcomer meets them."""


class _Commands(click.Group):
    """Loads a command's module only when the command is used: ``--help`` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="rapport")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Watch over therapeutic alliances: from signed webhooks to timelines and alerts.

    \b
    Try it:            rapport demo
    Run everything:    rapport up
    Begin for real:    rapport org create "Northside Therapy"
                       rapport clinic set north --timezone Europe/London --sends sessions
                       rapport source create practice-system
                       rapport recipient add lead --role leadership --url https://…
                       rapport key create --right read
    Is all well?       rapport doctor

    Settings come from the environment (RAPPORT_…); see the README.
    """
    ctx.with_resource(logs.beside_data())
