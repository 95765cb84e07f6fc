"""Loops: a reply that says the same again and again, as a model does when it is stuck.

The measure is the share of runs of four words that stand in the same reply for the third time or more. Once said again
is normal: a call that repeats the sentence before it, a table with equal cells. On 252 answers of an untuned model and 252
of a tuned one (self-instruct's user-oriented tasks), 0.2 finds 247 of the first and 3 of the second.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, ending

REASONS = {"repetitive": "the reply repeats more of its own word runs than max_repeated"}
RUN, FEWEST = 4, 20  # words in a run; a shorter reply cannot loop
LETTERS, SPACELESS = 10, 100  # the same for text without spaces: characters in a run, and the shortest text
ALLOWED = 2  # times a run may stand in a reply


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much of a reply may be repeated."""

    max_repeated: Annotated[float, Limits(ge=0, le=1, description="share of runs said a third time or more")] = 0.2


def measure(record: Record, params: None = None) -> float:
    """Share of repeated runs in what the assistant says in its reply, from 0 to 1. What a tool returns is not its own."""
    said = record.messages[ending(record.messages) :]
    text = "\n".join([message.content for message in said if message.role == "assistant"])
    if len(text) < 2 * FEWEST:
        return 0.0
    words = text.split()
    if len(words) >= FEWEST:
        return repeated(words, RUN)
    return repeated(text, LETTERS) if len(text) >= SPACELESS else 0.0


def repeated(pieces: Sequence[str], length: int) -> float:
    """Share of the runs of `length` pieces that stand there for more than ALLOWED times."""
    total = len(pieces) - length + 1
    runs = list(zip(*(pieces[start:] for start in range(length)), strict=False))
    if total - len(set(runs)) < ALLOWED:
        return 0.0
    return round(sum(max(0, count - ALLOWED) for count in Counter(runs).values()) / total, 3)


def decide(value: float, params: Params) -> str | None:
    """More than the limit."""
    return "repetitive" if value > params.max_repeated else None
