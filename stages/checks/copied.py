"""Copied replies: one part of the prompt makes up most of the reply, though nothing in the prompt asks for that.

Extraction, correction, translation and choice repeat the prompt by right: if a word of the instruction asks for one of them,
the record is not judged. What is left are summaries and answers that only repeat, and tasks whose words this does not know,
so they are counted unless `action` says otherwise. The words of asking are English: a prompt that is surely in another
language is not judged.
"""

from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.checks.language import LANGUAGES, as_set
from stages.contract.record import Record, answer, prompt
from stages.text.language import SURE, detect
from stages.text.patterns import compiled
from stages.text.prose import begin_alike

REASONS = {
    "copied_from_prompt": "more than max_copied of the reply is one part of the prompt, and nothing asks for that"
}
FEWEST = 80  # characters: a shorter reply may well be a name or a choice from the prompt
PIECES = 5  # that a reply is cut into: a part longer than two of them holds one whole
LEAST = 0.4  # share that is measured: less is usual
PLACES = 3  # in the prompt at which a piece is looked at
INSTRUCTION = (300, 150)  # characters at the beginning and at the end of a prompt where the task is told
ASKS = (
    r"(?i)\b(?:extract|quot(?:e|es|ing|ation)|cop(?:y|ied)|repeat|verbatim|correct|fix|edit|proofread|reformat|format|convert|"
    r"translat|highlight|underline|which|choose|select|pick|option|identify|find|locate|list|sort|order|arrange|rearrange|"
    r"reorder|remove|delete|replace|insert|add|fill|complet|continu|classif|label|tag|parse|split|merge|combine|grammar|spelling|"
    r"punctuat|according to|based on|given the|shorten|transform|change|modify|turn|debug|refactor|code|function|question)"
)
"""Words of tasks whose right answer repeats the prompt."""
OWN_WORDS = r"(?i)\b(?:summar|tl;?dr|in your own words|paraphras|rephras|reword|the gist)"


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much of a reply may be copied, and what becomes of a record with more."""

    max_copied: Annotated[float, Limits(ge=0.4, le=1, description="share of the reply's characters in one part")] = 0.4
    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of such a record")] = "count"


def measure(record: Record, params: None = None) -> float:
    """Share of the reply that is one part of the prompt, from 0.4 on; 0 if it is less, or was asked for."""
    said, asked = answer(record), prompt(record)
    if len(said) < FEWEST or len(asked) < LEAST * len(said) or record.tools:  # a call is confirmed in its own words
        return 0.0
    size = len(said) // PIECES
    starts = [start for start in range(0, size * PIECES, size) if said[start : start + size] in asked]
    if not starts or asks(asked) or foreign(asked):
        return 0.0
    part = max(common(said, asked, start, size) for start in starts)
    return round(part / len(said), 3) if part >= LEAST * len(said) else 0.0


def common(said: str, asked: str, start: int, size: int) -> int:
    """Length of the longest common part that holds this piece of the reply, at the first places where the prompt has it."""
    longest, place = 0, asked.find(said[start : start + size])
    for _ in range(PLACES):
        after = begin_alike(said[start:], asked[place:])
        before = begin_alike(said[:start][::-1], asked[:place][::-1])
        longest = max(longest, before + after)
        place = asked.find(said[start : start + size], place + 1)
        if place < 0:
            break
    return longest


def asks(asked: str) -> bool:
    """Whether the beginning or the end of the prompt has a word that asks for a part of it."""
    first, last = INSTRUCTION
    head, tail = asked[:first], asked[-last:]
    return bool(compiled(ASKS).search(f"{head}\n{tail}")) and not compiled(OWN_WORDS).search(head)


def foreign(asked: str) -> bool:
    """Whether the prompt is surely in another language; asked of the few that are copied from at all."""
    language, share = detect(asked, as_set(LANGUAGES))
    return language not in (None, "en") and share >= SURE


def decide(value: float, params: Params) -> str | None:
    """More than the limit."""
    return "copied_from_prompt" if value > params.max_copied else None
