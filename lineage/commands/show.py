"""`dataset show`: browse records and drops as people read them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from lineage import browse, display
from lineage.browse import Found, Query
from stages.contract.params import stop
from stages.contract.paths import SPLITS
from stages.contract.record import encode


@click.command()
@click.option("--id", "identifier", help="The record with this id, or with one that starts so.")
@click.option("--split", type=click.Choice(SPLITS), help="Records of this split.")
@click.option("--after", type=click.Choice(browse.STAGES), help="Records that are left after this stage.")
@click.option("--dropped", is_flag=True, help="What was dropped, and why.")
@click.option("--stage", type=click.Choice(browse.STAGES), help="What this stage dropped.")
@click.option("--reason", help="What was dropped for this reason.")
@click.option("--source", help="Of this source only.")
@click.option("--rev", help="In this version: a commit, tag or branch.")
@click.option("--limit", type=click.IntRange(1), help="So many; all of them, page by page, without it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(identifier: str | None, rev: str | None, limit: int | None, as_json: bool, **query: Any) -> None:
    """Browse records and drops; without options, the records of the dataset. Exit 1 if there are none."""
    if identifier is not None and any(query.values()):
        raise stop("dataset show: --id names one record; leave the other options out, but for --rev and --json")
    found = browse.by_id(identifier, rev) if identifier is not None else browse.search(Query(**query, revision=rev))
    chosen = islice(found, limit)
    first = next(chosen, None)
    if first is None:
        click.echo("Nothing is there.", err=True)
        raise SystemExit(1)
    if as_json:
        for each in rest(first, chosen):
            click.echo(encode(each))
    else:
        click.echo_via_pager(f"{line}\n" for each in rest(first, chosen) for line in display.shown(each))


def rest(first: Found, others: Iterator[Found]) -> Iterator[Found]:
    """The first and the others."""
    yield first
    yield from others
