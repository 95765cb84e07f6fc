"""Refusals: a reply that opens by declining, "I'm sorry, but I can't help with that" or "As an AI model, I …".

Whether they belong in the data is a decision: a model that never refuses was shown none, one that was shown many refuses too
much. So they are counted unless `action` says otherwise. English only; one after the first sentences is not found.
"""

from functools import cache
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer

REASONS = {"refusal": "the reply declines to answer"}
LOOKED_AT = 240  # characters
HELP = (
    r"(?:help|assist|provide|fulfil|fulfill|comply|answer|do that|support|generate|create|write|give|offer|engage|discuss|"
    r"share|recommend|complete|continue|respond|participate|produce|condone|browse|access|perform|have personal)"
)
DECLINES = (
    r"(?:^|[.!?]\s+|\n)(?:(?:i'?m|i am|we are|we're)\s+(?:very |so |really |truly |afraid |)*sorry\b[^.!?\n]{0,60}?\b|"
    r"(?:i |we )?(?:sincerely )?apologi[sz]e\b[^.!?\n]{0,60}?\b|sorry,? |unfortunately,? |as an ai\b[^.!?\n]{0,60}?\b|)"
    rf"(?:i|we)(?:'m| am|'re| are)? ?(?:just |simply |really |afraid |that |i |)*"
    rf"(?:cannot|can't|can not|won't|will not|am unable to|unable to|not able to|not comfortable|must decline|"
    rf"do not|don't)\b[ ,]*(?:be able to |to |in good conscience |actually |directly |)*{HELP}\b"
    r"|(?:^|[.!?]\s+)as an? (?:ai|artificial intelligence|large language model|language model)\b[^.!?\n]{0,80}?"
    r"\bi (?:cannot|can't|do not|don't|am not|am unable|'m not|'m unable|must)\b"
)


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What becomes of a refusal."""

    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of a refusal")] = "count"


@cache
def pattern() -> Any:
    """The pattern, compiled by re2: it never backtracks."""
    import re2

    return re2.compile(DECLINES)


def measure(record: Record, params: None = None) -> bool:
    """Whether the assistant's last turn opens with a refusal."""
    head = answer(record)[:LOOKED_AT].lower().replace("’", "'")
    if "sorry" in head or "cannot" in head or "n't" in head or " not " in head or "unable" in head or " ai" in head:
        return bool(pattern().search(head.strip()))
    return False


def decide(value: bool, params: Params) -> str | None:
    """Any refusal."""
    return "refusal" if value else None
