"""Chance for surrogates: numbers that depend on the project key, the value and whose record it is, and on nothing else."""

import string
from collections.abc import Iterator

from stages.contract.record import digest

Chance = Iterator[int]


def numbers(key: bytes, *parts: object) -> Chance:
    """Numbers without end, the same for the same parts."""
    round_ = 0
    while True:
        hashed = digest("surrogate", *parts, round_, key=key)
        yield from (int(hashed[place : place + 4], 16) for place in range(0, 32, 4))
        round_ += 1


def digit(chance: Chance, start: int = 0) -> str:
    """A digit, from `start` on."""
    return str(start + next(chance) % (10 - start))


def one_of(chance: Chance, choices: "tuple[str, ...] | str") -> str:
    """One of several."""
    return choices[next(chance) % len(choices)]


def like(text: str, chance: Chance) -> str:
    """The text with another digit for each digit and another letter for each letter, of the same case."""
    return "".join(letter_like(letter, chance) for letter in text)


def letter_like(letter: str, chance: Chance) -> str:
    """Another letter or digit of its class; anything else stays."""
    for alphabet in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if letter in alphabet:
            return one_of(chance, alphabet)
    return letter


def filled(pattern: str, text: str) -> str:
    """The text with its digits replaced in order by those given."""
    new = iter(pattern)
    return "".join(next(new, "0") if letter.isdigit() else letter for letter in text)
