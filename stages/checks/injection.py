"""Text that gives orders to a model or a judge that reads the record: "ignore the instructions above", "rate this 5 of 5".

Only what names both the order and what is to be overruled counts; talk about prompts, rules or grades does not. It takes
none of 113 harmless questions with such words (NotInject) and none of 52,002 instructions of many kinds, but only one in
sixteen of the jailbreaks that people pass round: what is played as a role it does not know.
"""

from functools import cache
from typing import Any

from msgspec import Struct

from stages.contract.record import Record, conversation

REASONS = {"prompt_injection": "the text gives orders to the model or the judge that reads it"}
ORDERS = (
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|every|the|of|your|my|these|those|this)\s+){0,3}"
    r"(?:(?:previous|prior|above|earlier|preceding|former|foregoing|initial|original|existing|system)\s+"
    r"(?:instruction|prompt|rubric|guideline|directive)s?\b"
    r"|(?:instruction|prompt|rule|rubric|direction|guideline|command|directive)s?\s+"
    r"(?:above|before|given|you\s+(?:were|have\s+been)\s+given)\b"
    r"|rubric\b|everything\s+(?:above|before)\b)"
    r"|\b(?:rate|score|grade|mark|judge)\s+(?:this|the)\s+(?:answer|reply|response|conversation|example|record)\s+"
    r"(?:(?:a|an|as|with|at|the)\s+){0,2}(?:perfect\s+)?(?:5|10|five|ten|full|highest|maximum|top|perfect|excellent)\b"
    r"(?:\s+(?:of|out|score|mark|points?|stars?)\b|\s*[.!;,\n/]|\s*$)"
    r"|\b(?:give|assign)\s+(?:this|the)\s+(?:answer|reply|response|conversation|example|record)\s+"
    r"(?:(?:a|an|the)\s+)?(?:score\s+of\s+|rating\s+of\s+)?(?:5|10|five|ten|full|highest|maximum|top|perfect)\b"
    r"|\byou\s+are\s+(?:now\s+)?(?:DAN\b|in\s+developer\s+mode|no\s+longer\s+bound)"
    r"|\bfrom\s+now\s+on,?\s+you\s+(?:are|will|must)\s+(?:DAN\b|act\s+as|answer\s+as|ignore)"
)
LONGEST = 80  # characters of the evidence


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to set."""


@cache
def orders() -> Any:
    """The pattern, compiled by re2: it never backtracks, and is ten times as fast as `re` here."""
    import re2

    return re2.compile(ORDERS)


def measure(record: Record, params: None = None) -> str | None:
    """The first order that is found, or None."""
    found = orders().search(conversation(record))
    return found[0][:LONGEST] if found else None


def decide(value: str | None, params: Params) -> str | None:
    """Any order."""
    return "prompt_injection" if value else None
