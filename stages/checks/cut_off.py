"""Replies that stop in the middle: an open code block, bracket or JSON, or a last word that no sentence ends with.

A missing full stop alone says nothing: code, lists, numbers and names end without one. It is measured all the same, in long
prose, and `needs_an_end` makes it a reason, for data that is prose throughout.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer

REASONS = {"cut_off": "the reply stops in the middle of a sentence, a bracket, JSON or a code block"}
OPEN_WORDS = re.compile(
    r"\b(?:the|an|and|or|but|of|to|with|for|from|by|because|which|that the|such as|is a|are the|if the|your|our|their|into|"
    r"between|whose|although|unless|in the|on the|at the|as well as)\s*$"
)
"""Words that call for another one; only in lower case and without punctuation after them."""
FEWEST = 8  # words: a shorter reply may be a title or a name
FACE = ":;=8xX-'o^"  # what stands before the bracket of a smiley
REACH = 100  # characters that a bracket may be open for before it is a typing mistake rather than a break
JSON = re.compile(r'\s*(?:\{\s*"|\[\s*[\[{"])')
TRUNCATED = "Input data was truncated"  # msgspec's words for JSON that ends too early, as opposed to what is no JSON
PROSE, LAST_LINE = 40, 12  # words that a reply and its last line must have to be prose


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What else is a break."""

    needs_an_end: Annotated[
        bool, Limits(description=f"also drop prose of {PROSE} words or more that ends without a mark")
    ] = False


def measure(record: Record, params: None = None) -> str | None:
    """Where the last reply breaks off, or None."""
    text = answer(record).rstrip()
    if "```" in text and len(re.findall(r"^[ \t]*```", text, re.MULTILINE)) % 2:
        return "code_block"
    if text.startswith(("{", "[")) and truncated(text):
        return "json"
    if not text or text[-1] in ".!?`\"'":
        return None
    return unfinished(text) if len(text.split(None, FEWEST)) >= FEWEST else None


def truncated(text: str) -> bool:
    """Whether a text that starts as JSON ends before the JSON does."""
    if not JSON.match(text):
        return False
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        place = re.search(r"\(byte (\d+)\)$", str(error))
        return str(error) == TRUNCATED or (place is not None and int(place[1]) >= len(text.encode()) - 1)
    except RecursionError:  # nested deeper than any reader follows: no reply of JSON, broken off or not
        return False
    return False


def unfinished(text: str) -> str | None:
    """How a text without a mark at its end breaks off."""
    if text.endswith((",", " (", " -")) or OPEN_WORDS.search(text[-40:]):
        return "sentence"
    if open_bracket(text):
        return "bracket"
    last = text.rpartition("\n")[2]
    prose = text[-1].islower() and not last.lstrip().startswith(("-", "*", "|", "#", "+", ">"))
    long = prose and len(last.split(None, LAST_LINE)) >= LAST_LINE and len(text.split(None, PROSE)) >= PROSE
    return "no_end" if long else None


def open_bracket(text: str) -> bool:
    """Whether the last bracket, shortly before the end, opens and never closes; a half-open interval closes with either."""
    place = max(text.rfind("(", -REACH), text.rfind("[", -REACH))
    if place < 0 or max(text.rfind(")"), text.rfind("]")) > place:
        return False
    return text[place - 1 : place] not in tuple(FACE) and place < len(text) - 1


def decide(value: str | None, params: Params) -> str | None:
    """Any break; an end without a mark only if one is needed."""
    return "cut_off" if value and (value != "no_end" or params.needs_an_end) else None
