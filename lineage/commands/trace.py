"""`dataset trace`: the whole life of one record: its source row, every stage's verdict, versions and training runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from stages.contract.params import stop

if TYPE_CHECKING:
    from lineage.trace import Life, Step

LISTED = 5  # other records that are named
WIDTH = 15


@click.command()
@click.argument("identifier", metavar="ID", required=False)
@click.option("--text", help="The record that holds these words.")
@click.option("--origin", help="The row that came from here, as path:line.")
@click.option("--rev", help="In this version: a commit, tag or branch.")
@click.option("--fetch", is_flag=True, help="Bring the indexes of other versions that are not in the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def trace(
    identifier: str | None, text: str | None, origin: str | None, rev: str | None, fetch: bool, as_json: bool
) -> None:
    """Tell the life of the record with this ID, or with one that begins so."""
    from lineage import trace as tracing
    from stages.contract.record import encode

    given = [each for each in (identifier, text, origin) if each is not None]
    if len(given) != 1:
        raise stop("dataset trace: takes one of ID, --text and --origin; give it one")
    if text is not None:
        identifier = tracing.by_text(text, rev)
    elif origin is not None:
        identifier = tracing.by_origin(origin, rev)
    assert identifier is not None
    life = tracing.trace(identifier, rev, fetch)
    click.echo(encode(life) if as_json else "\n".join(lines(life)))


def lines(life: "Life") -> Iterator[str]:
    """The life for people."""
    from lineage import display, version
    from lineage.commands import audit

    about = [life.source, life.origin, life.split, version.named(life.revision)]
    yield click.style(f"{life.id}  {' · '.join(display.flat(each) for each in about if each)}", bold=True)
    if life.record:
        yield from display.turns(life.record)
    yield ""
    for each in life.steps:
        yield from told(each, life)
    for other in life.lost_to:
        yield ""
        yield click.style(f"lost to {other.id}  {display.flat(other.source)}", bold=True)
        yield from display.turns(other.record) if other.record else ()
        yield from told(other.steps[-1], other)
    if life.exposure:
        yield ""
        yield from (display.flat(line) for line in audit.lines(life.exposure))


def told(step: "Step", life: "Life") -> Iterator[str]:
    """What a stage said, and the records that it is about."""
    from lineage import display

    colour = "red" if step.dropped else None
    redacted = "nothing" if not life.redacted else ", ".join(f"{kind} {count}" for kind, count in life.redacted.items())
    said = f"{step.said}; redacted: {redacted}" if step.stage == "collect" and not step.dropped else step.said
    first, *rest = display.wrapped(("dropped: " if step.dropped else "") + display.flat(said), WIDTH)
    yield click.style(step.stage.ljust(WIDTH), fg=colour) + first
    yield from (" " * WIDTH + line for line in rest)
    yield from (" " * WIDTH + each for each in step.records[:LISTED])
    if len(step.records) > LISTED:
        yield " " * WIDTH + f"and {len(step.records) - LISTED} more; --json lists all"
