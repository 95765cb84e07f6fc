"""Which script a text is in, and what that says of its language: where one language writes a script, no model is asked.

Codes are of ISO 15924 and ISO 639-1; the ranges are Unicode's blocks of letters. `Jpan` is text with kana, `Hani` Han alone.
"""

import re
from collections import Counter
from functools import cache

RANGES = {
    "Latn": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff",
    "Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrl": "\u0400-\u052f",
    "Armn": "\u0531-\u0587",
    "Hebr": "\u05d0-\u05f4",
    "Arab": "\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdfb\ufe70-\ufefc",
    "Deva": "\u0900-\u0963\u0970-\u097f",
    "Beng": "\u0980-\u09e3\u09f0-\u09ff",
    "Guru": "\u0a01-\u0a75",
    "Gujr": "\u0a81-\u0aff",
    "Orya": "\u0b01-\u0b77",
    "Taml": "\u0b82-\u0bfa",
    "Telu": "\u0c00-\u0c7f",
    "Knda": "\u0c80-\u0cff",
    "Mlym": "\u0d00-\u0d7f",
    "Sinh": "\u0d80-\u0dff",
    "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "Laoo": "\u0e81-\u0edf",
    "Mymr": "\u1000-\u109f",
    "Geor": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Ethi": "\u1200-\u139f",
    "Khmr": "\u1780-\u17dd",
    "Hang": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "Kana": "\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Hani": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
}
ALONE = {
    "Armn": "hy",
    "Beng": "bn",
    "Geor": "ka",
    "Grek": "el",
    "Gujr": "gu",
    "Guru": "pa",
    "Hang": "ko",
    "Hebr": "he",
    "Jpan": "ja",
    "Khmr": "km",
    "Knda": "kn",
    "Laoo": "lo",
    "Mlym": "ml",
    "Mymr": "my",
    "Orya": "or",
    "Sinh": "si",
    "Taml": "ta",
    "Telu": "te",
    "Thai": "th",
}
"""Scripts that practically one language writes. Yiddish, Assamese and the like are taken for it."""
SHARED = {
    "Arab": ("ar", "fa", "ur", "ps", "ku", "sd", "ug"),
    "Cyrl": ("bg", "ru", "sr", "uk", "be", "mk", "kk", "ky", "tg", "mn", "tt"),
    "Deva": ("hi", "mr", "ne", "sa"),
    "Ethi": ("am", "ti"),
    "Hani": ("zh", "ja"),
}
"""Scripts that several languages write, of which the model chooses one."""
FOREIGN = {
    "ru": "іїєґўјљњћђџѓќѕәғқңөұүһ",
    "bg": "ыэёіїєґўјљњћђџѓќѕәғқңөұүһ",
    "uk": "ыэёъўјљњћђџѓќѕәғқңөұүһ",
    "sr": "йщъыьэюяіїєґўёѓќѕәғқңөұүһ",
    "mk": "йщъыьэюяіїєґўёћђәғқңөұүһ",
    "be": "ищъїєґјљњћђџѓќѕәғқңөұүһ",
}
"""Letters that a language written in Cyrillic does not have."""
NOT_LATIN = re.compile(f"[{''.join(letters for script, letters in RANGES.items() if script != 'Latn')}]")
BY_SCRIPT = re.compile("|".join(f"(?P<{script}>[{letters}]+)" for script, letters in RANGES.items()))
DENSE = ("Hani", "Jpan", "Hang")  # scripts whose letters are syllables or words
WEIGHT = 3  # letters of other scripts that say as much as one of these
KANA = 0.1  # share of kana, of them and Han, from which a text is Japanese: nearly every sentence has some
MIXED = 0.01  # share of letters that a language does not have, as in a name, from which a text is not in it


def script(text: str) -> tuple[str, int, float]:
    """The script that most of a text is in, its letters, and their share of all, from 0 to 1, by weight."""
    if text.isascii() or not NOT_LATIN.search(text):
        return "Latn", 0, 1.0  # nobody asks how many
    letters: Counter[str] = Counter()
    for found in BY_SCRIPT.finditer(text):
        letters[str(found.lastgroup)] += found.end() - found.start()
    kana, han = letters.pop("Kana", 0), letters.pop("Hani", 0)
    letters["Jpan" if kana > 1 and kana >= KANA * (kana + han) else "Hani"] = kana + han
    weights = {name: count * (WEIGHT if name in DENSE else 1) for name, count in letters.items()}
    first = max(weights, key=lambda name: (weights[name], name))
    return first, letters[first], round(weights[first] / sum(weights.values()), 3)


@cache
def writers(script: str) -> frozenset[str]:
    """The languages written in a script other than Latin."""
    return frozenset(SHARED.get(script) or [ALONE[script]])


def possible(text: str, script: str) -> frozenset[str]:
    """The languages a text in this script can be in, by its letters; all of them if none has only such letters."""
    low = text.lower()
    most = MIXED * len(low)
    left = {name for name in writers(script) if sum(map(low.count, FOREIGN.get(name, ""))) <= most}
    return frozenset(left) or writers(script)


def writes(language: str, script: str) -> bool:
    """Whether a language is written in a script other than Latin."""
    return language in writers(script)
