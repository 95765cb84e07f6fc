"""Runs of words that texts share with a fixed set of texts: words and runs as 64-bit numbers, many texts at once.

A word is a stretch of letters, digits and underscores in lower case, without punctuation. Scripts that put no spaces between
words (Han, kana, Thai, Lao, Khmer, Myanmar) count by the character, marks with the letter they stand on. The numbers are
hashes: 100 million runs held against a million meet a false match with a chance of about 1 in 100,000.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]
Found = tuple[Numbers, NDArray[np.bool_], Places, Places]

PIECE = (
    1 << 16
)  # characters at once: their arrays stay in a core's cache, and a text of 20 MB needs no memory of its own
LETTER = 0x9E3779B97F4A7C15  # odd, so that it has an inverse: 2**64 over the golden ratio
WORD = 0xD6E8FEB86659FD93  # odd: of the Rust hash of the same name
OTHER, PART, SINGLE, MARK, UNKNOWN = 0, 1, 2, 3, 255
"""What a character is: no part of a word, a part, a word by itself, a mark on the letter before it, not looked up yet."""
SINGLES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1B000, 0x1B16F),
    (0x20000, 0x323AF),
)
"""Blocks of scripts that put no spaces between words, first and last code point."""


class Words(Struct):
    """The words of texts, one text after the other: a number each, whether it is a single character, and its place.

    `begins[n]` to `begins[n + 1]` are the words of text n; `starts` and `ends` are characters of that text in lower case.
    """

    numbers: Numbers
    single: NDArray[np.bool_]
    starts: Places
    ends: Places
    begins: Places


class Table(Struct):
    """Runs of one length of the fixed set: their numbers in order, and the places of the first words of each.

    `places[bounds[n]:bounds[n + 1]]` are those of number n. `seen` and `firsts` are looked up by the first bits of a number:
    whether there is one, and the first that is not less.
    """

    length: int
    singles: bool
    numbers: Numbers
    bounds: NDArray[np.int32]
    places: NDArray[np.int32]
    seen: NDArray[np.bool_]
    firsts: NDArray[np.int32]

    def find(self, numbers: Numbers) -> tuple[Places, Places]:
        """The places of the numbers that are in the table, and where each stands in it first."""
        likely = np.flatnonzero(self.seen[top(numbers, self.seen)])
        wanted = numbers[likely]
        first = self.firsts[top(wanted, self.firsts)].astype(np.int64)
        waiting = np.flatnonzero(self.numbers[first] < wanted)
        while len(waiting):  # few numbers share their first bits, so this ends after a few rounds
            first[waiting] += 1
            waiting = waiting[self.numbers[first[waiting]] < wanted[waiting]]
        met = self.numbers[first] == wanted
        return likely[met], first[met]


@cache
def kinds() -> NDArray[np.uint8]:
    """What each code point is, shape (0x110000,); looked up when it is first met."""
    return np.full(0x110000, UNKNOWN, np.uint8)


@cache
def powers() -> tuple[Numbers, Numbers]:
    """The powers of LETTER modulo 2**64 and their inverses, shape (PIECE + 1,) each."""
    both = []
    for factor in (LETTER, pow(LETTER, -1, 1 << 64)):
        table = np.full(PIECE + 1, factor, np.uint64)
        table[0] = 1
        both.append(np.cumprod(table, dtype=np.uint64))
    return both[0], both[1]


def kind_of(letter: str) -> int:
    """What a character is."""
    code = ord(letter)
    if unicodedata.category(letter)[0] == "M":
        return MARK
    if not (letter.isalnum() or letter == "_"):
        return OTHER
    return SINGLE if any(first <= code <= last for first, last in SINGLES) else PART


@cache
def ascii_kinds() -> bytes:
    """What each byte is in a text in ASCII."""
    return bytes(kind_of(chr(code)) for code in range(128)) + bytes(128)


def codes_and_kinds(text: str) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The code points of a text, and what each is."""
    if text.isascii():
        data = text.encode("ascii")
        return np.frombuffer(data, np.uint8), np.frombuffer(data.translate(ascii_kinds()), np.uint8)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found = kinds()[codes]
    if (new := found == UNKNOWN).any():
        for code in np.unique(codes[new]).tolist():
            kinds()[code] = kind_of(chr(code))
        found = kinds()[codes]
    return codes, found


def words_in(text: str) -> Found:
    """Number, singleness, start and end of every word of a text in lower case, at most PIECE characters long."""
    codes, kind = codes_and_kinds(text)
    inside = kind != OTHER
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    single = kind == SINGLE
    if single.any():
        starts |= single
        starts[1:] |= (kind[1:] == PART) & single[:-1]
    ends = inside.copy()
    ends[:-1] &= ~inside[1:] | starts[1:]
    first, last = np.flatnonzero(starts), np.flatnonzero(ends)
    power, inverse = powers()
    sums = np.multiply(power[: len(codes)], codes, dtype=np.uint64)
    np.cumsum(sums, out=sums)
    numbers = sums[last] - np.where(first > 0, sums[first - 1], np.uint64(0))
    return mixed(numbers * inverse[first]), single[first], first, last + 1


