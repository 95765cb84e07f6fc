"""Patterns that cannot backtrack: google-re2 finds, in time that grows with the text, and ten times as fast as `re`.

The checks look at what it found. Where most of many texts hold nothing, one search through all of them says which do: a call
for each takes longer than the search itself.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

Span = tuple[int, int]
MEMORY = 64 << 20  # bytes that an automaton may take, not that it takes
BETWEEN = b"\n\0\n"  # texts that are searched as one: none of the patterns goes across it
BLOCK = 1 << 16  # characters of texts looked at together: what stays in a core's second-level cache


@cache
def compiled(pattern: str) -> Any:
    """The pattern as re2 has it."""
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def spans(pattern: str, text: str) -> Iterator[Span]:
    """Where the pattern matches, from left to right."""
    return (match.span() for match in compiled(pattern).finditer(text))


def before(text: str, start: int, characters: int = 60) -> str:
    """What stands before a place."""
    return text[max(0, start - characters) : start]


def after(text: str, end: int, characters: int = 40) -> str:
    """What stands after a place."""
    return text[end : end + characters]


def holding(pattern: str, texts: Sequence[str]) -> list[int]:
    """The places of the texts in which the pattern matches, in order.

    A match must begin and end with something other than white space, and must not reach over `BETWEEN`; `^` and `$` are the
    ends of a line.
    """
    return [
        start + place
        for start, stop in blocks(texts)
        for place in held([text.encode() for text in texts[start:stop]], compiled(f"(?m){pattern}"))
    ]


def held(texts: Sequence[bytes], pattern: Any) -> Iterator[int]:
    """The same of texts that are searched as one."""
    joined, starts = BETWEEN.join(texts), [0, *accumulate(len(text) + len(BETWEEN) for text in texts)]
    place = -1
    while match := pattern.search(joined, starts[place + 1]):
        place = bisect_right(starts, match.start()) - 1
        yield place


def blocks(texts: Sequence[str]) -> Iterator[Span]:
    """Where to cut many texts into groups of about BLOCK characters."""
    start = size = 0
    for stop, text in enumerate(texts, 1):
        size += len(text)
        if size >= BLOCK or stop == len(texts):
            yield start, stop
            start, size = stop, 0
