"""Replies that stop in the middle: an open code block, or a last word that no sentence ends with.

A missing full stop alone says nothing: code, lists, numbers and names end without one.
"""

import re

from msgspec import Struct

from stages.contract.record import Record

REASONS = {"cut_off": "the reply stops in the middle of a sentence or a code block"}
OPEN_WORDS = re.compile(
    r"\b(?:the|an|and|or|but|of|to|with|for|from|by|because|which|that the|such as|is a|are the|if the|your|our|their|into|"
    r"between|whose|although|unless|in the|on the|at the|as well as)\s*$"
)
"""Words that call for another one; only in lower case and without punctuation after them."""
FEWEST = 8  # words: a shorter reply may be a title or a name


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to set."""


def measure(record: Record, params: None = None) -> str | None:
    """Where the last reply breaks off, or None."""
    text = record.messages[-1].content.rstrip() if record.messages and record.messages[-1].role == "assistant" else ""
    if "```" in text and len(re.findall(r"^[ \t]*```", text, re.MULTILINE)) % 2:
        return "code_block"
    breaks = text.endswith((",", " (", " -")) or OPEN_WORDS.search(text[-40:])
    return "sentence" if breaks and len(text.split()) >= FEWEST else None


def decide(value: str | None, params: Params) -> str | None:
    """Any break."""
    return "cut_off" if value else None
