"""Unfilled placeholders: "[Your Name]", "[DATE]", "{{customer}}", "<insert link>" that somebody forgot to fill.

In a letter template they are the point, so they are counted unless `action` says otherwise. Code blocks and code spans may
hold any, and what `collect` puts in the place of personal data, such as [EMAIL], is none.
"""

from functools import cache
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer, prompt
from stages.text.prose import prose

REASONS = {"placeholder": "a placeholder in the prompt or the reply was never filled"}
SLOT = (
    r"(?:first |last |full |user |customer |client |company |business |product |brand |event |job |recipient(?:'s)? |"
    r"sender(?:'s)? |hiring manager(?:'s)? |start |end |due |order |phone |street |e?mail |contact |project |team )?"
    r"(?:name|surname|date|time|day|month|year|address|city|state|country|company|position|title|role|department|topic|subject|"
    r"product|amount|price|number|link|url|location|place|organi[sz]ation|signature|insert|placeholder|details|description)"
)
FORMS = (
    rf"\[(?i:(?:your|insert|enter|add|fill in|recipient(?:'s)?|sender(?:'s)?)[ _][a-z][a-z0-9 _'/\-]{{1,40}}|"
    rf"{SLOT})\](?:[^(\[:]|$)"
    r"|\{\{ ?[A-Za-z_][A-Za-z0-9_. ]{0,40} ?\}\}"
    r"|<(?i:(?:your|insert|enter)[ _\-][a-z][a-z0-9 _\-]{1,30})>"
    r"|\[(?:NAME|FIRST_?NAME|LAST_?NAME|DATE|TIME|CITY|COUNTRY|COMPANY|ORG|LOCATION|PLACE|TITLE|TOPIC|PRODUCT|AMOUNT|URL|LINK|"
    r"INSERT[A-Z _]{0,30}|YOUR[A-Z _]{1,30}|X{3,})\](?:[^(\[:]|$)"
)
LONGEST = 40  # characters kept of one


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What becomes of a record with one."""

    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of such a record")] = "count"


@cache
def forms() -> Any:
    """The pattern, compiled by re2: it never backtracks."""
    import re2

    return re2.compile(FORMS)


def measure(record: Record, params: None = None) -> str | None:
    """The first placeholder of the reply, or else of the prompt."""
    return first(answer(record)) or first(prompt(record))


def first(text: str) -> str | None:
    """The first placeholder of a text's prose."""
    if not ("[" in text or "{{" in text or "<" in text) or not forms().search(text):
        return None
    found = forms().search(prose(text)) if "`" in text else forms().search(text)
    return found[0].rstrip(" .,;!?\n")[:LONGEST] if found else None


def decide(value: str | None, params: Params) -> str | None:
    """Any placeholder."""
    return "placeholder" if value else None
