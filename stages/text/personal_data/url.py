"""Addresses of the web, whoever they are of. Off by default: credentials in them are secrets, and are found without this."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, spans
from stages.text.personal_data.chance import Chance, digit
from stages.text.personal_data.kinds import Rules

PATTERN = r"(?i:https?|ftp)://[^\s<>\"'`(){}\[\]\\|^]{3,}|\b(?i:www)\.[^\s<>\"'`(){}\[\]\\|^]{3,}"
GATE = r"(?i)(?:https?|ftp)://[^\s<>\"'`]|www\.[^\s]"
OURS = re.compile(r"https://example\.com/\d{6}")  # RFC 2606
MARKS = ".,;:!?*_"


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where addresses stand, without the marks of the sentence behind them."""
    for start, end in spans(PATTERN, text):
        stripped = start + len(text[start:end].rstrip(MARKS))
        if "." in text[start:stripped]:
            yield start, stripped


def reserved(found: str) -> bool:
    """What a surrogate is like."""
    return bool(OURS.fullmatch(found))


def surrogate(found: str, chance: Chance) -> str:
    """An address on such a machine."""
    return "https://example.com/" + "".join(digit(chance) for _ in range(6))
