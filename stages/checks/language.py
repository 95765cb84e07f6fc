"""The language of prompt and reply, told from prose: code is left out, and a text too short to tell is not judged.

Each turn is told by itself, so that one in another language does not hide behind the others; `None` says that a text is too
short to tell, a low confidence that the model cannot. Nothing under ten characters is told: a name or a word is quoted in
its own script in any language. What is all Chinese is still not English, so the script decides there. Of sentences in 51
languages it tells 98.2 % rightly (lingua's test sentences, the half that nothing here was chosen by); Norwegian and Danish
are mistaken for each other most often, which a dataset of one of them allows by naming both.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec import Meta as Limits

from stages.contract.record import Record
from stages.text.language import LOOKED_AT, detect
from stages.text.prose import unfenced, without_code
from stages.text.scripts import ALONE, script, writes
from stages.text.shingles import CODE

REASONS = {"wrong_language": "the prompt or the reply is in a language that is not allowed"}
LANGUAGES = (
    "ar",
    "az",
    "be",
    "bg",
    "bn",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "eu",
    "fa",
    "fi",
    "fr",
    "gu",
    "he",
    "hi",
    "hu",
    "hy",
    "id",
    "is",
    "it",
    "ja",
    "ka",
    "kk",
    "km",
    "kn",
    "ko",
    "lo",
    "lt",
    "lv",
    "mk",
    "ml",
    "mn",
    "mr",
    "my",
    "ne",
    "nl",
    "no",
    "pa",
    "pl",
    "pt",
    "ro",
    "ru",
    "si",
    "sq",
    "sr",
    "sv",
    "ta",
    "te",
    "th",
    "tr",
    "uk",
    "ur",
    "vi",
    "zh",
)
WHOLLY = 0.8  # share of letters in a script that makes it the text's own
FEWEST = {"Hani": 4} | dict.fromkeys(ALONE.keys() - {"Grek"}, 2)  # letters in a script that make it a text's own
OTHERS = 10  # the same of other scripts, and of Greek, which formulas are written in
Told = tuple[str | None, float]


class Measure(Struct, forbid_unknown_fields=True, frozen=True):
    """Between which languages it chooses, and of what."""

    candidates: Annotated[tuple[str, ...], Limits(description="ISO 639-1 codes; fewer are told apart better")] = (
        LANGUAGES
    )
    per: Annotated[
        Literal["turn", "side"],
        Limits(description="tell each turn, or what each side says in all its turns as one text"),
    ] = "turn"


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Which languages stay, and how sure the model must be to drop."""

    allowed: Annotated[
        tuple[Annotated[str, Limits(pattern="^[a-z]{2,3}$")], ...], Limits(description="ISO 639-1 codes")
    ] = ("en",)
    min_confidence: Annotated[float, Limits(ge=0, le=1)] = 0.8


class Spoken(Struct):
    """Language and confidence of each side; of turns that differ from their side; and scripts other than Latin."""

    prompt: Told
    reply: Told
    turns: list[Told] | UnsetType = UNSET
    scripts: list[str] | UnsetType = UNSET


def measure(record: Record, params: Measure) -> Spoken:
    """What the user and what the assistant speaks."""
    return measure_many([record], params)[0]


def measure_many(records: list[Record], params: Measure) -> list[Spoken]:
    """The same of many records."""
    candidates = as_set(params.candidates)
    coded = unfenced([message.content for record in records for message in record.messages])
    return [spoken(record, candidates, params.per, coded) for record in records]


def spoken(record: Record, candidates: frozenset[str], per: str, coded: set[str]) -> Spoken:
    """What each side of a record speaks, turn by turn or in all; `coded` are the texts with code that nobody set off."""
    sides: list[Told] = []
    others: set[Told] = set()
    scripts: set[str] = set()
    for role in ("user", "assistant"):
        texts = prose_of(record, role, per, coded)
        told = [detect(text, candidates) for text in texts]
        if len(told) == 1:  # as in most records
            sides.append(told[0])
        else:
            sides.append(side(texts, told, candidates))
            others.update(each for each in told if each[0] and each[0] != sides[-1][0])
        for text in texts:
            if not text.isascii() and (name := own_script(text)):
                scripts.add(name)
    return Spoken(sides[0], sides[1], sorted(others) or UNSET, sorted(scripts) or UNSET)


def prose_of(record: Record, role: str, per: str, coded: set[str]) -> list[str]:
    """What one role says without its code, turn by turn or as one text."""
    turns = [message.content for message in record.messages if message.role == role]
    for place, text in enumerate(turns):
        if "`" in text:
            turns[place] = CODE.sub(" ", text)
        if text in coded:
            turns[place] = without_code(turns[place])
    return ["\n".join(turns)] if per == "side" else turns


def side(texts: list[str], told: list[Told], candidates: frozenset[str]) -> Told:
    """The language of most of a side's turns, at its highest confidence; of all turns as one if none could be told."""
    counted = Counter(language for language, _ in told if language)
    if not counted:
        return detect("\n".join(texts), candidates)
    first = max(counted, key=lambda language: (counted[language], language))
    return first, max(confidence for language, confidence in told if language == first)


def own_script(text: str) -> str | None:
    """The script that a text is wholly in, if it is not Latin and has letters enough to say so."""
    name, letters, share = script(text[: LOOKED_AT[-1]])
    return name if name != "Latn" and share >= WHOLLY and letters >= FEWEST.get(name, OTHERS) else None


as_set: Callable[[tuple[str, ...]], frozenset[str]] = cache(frozenset)


def decide(value: dict[str, Any], params: Params) -> str | None:
    """Any turn surely in another language, or in a script that no allowed language is written in."""
    for language, confidence in (value["prompt"], value["reply"], *value.get("turns", ())):
        if language and language not in params.allowed and confidence >= params.min_confidence:
            return "wrong_language"
    foreign = (name for name in value.get("scripts", ()) if not any(writes(each, name) for each in params.allowed))
    return "wrong_language" if any(foreign) else None
