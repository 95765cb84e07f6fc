"""A difference as a comment on a pull request: it fits into one, and nothing in it calls a person or a page."""

import re
from collections.abc import Iterator

from lineage.diff import Diff
from lineage.difference.sections import Section, explanation, headline, sections, title
from lineage.display import flat

LARGEST = 65_536  # characters of a comment on GitHub
MOST = 40  # rows of a table
LONGEST = 200  # characters of a cell
FOLDED = ("Metrics", "Code")


def page(diff: Diff) -> str:
    """The whole difference, with fewer rows where it would not fit otherwise."""
    most = MOST
    while len(text := "\n".join(parts(diff, most))) > LARGEST and most:
        most //= 2
    return text[:LARGEST]


def parts(diff: Diff, most: int) -> Iterator[str]:
    """The parts of the comment, with so many rows of each table at most."""
    yield f"### Dataset: {code(diff.before)} → {code(diff.after)}\n\n{headline(diff)}\n"
    yield from (f"> {code(note)}\n" for note in diff.notes)
    for section in sections(diff):
        yield from folded(section, most) if section.title in FOLDED and section.rows else table(section, most)
    shown = [row for row in diff.rows if row.text]
    for row in shown[:most]:
        yield f"\n- {code(title(row))}: {code(explanation(row))}\n"
        yield from (f"    - {code(text)}" for text in row.text[:most])


def folded(section: Section, most: int) -> Iterator[str]:
    """A section that opens with a click."""
    yield f"<details><summary><b>{section.title}</b>: {len(section.rows):,} differ</summary>\n"
    yield from table(section, most)
    yield "</details>\n"


def table(section: Section, most: int) -> Iterator[str]:
    """A section: its title and its table."""
    if not section.rows:
        yield f"**{section.title}**: {section.empty}\n"
        return
    yield f"**{section.title}**\n"
    yield f"| {' | '.join(section.head)} |"
    yield f"|{'|'.join('--:' if place in section.right else '---' for place in range(len(section.head)))}|"
    for row in section.rows[:most]:
        yield f"| {' | '.join(code(cell) if place in section.code else cell for place, cell in enumerate(row))} |"
    if len(section.rows) > most:
        yield f"\nand {len(section.rows) - most:,} more"
    yield ""


def code(text: str) -> str:
    """Text as code, which holds no mention, no link and no markup; empty text stays empty."""
    text = flat(text).replace("|", "\\|").strip()
    if not text:
        return ""
    text = text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip("\\") + "…"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
