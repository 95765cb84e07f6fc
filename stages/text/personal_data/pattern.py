"""Patterns that cannot backtrack: google-re2 finds, in time that grows with the text; the checks look at what it found."""

from collections.abc import Iterator
from functools import cache
from typing import Any

Span = tuple[int, int]


@cache
def compiled(pattern: str) -> Any:
    """The pattern as re2 has it."""
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


MEMORY = 64 << 20  # bytes that an automaton may take, not that it takes


def spans(pattern: str, text: str) -> Iterator[Span]:
    """Where the pattern matches, from left to right."""
    return (match.span() for match in compiled(pattern).finditer(text))


def before(text: str, start: int, characters: int = 60) -> str:
    """What stands before a place."""
    return text[max(0, start - characters) : start]


def after(text: str, end: int, characters: int = 40) -> str:
    """What stands after a place."""
    return text[end : end + characters]
