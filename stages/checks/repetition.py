"""Loops: a reply that says the same again and again, as a model does when it is stuck.

The measure is the share of runs of four words that occurred before in the same reply. Tables and lists repeat single
words, not runs of four (a three-row table has a fifth of its word pairs twice and none of its runs of four).
"""

from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, reply

REASONS = {"repetitive": "the reply repeats more of its own word runs than max_repeated"}
RUN, FEWEST = 4, 20  # words in a run; a shorter reply cannot loop
LETTERS, SPACELESS = 10, 100  # the same for text without spaces: characters in a run, and the shortest text


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much of a reply may be repeated."""

    max_repeated: Annotated[float, Limits(ge=0, le=1, description="share of repeated runs")] = 0.3


def measure(record: Record, params: None = None) -> float:
    """Share of repeated runs in the reply, from 0 to 1."""
    text = reply(record)
    words = text.split()
    if len(words) >= FEWEST:
        return repeated(words, RUN)
    return repeated(text, LETTERS) if len(text) >= SPACELESS else 0.0


def repeated(pieces: "list[str] | str", length: int) -> float:
    """Share of the runs of `length` pieces that occurred before."""
    total = len(pieces) - length + 1
    return round(1 - len(set(zip(*(pieces[start:] for start in range(length)), strict=False))) / total, 3)


def decide(value: float, params: Params) -> str | None:
    """More than the limit."""
    return "repetitive" if value > params.max_repeated else None
