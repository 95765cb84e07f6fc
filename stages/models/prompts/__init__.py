"""What models are told: one Markdown file per purpose, with plain {fields}; and how a record's own text is put before them.

A text that is judged or varied is data and may have been written to be obeyed. It goes into a prompt as one JSON string
between two marks that are made of the whole text and of what else is asked: whoever writes the text cannot know the mark of
what he writes, and a JSON string has no end inside itself.
"""

from functools import cache
from pathlib import Path
from typing import Any

from stages.contract.record import digest, encode
from stages.text.templates import filled

FOLDER = Path(__file__).parent


@cache
def text(name: str) -> str:
    """The prompt file of this name."""
    return (FOLDER / f"{name}.md").read_text("utf-8").strip()


def written(name: str, **fields: Any) -> str:
    """The prompt with its fields filled in."""
    return str(filled(text(name), fields, f"{FOLDER.name}/{name}.md"))


def quoted(content: Any, *request: Any) -> str:
    """Any JSON value as data: on a line of its own between two equal marks, which also depend on the rest of the request."""
    mark = f"data-{digest('mark', content, *request)}"
    return f"<{mark}>\n{encode(content).decode()}\n</{mark}>"
