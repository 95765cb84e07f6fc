"""IPv6 addresses that can be somebody's: no name space of code, time or loopback."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, spans
from stages.text.personal_data.chance import Chance
from stages.text.personal_data.ipv4 import is_somebodys
from stages.text.personal_data.kinds import Rules

PATTERN = r"[0-9A-Fa-f:]*:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*"
GATE = r":[0-9A-Fa-f]{0,4}:"
SHORTEST, LONGEST = 7, 45  # characters; shorter ones are slices, ratios and name spaces
DOCUMENTATION = "2001:db8:5ca1:ab1e:"  # RFC 3849


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where addresses stand."""
    for start, end in spans(PATTERN, text):
        if text[end - 1] == ":" and text[end - 2] != ":":
            end -= 1
        found = text[start:end]
        part = re.match(r"[\w.]", text[start - 1 : start]) or re.match(r"[\w:]|\.\w", text[end : end + 2])
        named = not any(map(str.isdigit, found))
        if not part and not named and SHORTEST <= len(found) <= LONGEST and is_somebodys(found):
            yield start, end


def reserved(found: str) -> bool:
    """Kept free for documentation."""
    return found.lower().startswith(DOCUMENTATION)


def surrogate(found: str, chance: Chance) -> str:
    """An address kept free for documentation."""
    return f"{DOCUMENTATION}:{next(chance):x}:{next(chance):x}"