def mixed(numbers: Numbers) -> Numbers:
    """The numbers with each bit depending on all: two rounds of what MurmurHash3 ends with."""
    numbers ^= numbers >> np.uint64(33)
    numbers *= np.uint64(0xFF51AFD7ED558CCD)
    numbers ^= numbers >> np.uint64(29)
    numbers *= np.uint64(WORD)
    numbers ^= numbers >> np.uint64(32)
    return numbers


def blocks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Consecutive texts of at most PIECE characters together, with one between each two; a longer one alone."""
    start, size = 0, 0
    for place, text in enumerate(texts):
        if size and size + len(text) + 1 > PIECE:
            yield start, place
            start, size = place, 0
        size += len(text) + 1
    if size:
        yield start, len(texts)


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces of at most PIECE characters with their offsets, cut between words if one of the last 1,000 ends."""
    start = 0
    while start < len(text):
        end = min(len(text), start + PIECE)
        if end < len(text):
            end = next((at for at in range(end, end - 1000, -1) if not text[at - 1].isalnum()), end)
        yield start, text[start:end]
        start = end


def cut(texts: Sequence[str]) -> Words:
    """The words of these texts."""
    low = [text.lower() for text in texts]
    found: list[Found] = []
    begins = [np.zeros(1, np.int64)]
    for start, end in blocks(low):
        offsets = np.cumsum([0, *(len(text) + 1 for text in low[start:end])])
        parts = [
            (numbers, single, first + offset, last + offset)
            for offset, piece in pieces("\n".join(low[start:end]))
            for numbers, single, first, last in [words_in(piece)]
        ]
        numbers, single, first, last = joined(parts)
        counts = np.diff(np.searchsorted(first, offsets))
        shift = np.repeat(offsets[:-1], counts)
        found.append((numbers, single, first - shift, last - shift))
        begins.append(begins[-1][-1] + np.cumsum(counts))
    return Words(*joined(found), begins=np.concatenate(begins))


def joined(parts: list[Found]) -> Found:
    """The columns of all parts."""
    if not parts:
        none = np.empty(0, np.int64)
        return none.astype(np.uint64), none.astype(bool), none, none
    numbers, single, starts, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    return numbers, single, starts, ends


def runs(numbers: Numbers, length: int) -> Numbers:
    """The number of every run of `length` words, shape (words - length + 1,); runs across the end of a text among them."""
    count = max(0, len(numbers) - length + 1)
    result = np.zeros(count, np.uint64)
    for offset in range(length):
        result *= np.uint64(WORD)
        result += numbers[offset : offset + count]
    return result


def table(words: Words, length: int, singles: bool, kept: NDArray[np.bool_]) -> Table:
    """The runs of the fixed set that are `kept`, a flag for each word that starts one."""
    places = np.flatnonzero(kept)
    numbers = runs(words.numbers, length)[places]
    order = np.argsort(numbers, kind="stable")
    numbers, bounds = np.unique(numbers[order], return_index=True)
    bits = max(12, len(numbers).bit_length())
    seen = np.zeros(1 << bits + 3, bool)
    seen[top(numbers, seen)] = True
    firsts = np.searchsorted(numbers, np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits))
    numbers = np.append(numbers, np.uint64((1 << 64) - 1))  # a search ends here
    bounds = np.append(bounds, (len(places), len(places)))
    narrow = [array.astype(np.int32) for array in (bounds, places[order], firsts)]
    return Table(length, singles, numbers, narrow[0], narrow[1], seen, narrow[2])


def top(numbers: Numbers, table: NDArray[Any]) -> Places:
    """The first bits of each number, as many as tell the places of a table apart."""
    return (numbers >> np.uint64(65 - len(table).bit_length())).astype(np.int64)


def matches(found: Table, words: Words) -> tuple[Places, Places, Places]:
    """Every run of these texts that the table has: the text, its first word among all words, and its place in the set."""
    none = np.empty(0, np.int64)
    if not len(found.places) or (found.singles and not words.single.any()):
        return none, none, none
    numbers = runs(words.numbers, found.length)
    likely, first = found.find(numbers)
    text = np.searchsorted(words.begins, likely, "right") - 1
    whole = likely + found.length <= words.begins[text + 1]
    likely, first, text = likely[whole], first[whole], text[whole]
    start = found.bounds[first].astype(np.int64)
    count = found.bounds[first + 1] - start
    again = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    there = found.places[np.repeat(start, count) + again].astype(np.int64)
    return np.repeat(text, count), np.repeat(likely, count), there


def stretches(text: Places, item: Places, here: Places, there: Places, length: int) -> tuple[Places, ...]:
    """Runs that overlap or touch at the same distance, put together: text, item, and first and last word in the set."""
    order = np.lexsort((here, there - here, item, text))
    text, item, here, there = text[order], item[order], here[order], there[order]
    same = (np.diff(text) == 0) & (np.diff(item) == 0) & (np.diff(there - here) == 0) & (np.diff(here) <= length)
    new = np.concatenate(([True], ~same)) if len(text) else np.empty(0, bool)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(text)) - 1 if len(first) else first
    return text[first], item[first], there[first], there[last] + length
