"""Style as two scores: how easily a reply reads (Flesch), and a weighted score of lengths, generic phrases and reading ease.

Both are kept and drop nothing unless a limit is set. Such a score easily rejects good answers: a band of lengths that ends
at 500 characters leaves out every answer of 150 words, and one "maybe" must not cost most of it. So the band reaches to long
answers and falls off slowly, and generic phrases count by their share of the words. Coherence, which no rule tells, is left
to the judge. Flesch's formula is for English prose: code, tables and other scripts have no reading ease.
"""

from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer, prompt
from stages.text.prose import prose
from stages.text.readability import reading_ease

REASONS = {
    "hard_to_read": "the reply reads less easily than min_reading_ease",
    "low_style": "the style score is below min_style",
}
LOOKED_AT = 2_000  # characters of a reply
REPLY_WEIGHT, PROMPT_WEIGHT, SPECIFIC_WEIGHT, EASY_WEIGHT = 0.3, 0.2, 0.3, 0.2
REPLY, PROMPT = (50, 2_500), (10, 2_000)  # characters that score in full
EASE = (0.0, 30.0)  # readings that score nothing, and in full: what is harder than a paper's abstract, and what is not
GENERIC = (
    "it depends",
    "generally speaking",
    "as you know",
    "in conclusion",
    "hope this helps",
    "important to note",
    "end of the day",
    "needless to say",
    "feel free to",
    "maybe",
)
PHRASE = 240  # characters of a reply that one generic phrase is too much for
SHORTEST = 80  # characters: a shorter reply has too few words to read easily or not


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """The lowest scores that stay; null drops nothing."""

    min_reading_ease: (
        Annotated[float, Limits(description="Flesch reading ease: 60 is plain English, 0 a contract")] | None
    ) = None
    min_style: Annotated[float, Limits(ge=0, le=1, description="weighted score, 1 is best")] | None = None


def measure(record: Record, params: None = None) -> tuple[float | None, float]:
    """Flesch reading ease, or None, and the weighted score, from 0 to 1, of what the assistant says last."""
    said, asked = answer(record), prompt(record)
    head = said if len(said) <= LOOKED_AT else said[:LOOKED_AT]
    ease = reading_ease(prose(head)) if len(head) >= SHORTEST and (head.isascii() or mostly_ascii(head)) else None
    lower = head.lower()
    generic = sum([lower.count(phrase) for phrase in GENERIC if phrase in lower])
    lengths = REPLY_WEIGHT * within(len(said), *REPLY) + PROMPT_WEIGHT * within(len(asked), *PROMPT)
    specific = 1.0 - min(1.0, generic * PHRASE / (len(head) + 1)) if generic else 1.0
    easy = 1.0 if ease is None or ease >= EASE[1] else max(0.0, (ease - EASE[0]) / (EASE[1] - EASE[0]))
    return ease, round(lengths + SPECIFIC_WEIGHT * specific + EASY_WEIGHT * easy, 3)


def mostly_ascii(text: str) -> bool:
    """Whether a text is in plain letters but for a few, such as dashes and accents."""
    return len(text.encode("ascii", "ignore")) >= 0.95 * len(text)


def within(size: int, least: int, most: int) -> float:
    """1 between the bounds, less in proportion to how far below or above them."""
    return size / least if size < least else most / size if size > most else 1.0


def decide(value: tuple[float | None, float], params: Params) -> str | None:
    """The first score below its limit."""
    ease, style = value
    if params.min_reading_ease is not None and ease is not None and ease < params.min_reading_ease:
        return "hard_to_read"
    return "low_style" if params.min_style is not None and style < params.min_style else None
