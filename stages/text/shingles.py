"""Pieces of texts that are compared: folded words, and runs of characters as numbers."""

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD = re.compile(r"\w+")
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)  # fenced and inline; an open fence goes to the end
PRIME = 0x100000001B3  # FNV's 64-bit prime
RUN = 5  # characters: two words that differ in one letter still share most runs
Shingles = Literal["characters", "words"]
"""What a run is made of. Words suit long texts of languages that write spaces; characters suit all."""
SPACES = bytes(32 if code < 128 and chr(code).isspace() else code for code in range(256))
LOWER = SPACES.lower()


def fold(text: str, cased: bool = False) -> str:
    """The text with single spaces, and in lower case unless it is `cased`: how near-duplicates are compared."""
    if text.isascii():
        return single_spaced(text.encode().translate(SPACES if cased else LOWER)).decode()  # twice as fast as splitting
    return " ".join((text if cased else text.lower()).split())


def single_spaced(content: bytes) -> bytes:
    """The bytes with one space wherever there are several, and none at the ends."""
    content = content.strip(b" ")
    while b"  " in content:
        content = content.replace(b"  ", b" ")
    return content


def words(text: str, cased: bool = False) -> list[str]:
    """The words of a text without punctuation, in lower case unless it is `cased`."""
    return WORD.findall(text if cased else text.lower())


def word_runs(text: str, length: int) -> "zip[tuple[str, ...]]":
    """All runs of `length` words in a row."""
    found = words(text)
    return zip(*(found[start:] for start in range(length)), strict=False)


def runs_of(found: list[str]) -> list[list[str]]:
    """All runs of words; fewer words than a run are one run of their own."""
    return [found[start : start + RUN] for start in range(max(1, len(found) - RUN + 1))]


def letters(text: str) -> "NDArray[np.uint32]":
    """The characters of a text as numbers."""
    import numpy as np

    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def runs(letters: "NDArray[np.uint32]", length: int = RUN) -> "NDArray[np.uint64]":
    """The set of runs of `length` letters of a folded text as sorted 64-bit numbers, shape (distinct runs,).

    A text shorter than a run is one run of its own. The numbers are hashes: two sets of a thousand runs hold
    a false match with a chance of about 1 in 10**13.
    """
    import numpy as np

    letters = letters.astype(np.uint64)
    width = min(length, len(letters))
    mixed = np.full(max(1, len(letters) - width + 1), width, np.uint64)
    for offset in range(width):
        mixed = mixed * np.uint64(PRIME) + letters[offset : offset + len(mixed)]
    mixed.sort()  # np.unique hashes first, which takes three times as long for sets of this size
    return mixed[np.concatenate(([True], mixed[1:] != mixed[:-1]))]


def jaccard(one: "NDArray[np.uint64]", other: "NDArray[np.uint64]") -> float:
    """Shared runs over all runs of two sorted sets, from 0 to 1."""
    import numpy as np

    both = np.concatenate((one, other))
    both.sort(kind="stable")  # two sorted runs: one merge
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)
