"""One spelling for what is searched: digits, spaces, dashes and signs of any script as ASCII has them, place by place."""

import re
import unicodedata
from functools import cache
from typing import Any

from stages.text.patterns import compiled

SPACES = r"\x{a0}\x{ad}\x{1680}\x{180e}\x{2000}-\x{200f}\x{202f}\x{205f}\x{2060}\x{3000}\x{feff}"
DASHES = r"\x{2010}-\x{2015}\x{2043}\x{2212}\x{fe58}\x{fe63}"
FULL_WIDTH = r"\x{ff05}\x{ff08}\x{ff09}\x{ff0b}\x{ff0d}-\x{ff1a}\x{ff1d}\x{ff20}-\x{ff3a}\x{ff3f}\x{ff41}-\x{ff5a}"
DIGITS = (
    r"\x{660}-\x{669}\x{6f0}-\x{6f9}\x{7c0}-\x{7c9}\x{966}-\x{1099}\x{17e0}-\x{19d9}"
    r"\x{ff10}-\x{ff19}\x{1d7ce}-\x{1d7ff}"
)
"""Where the digits of other scripts stand, among letters in some."""


ESCAPED = re.compile(r"\\[nrt](?=[+(]?\d[\d .()/\-]{5})")
"""The end of a line or a tab that was written out twice, in front of a number: its letter is no part of what follows."""


def plain(text: str) -> str:
    """The text, as long as before, with ASCII for other spellings of digits, spaces, dashes and full-width letters."""
    if "\\" in text:
        text = ESCAPED.sub("  ", text)
    while not text.isascii() and (found := odd().search(text)):
        text = text.replace(found[0], other_spellings()[found[0]])  # a text has few of them, each many times
    return text


@cache
def odd() -> Any:
    """The class of all letters that stand for one of ASCII."""
    return compiled(f"[{''.join(map(re.escape, other_spellings()))}]")


@cache
def other_spellings() -> dict[str, str]:
    """ASCII for every letter that stands for it."""
    digits = {letter: str(value) for letter in members(DIGITS) if (value := unicodedata.decimal(letter, -1)) >= 0}
    wide = {letter: chr(ord(letter) - 0xFEE0) for letter in members(FULL_WIDTH)}
    return dict.fromkeys(members(SPACES), " ") | dict.fromkeys(members(DASHES), "-") | wide | digits


def members(ranges: str) -> list[str]:
    """The letters of a class as it is written above."""
    found = re.findall(r"\\x\{(\w+)\}(?:-\\x\{(\w+)\})?", ranges)
    return [chr(code) for low, high in found for code in range(int(low, 16), int(high or low, 16) + 1)]


def digits(text: str) -> str:
    """The digits of a text."""
    return "".join(filter(str.isdigit, text))


def squeezed(text: str) -> str:
    """The letters and digits of a text, in capitals."""
    return "".join(filter(str.isalnum, text)).upper()
