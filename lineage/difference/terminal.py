"""A difference for people at a terminal."""

from collections.abc import Iterator

import click

from lineage.diff import Diff
from lineage.difference.sections import Section, explanation, headline, sections, title
from lineage.display import flat

MOST = 20  # rows of a table that are shown
WIDEST = 60  # characters of a cell that is not the last
LONGEST = 240  # characters of a line of text
COLOURS = {"-": "red", "+": "green"}


def lines(diff: Diff) -> Iterator[str]:
    """The whole difference, line by line."""
    yield click.style(f"{flat(diff.before)} -> {flat(diff.after)}", bold=True)
    yield headline(diff)
    for note in diff.notes:
        yield click.style(f"note: {flat(note)}", fg="yellow")
    for section in sections(diff):
        yield ""
        yield from table(section)
    for row in diff.rows:
        if row.text:
            yield ""
            yield click.style(flat(title(row)), bold=True)
            yield f"  {flat(explanation(row))}"
            yield from (click.style(f"  {flat(text)[:LONGEST]}", fg=COLOURS.get(text[:1])) for text in row.text)


def table(section: Section) -> Iterator[str]:
    """A section: its title and its rows in columns."""
    if not section.rows:
        yield f"{click.style(section.title, bold=True)}: {section.empty}"
        return
    yield click.style(section.title, bold=True)
    shown = [section.head, *section.rows[:MOST]]
    cells = [[cut(flat(cell), last=place == len(row) - 1) for place, cell in enumerate(row)] for row in shown]
    widths = [max(len(row[place]) for row in cells) for place in range(len(section.head))]
    for number, row in enumerate(cells):
        laid = [
            cell.rjust(width) if place in section.right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield click.style(f"  {'  '.join(laid)}".rstrip(), dim=not number)
    if len(section.rows) > MOST:
        yield f"  and {len(section.rows) - MOST:,} more; --format json lists all"


def cut(text: str, last: bool) -> str:
    """A cell that leaves room for the others."""
    return text if last or len(text) <= WIDEST else text[: WIDEST - 1] + "…"
