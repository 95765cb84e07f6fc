"""`dataset status`: one screen on the dataset: sources, what is stale, gate, remote, last release."""

import sys

import click

from lineage.status import lines, state
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")
def status(as_json: bool) -> None:
    """Show where the dataset stands and what to do next; exit 1 if a stage is stale or the gate does not pass."""
    found = state()
    click.echo(encode(found) if as_json else visible("\n".join(lines(found))))
    sys.exit(1 if found.stale or not found.gate else 0)
