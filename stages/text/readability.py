"""Flesch's reading ease, counted on bytes: a text costs a few passes in C, and no word is looked up."""

import string

FEWEST = 20  # words: fewer say nothing of how a text reads
KINDS = {"a": "aiouyAIOUY", "e": "eE", "c": f"{string.ascii_letters}'", ".": ".!?:"}
LETTERS = bytes(
    ord(next((kind for kind, held in KINDS.items() if letter in held), " ")) for letter in map(chr, range(256))
)
"""Every byte as a vowel `a`, an `e`, what else words are made of `c`, a mark that ends a sentence, or a space."""
VOWELS = bytes.maketrans(b"aec.", b"aa  ")
WORDS = bytes.maketrans(b"ae.", b"cc ")


def reading_ease(text: str) -> float | None:
    """Flesch reading ease (1948) of English prose; None if it has too few words.

    A sentence ends at a mark before white space, a syllable is a group of vowels, and a last `e` after a consonant is silent
    unless it is the only vowel, as in "the".
    """
    letters = b" " + text.encode("ascii", "replace").translate(LETTERS) + b" "
    words = letters.translate(WORDS).count(b" c")
    if words < FEWEST:
        return None
    silent = letters.count(b"ce ") - letters.count(b" ce ") - letters.count(b" cce ")
    syllables = max(words, letters.translate(VOWELS).count(b" a") - silent)
    sentences = max(1, letters.count(b". "))
    return round(206.835 - 1.015 * words / sentences - 84.6 * syllables / words, 1)
