"""The language of prompt and reply, told from prose: code is left out, and a text too short to tell is not judged."""

from collections.abc import Callable
from functools import cache
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record
from stages.text.language import detect
from stages.text.shingles import CODE

REASONS = {"wrong_language": "the prompt or the reply is in a language that is not allowed"}
LANGUAGES = (
    "ar",
    "bg",
    "bn",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "fa",
    "fi",
    "fr",
    "he",
    "hi",
    "hu",
    "id",
    "it",
    "ja",
    "ko",
    "nl",
    "no",
    "pl",
    "pt",
    "ro",
    "ru",
    "sr",
    "sv",
    "th",
    "tr",
    "uk",
    "ur",
    "vi",
    "zh",
)


class Measure(Struct, forbid_unknown_fields=True, frozen=True):
    """Between which languages it chooses."""

    candidates: Annotated[tuple[str, ...], Limits(description="ISO 639-1 codes; fewer are told apart better")] = (
        LANGUAGES
    )


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Which languages stay, and how sure the model must be to drop."""

    allowed: Annotated[
        tuple[Annotated[str, Limits(pattern="^[a-z]{2,3}$")], ...], Limits(description="ISO 639-1 codes")
    ] = ("en",)
    min_confidence: Annotated[float, Limits(ge=0, le=1)] = 0.8


def measure(record: Record, params: Measure) -> dict[str, tuple[str | None, float]]:
    """Language and confidence of what the user and of what the assistant says."""
    candidates = as_set(params.candidates)
    return {"prompt": of(record, "user", candidates), "reply": of(record, "assistant", candidates)}


def of(record: Record, role: str, candidates: frozenset[str]) -> tuple[str | None, float]:
    """Language and confidence of one side's prose."""
    text = "\n".join([message.content for message in record.messages if message.role == role])
    return detect(CODE.sub(" ", text) if "`" in text else text, candidates)


as_set: Callable[[tuple[str, ...]], frozenset[str]] = cache(frozenset)


def decide(value: dict[str, tuple[str | None, float]], params: Params) -> str | None:
    """Either side surely in another language."""
    for language, confidence in value.values():
        if language and language not in params.allowed and confidence >= params.min_confidence:
            return "wrong_language"
    return None
