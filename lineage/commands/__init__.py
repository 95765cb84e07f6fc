"""The `dataset` command: one file per subcommand, each with a click command of its own name.

Exit codes: 0 clean, 1 a finding, 2 misuse.
"""

import pkgutil
import sys
from importlib import import_module

import click

from stages.contract.params import Stop


class Commands(click.Group):
    """The files of this folder are the list of commands; one is imported when it is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands by name."""
        return sorted(module.name for module in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of one file."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def dataset() -> None:
    """Questions about the dataset. Exit code 0: clean, 1: a finding, 2: misuse."""


def main() -> None:
    """Run the command; a user's mistake ends with its message and code 2."""
    try:
        dataset()
    except Stop as mistake:
        click.echo(mistake, err=True)
        sys.exit(2)
