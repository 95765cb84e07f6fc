"""`dataset versions`: the releases, the highest first, with what each one holds."""

import sys
from itertools import pairwise

import click

from lineage import release
from lineage.release import Release
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one release a line as JSON.")
def versions(as_json: bool) -> None:
    """List the releases; exit 1 if there is none."""
    found = release.releases()
    before = {each.version: other for each, other in pairwise(found)}
    for each in found:
        click.echo(encode(each) if as_json else visible(line(each, before.get(each.version))))
    if not found:
        click.echo("There is no release yet; `dataset release 1.0.0` makes one.", err=True)
    sys.exit(0 if found else 1)


def line(each: Release, before: Release | None) -> str:
    """One release for people."""
    examples = each.counts.get("examples")
    change = examples - before.counts["examples"] if before and examples and "examples" in before.counts else None
    counted = "no manifest" if examples is None else f"{examples:>9,} examples"
    more = f" ({change:+,})" if change is not None else ""
    signature = "signed" if each.signed else ""
    return f"{each.version:<14}{each.date}  {each.commit[:7]}  {counted}{more:<10}  {signature}".rstrip()
