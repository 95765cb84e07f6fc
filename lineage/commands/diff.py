"""`dataset diff`: what differs between two versions, row by row, and why."""

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import click

from lineage.browse import STAGES
from stages.contract.paths import SPLITS

if TYPE_CHECKING:
    from lineage.diff import Diff

FORMS = {"md": "markdown", "html": "page"}


@click.command()
@click.argument("before")
@click.argument("after", required=False)
@click.option(
    "--rows", default=0, show_default=True, type=click.IntRange(0), help="Rows of each kind shown with their text."
)
@click.option("--split", type=click.Choice(SPLITS), help="Rows of this split only.")
@click.option("--stage", type=click.Choice(STAGES), help="Rows that this stage decided on only.")
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", *FORMS]),
    help="How it is written.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--fail-on", "limits", multiple=True, help="Exit 1 if it is so: removed>5%, train.moved>0, topic>0.05.")
def diff(
    before: str,
    after: str | None,
    rows: int,
    split: str | None,
    stage: str | None,
    form: str,
    as_json: bool,
    limits: tuple[str, ...],
) -> None:
    """Say what differs from BEFORE to AFTER: commits, tags or branches; AFTER is the working tree if left out.

    Exit 1 if a limit of --fail-on is met.
    """
    from lineage import diff as differing

    gc.disable()  # a million rows are no garbage, and the process ends with the answer
    held = [differing.limit(each) for each in limits]
    found = differing.diff(before, after, split, stage, rows)
    met = differing.over(found, held)
    click.echo(written(found, "json" if as_json else form))
    for each in met:
        click.echo(f"--fail-on {each}", err=True)
    sys.exit(1 if met else 0)


def written(found: "Diff", form: str) -> str:
    """The difference in a form."""
    if form == "json":
        from stages.contract.record import encode

        return encode(found).decode()
    if form == "text":
        from lineage.difference import terminal

        return "\n".join(terminal.lines(found))
    module: ModuleType = import_module(f"lineage.difference.{FORMS[form]}")  # the page's takes a second
    return str(module.page(found))
