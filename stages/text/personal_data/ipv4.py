"""IPv4 addresses that can be somebody's: no version number, mask, loopback or nobody's."""

import ipaddress
import re
from collections.abc import Iterator

from stages.text.patterns import Span, before, spans
from stages.text.personal_data.chance import Chance
from stages.text.personal_data.kinds import Rules

PATTERN = r"\d{1,3}(?:\.\d{1,3}){3}"
GATE = r"\d\.\d{1,3}\.\d{1,3}\.\d"
VERSION = re.compile(
    r"(?:\bv|\bver\.?|\b(?:versions?|releases?|firmware|builds?|sections?|chapter|clause|drivers?|sdk"
    r"|revision|upgraded? to"
    r"|v[\d.]+ to|from v?[\d.]+ to)\b[^.\n]{0,16}|§|==|>=|<=|~=|\^|~)\s*v?$",
    re.IGNORECASE,
)
NEXT = re.compile(r"[A-Za-z0-9_]|-[A-Za-z0-9]|\.\d")
DOCUMENTATION = "198.51.100."  # RFC 5737


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where addresses stand."""
    for start, end in spans(PATTERN, text):
        part = re.match(r"[\w.\-]", text[start - 1 : start]) or NEXT.match(text, end)
        if not part and is_somebodys(text[start:end]) and not VERSION.search(before(text, start, 32)):
            yield start, end


def is_somebodys(found: str) -> bool:
    """Whether a machine can have the address."""
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    mask = address.version == 4 and found.startswith("255.")
    return not (address.is_loopback or address.is_unspecified or mask)


def reserved(found: str) -> bool:
    """Kept free for documentation."""
    return found.startswith(DOCUMENTATION)


def surrogate(found: str, chance: Chance) -> str:
    """An address kept free for documentation."""
    return f"{DOCUMENTATION}{1 + next(chance) % 254}"
