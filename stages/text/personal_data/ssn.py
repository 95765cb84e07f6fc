"""US social security numbers that the Social Security Administration could have given out."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, before, spans
from stages.text.personal_data.chance import Chance, digit, filled
from stages.text.personal_data.kinds import Rules
from stages.text.personal_data.spelling import digits

PATTERN = r"\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9}"
GATE = r"\d{3}[ \-]?\d{2}[ \-]?\d{4}"
OTHER = re.compile(
    r"\b(?:orders?|invoice|tracking|serial|parts?|model|sku|item|ticket|shipment|parcel|isbn|batch|lot)\b"
    r"[ _\-]?(?:no\.?|numbers?|num|code|nr\.?|#)?[\s:=#]{0,4}$",
    re.IGNORECASE,
)
"""What a number just behind it is instead, as people put dashes into those too."""
NAMED = re.compile(r"\bssns?\b|social[ _-]?sec|\bsocial\b|\bss ?(?:no|num|#)", re.IGNORECASE)


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where numbers stand; without dashes, or behind another name, only where the text says what they are."""
    for start, end in spans(PATTERN, text):
        part = re.match(r"[\w\-]", text[start - 1 : start]) or re.match(r"\d{2}?[.,]\d$", before(text, start, 2) + "0")
        after = text[end : end + 2]
        if part or after[:1].isalnum() or re.match(r"[\-.,]\d", after):
            continue
        dashed = text[start + 3] == "-" and not OTHER.search(before(text, start, 24))
        if (dashed or NAMED.search(before(text, start, 40))) and is_given(digits(text[start:end])):
            yield start, end


def is_given(number: str) -> bool:
    """Whether area, group and serial are in the ranges that are given out."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(number))


def reserved(found: str) -> bool:
    """In the area 000, which is never given out."""
    return found.startswith("000")


def surrogate(found: str, chance: Chance) -> str:
    """A number in the area 000."""
    return filled("000" + "".join(digit(chance) for _ in range(6)), found)
