"""The `dataset` command: one file per subcommand, each with a click command of its own name.

The first line of a file says what its command does. Exit codes: 0 clean, 1 a finding, 2 misuse.
"""

import difflib
import sys
from importlib import import_module
from pathlib import Path

import click

from stages.contract.params import Stop

FOLDER = Path(__file__).parent


class Commands(click.Group):
    """The files of this folder are the list of commands; one is imported when it is called, none to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands by name."""
        return sorted(file.stem.rstrip("_").replace("_", "-") for file in FOLDER.glob("[!_]*.py"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with what it does."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose(name)) for name in self.list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of one file."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{file_of(cmd_name)}"), file_of(cmd_name))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As the base does; a misspelt command is answered with the nearest."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and (near := difflib.get_close_matches(args[0], names, 1)):
            ctx.fail(f"No such command '{args[0]}'; did you mean {near[0]}?")
        return super().resolve_command(ctx, args)


def file_of(name: str) -> str:
    """The module of a command; a name that Python keeps for itself ends in an underscore there, as `try_` does."""
    stem = name.replace("-", "_")
    return stem if (FOLDER / f"{stem}.py").is_file() else f"{stem}_"


def purpose(name: str) -> str:
    """What a command does, from the first line of its file."""
    with (FOLDER / f"{file_of(name)}.py").open(encoding="utf-8") as file:
        return file.readline().strip().strip('"').partition(": ")[2].rstrip(".")


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
