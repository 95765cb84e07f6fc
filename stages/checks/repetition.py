"""Loops: a reply that says the same again and again, as a model does when it is stuck.

`runs` is the share of runs of four words that stand in the same reply for the third time or more. Once said again is normal:
a call that repeats the sentence before it, a table with equal cells. On 252 answers of an untuned model and 252 of a tuned
one (self-instruct's user-oriented tasks), 0.2 finds 248 of the first and 4 of the second. `lines` is the same share of lines
(0.3 is what Rae et al. 2021 allow of repeated lines), and `loop` how many words the reply's end goes round in a circle of
four turns or more. Closed code blocks, lines of code and the rows of tables are no part of any.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, ending
from stages.text.prose import without_code

REASONS = {
    "repetitive": "the reply repeats more of its own word runs than max_repeated",
    "repeated_lines": "the reply repeats more of its own lines than max_repeated_lines",
    "loop": "the reply ends in the same words again and again, for more than max_loop_words",
}
RUN, FEWEST = 4, 20  # words in a run; a shorter reply cannot loop
LETTERS, SPACELESS = 10, 100  # the same for text without spaces: characters in a run, and the shortest text
ALLOWED = 2  # times a run may stand in a reply
LINES, LINE = 5, 12  # lines that a reply must have, and characters of a line, before they are compared
TURNS, TAIL = 4, 2_000  # turns that make a circle, and words from the end that are looked at
Share = Annotated[float, Limits(ge=0, le=1)]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much of a reply may be repeated."""

    max_repeated: Annotated[float, Limits(ge=0, le=1, description="share of runs said a third time or more")] = 0.2
    max_repeated_lines: Annotated[float, Limits(ge=0, le=1, description="share of lines said a third time or more")] = (
        0.3
    )
    max_loop_words: Annotated[int, Limits(ge=0, description="words at the end that go round in a circle")] = 40


class Repetition(Struct, omit_defaults=True):
    """Shares of repeated runs and lines, from 0 to 1, and words of the loop at the end; what is 0 is left out."""

    runs: float = 0.0
    lines: float = 0.0
    loop: int = 0


NONE = Repetition()


def measure(record: Record, params: None = None) -> Repetition:
    """What repeats in what the assistant says in its reply. What a tool returns is not its own."""
    said = record.messages[ending(record.messages) :]
    text = "\n".join([message.content for message in said if message.role == "assistant"])
    if len(text) < 2 * FEWEST:
        return NONE
    found = of(text)
    if found == NONE:
        return NONE
    prose = without_code(text)
    bare = of(prose) if prose != text else found
    return Repetition(min(found.runs, bare.runs), min(found.lines, bare.lines), min(found.loop, bare.loop))


def of(text: str) -> Repetition:
    """What repeats in a text."""
    words = text.split()
    runs = repeated(words, RUN) if len(words) >= FEWEST else 0.0
    if len(words) < FEWEST and len(text) >= SPACELESS:
        runs = repeated(text, LETTERS)
    lines = repeated_lines(text) if text.count("\n") >= LINES - 1 else 0.0
    return Repetition(runs, lines, loop(words[-TAIL:])) if runs or lines else NONE


def repeated(pieces: Sequence[str], length: int) -> float:
    """Share of the runs of `length` pieces that stand there for more than ALLOWED times."""
    total = len(pieces) - length + 1
    if isinstance(pieces, str):
        return share([pieces[start : start + length] for start in range(total)], total)
    return share(list(zip(*(pieces[start:] for start in range(length)), strict=False)), total)


def repeated_lines(text: str) -> float:
    """Share of the lines that stand there for more than ALLOWED times; short ones, as in lists of values, do not count."""
    lines = [line for line in map(str.strip, text.split("\n")) if len(line) >= LINE]
    return share(lines, len(lines)) if len(lines) >= LINES else 0.0


def share(pieces: Sequence[Hashable], total: int) -> float:
    """Share of the pieces that stand there for more than ALLOWED times."""
    if total - len(set(pieces)) < ALLOWED:
        return 0.0
    return round(sum(max(0, count - ALLOWED) for count in Counter(pieces).values()) / total, 3)


def loop(words: list[str]) -> int:
    """How many of the last words repeat one unit for TURNS times or more: the border of each prefix, read backwards."""
    backwards, border, longest = words[::-1], [0] * len(words), 0
    for place in range(1, len(words)):
        length = border[place - 1]
        while length and backwards[place] != backwards[length]:
            length = border[length - 1]
        border[place] = length + (backwards[place] == backwards[length])
        if (place + 1) >= TURNS * (place + 1 - border[place]):
            longest = place + 1
    return longest


def decide(value: dict[str, float], params: Params) -> str | None:
    """The first share above its limit."""
    if not value:
        return None
    if value.get("runs", 0) > params.max_repeated:
        return "repetitive"
    if value.get("lines", 0) > params.max_repeated_lines:
        return "repeated_lines"
    return "loop" if value.get("loop", 0) > params.max_loop_words else None
