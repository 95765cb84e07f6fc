"""What texts share with a fixed set of texts: the longest run of words, the share of its runs, near copies.

A run says something only if half of its words are different and have letters, if few rows of the set have it, and if it is
no licence notice. The pieces that near copies are told by are runs of three words: with all of them at hand no sketch is
needed, so the similarity is exact. A text of any length is compared a stretch at a time, as long as the row it resembles.
"""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stages.text.licence_notices import NOTICES
from stages.text.runs import Numbers, Places, Table, Words, cut, matches, runs, stretches, table

PIECE = 3  # words: one changed word in six leaves half of them
BLOCK = 1 << 16  # runs looked at at once
FEWEST = 6  # pieces: fewer are shared by chance
COPY = 0.8  # of a part: what holds so much of it is a copy of it, changed or cut short, and no boilerplate
STRETCH = 1.5  # of a row's length: how far its pieces may lie apart


class Row(Struct):
    """A text of the fixed set: where its parts end in characters, shortest first, and a group that counts as one row."""

    text: str
    parts: list[int]
    group: int


class Lengths(Struct, frozen=True):
    """How many words make a run, and how many if a character of an unsegmented script is among them."""

    words: int
    characters: int

    def part(self, words: int) -> "Lengths":
        """The same proportion for shorter runs."""
        return Lengths(words, max(2, round(words * self.characters / self.words)))

    def each(self) -> tuple[tuple[int, bool], ...]:
        """Both lengths, each with whether it is the one of unsegmented scripts."""
        return (self.words, False), (self.characters, True)


class Frozen(Struct):
    """The fixed set: its words, what the parts of each row are, and the runs and pieces that say something.

    `telling` flags words that stand in such a run; `starts` and `heads` flag the words that a run or a piece of each length
    starts at, shape (2, words). Parts are ends in words, counted from the row's first.
    `totals` are the parts that can tell a near copy, each with its number of pieces, `fewest` the least of a row.
    """

    rows: list[Row]
    lengths: Lengths
    words: Words
    row_of: Places
    parts: list[list[int]]
    telling: NDArray[np.bool_]
    starts: NDArray[np.bool_]
    heads: NDArray[np.bool_]
    runs: list[Table]
    pieces: list[Table]
    totals: list[list[tuple[int, int]]] = []
    fewest: NDArray[np.int64] = np.empty(0, np.int64)


class Match(Struct):
    """What one text shares with one row: stretches of the row as first word and end, and what they amount to.

    `share` is the part of the row that the longest run covers, `longest` its words, `coverage` what all its runs cover,
    `contained` the part of its runs, `near` the part of its pieces that stand in one stretch of the text. Each is that
    of the row's part (its opening, its question, the whole) for which it is largest; words that say nothing do not count.
    """

    row: int
    spans: list[tuple[int, int]]
    share: float = 0.0
    longest: float = 0.0
    coverage: float = 0.0
    contained: float = 0.0
    near: float = 0.0


def freeze(rows: list[Row], lengths: Lengths, common: int) -> Frozen:
    """The fixed set; what more than `common` groups of rows have says nothing."""
    words = cut([row.text for row in rows])
    row_of = np.repeat(np.arange(len(rows)), np.diff(words.begins))
    group = np.array([row.group for row in rows], np.int64)[row_of]
    short = lengths.part(PIECE)
    told = partial(telling, words, lettered(words, rows), row_of, group)
    starts = np.array([told(*each, common) for each in lengths.each()])
    heads = np.array([told(*each, common) for each in short.each()])
    parts = [
        sorted({int(np.searchsorted(words.starts[a:b], end)) for end in row.parts} - {0})
        for row, a, b in zip(rows, words.begins[:-1], words.begins[1:], strict=True)
    ]
    made = Frozen(
        rows,
        lengths,
        words,
        row_of,
        parts,
        covered(starts, lengths),
        starts,
        heads,
        [table(words, *each, flags) for each, flags in zip(lengths.each(), starts, strict=True)],
        [table(words, *each, flags) for each, flags in zip(short.each(), heads, strict=True)],
    )
    made.totals = [piece_totals(made, number) for number in range(len(rows))]
    none = [(0, np.iinfo(np.int64).max)]
    made.fewest = np.array([min(total for _, total in totals or none) for totals in made.totals], np.int64)
    return made


def telling(
    words: Words, lettered: Numbers, row_of: Places, group: Places, length: int, singles: bool, common: int
) -> NDArray[np.bool_]:
    """Whether a run of this length that says something starts at each word; `lettered` is 0 for words without letters."""
    flags = np.zeros(len(words.numbers), bool)
    count = len(flags) - length + 1
    if count <= 0:
        return flags
    numbers = runs(words.numbers, length)
    kept = row_of[:count] == row_of[length - 1 :]
    kept &= (window_sums(words.single, length) > 0) == singles
    places = np.flatnonzero(kept)
    places = places[2 * distinct_words(lettered, places, length) >= length]
    numbers = numbers[places]
    flags[places[~(among(numbers, notices(length)) | in_many(numbers, group[places], common))]] = True
    return flags


def among(numbers: Numbers, known: Numbers) -> NDArray[np.bool_]:
    """Which of the numbers stand in a short list that is in order."""
    if not len(known):
        return np.zeros(len(numbers), bool)
    return np.asarray(known[np.minimum(np.searchsorted(known, numbers), len(known) - 1)] == numbers)


def in_many(numbers: Numbers, group: Places, common: int) -> NDArray[np.bool_]:
    """Which of these runs more than `common` groups have."""
    ordered = np.sort(numbers)
    often = np.unique(ordered[common:][ordered[common:] == ordered[:-common]])
    places = np.flatnonzero(among(numbers, often))
    order = places[np.lexsort((group[places], numbers[places]))]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(numbers[order]) != 0) | (np.diff(group[order]) != 0)
    shared, counts = np.unique(numbers[order[new]], return_counts=True)
    return among(numbers, shared[counts > common])


def distinct_words(lettered: Numbers, places: Places, length: int) -> NDArray[np.int64]:
    """How many different words with letters the runs that start at these places have."""
    counts = [np.empty(0, np.int64)]
    for start in range(0, len(places), BLOCK):
        window = np.lib.stride_tricks.sliding_window_view(lettered, length)[places[start : start + BLOCK]]
        window.sort(axis=1)
        counts.append((np.diff(window, axis=1) != 0).sum(axis=1) + (window[:, 0] != 0))
    return np.concatenate(counts)


def window_sums(values: NDArray[Any], length: int) -> NDArray[np.int64]:
    """The sum of every `length` values in a row."""
    sums = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return np.asarray(sums[length:] - sums[:-length])


def lettered(words: Words, rows: list[Row]) -> Numbers:
    """The words' numbers, 0 for those without a letter; every distinct word is looked at once."""
    low, result = [row.text.lower() for row in rows], words.numbers.copy()
    places = np.flatnonzero(~words.single)  # a character of an unsegmented script says something by itself
    distinct, first, which = np.unique(result[places], return_index=True, return_inverse=True)
    row_of = np.searchsorted(words.begins, places[first], "right") - 1
    for number, (row, place) in enumerate(zip(row_of.tolist(), places[first].tolist(), strict=True)):
        if not any(map(str.isalpha, low[row][words.starts[place] : words.ends[place]])):
            distinct[number] = 0
    result[places] = distinct[which]
    return result


def covered(starts: NDArray[np.bool_], lengths: Lengths) -> NDArray[np.bool_]:
    """Which words stand in a run that starts at a flag."""
    change = np.zeros(starts.shape[1] + 1, np.int64)
    for (length, _), flags in zip(lengths.each(), starts, strict=True):
        places = np.flatnonzero(flags)
        np.add.at(change, places, 1)
        np.add.at(change, places + length, -1)
    return np.asarray(np.cumsum(change)[:-1] > 0)


@cache
def notices(length: int) -> Numbers:
    """The runs of the notices of common licences."""
    return np.unique(runs(cut([NOTICES]).numbers, length))


def piece_totals(frozen: Frozen, row: int) -> list[tuple[int, int]]:
    """The parts of a row that are long enough to tell a near copy of, each with its number of pieces."""
    begin = int(frozen.words.begins[row])
    short = frozen.lengths.part(PIECE)
    found = []
    for end in frozen.parts[row]:
        total = sum(
            int(flags[begin : max(begin, begin + end - length + 1)].sum())
            for (length, _), flags in zip(short.each(), frozen.heads, strict=True)
        )
        if total >= FEWEST and frozen.telling[begin : begin + end].any():
            found.append((end, total))
    return found


def search(frozen: Frozen, words: Words, lowest: float) -> list[list[Match]]:
    """What each of these texts shares with rows of the set; near copies from the similarity `lowest` on."""
    found: list[dict[int, Match]] = [{} for _ in range(len(words.begins) - 1)]
    for each in frozen.runs:
        text, here, there = matches(each, words)
        for t, row, first, last in zip(
            *(column.tolist() for column in stretches(text, frozen.row_of[there], here, there, each.length)),
            strict=True,
        ):
            begin = int(frozen.words.begins[row])
            found[t].setdefault(row, Match(row, [])).spans.append((first - begin, last - begin))
    for t, row, near in near_copies(frozen, words, lowest):
        found[t].setdefault(row, Match(row, [])).near = near
    none = np.zeros(len(frozen.telling), bool)
    return [[weighed(frozen, by_row[row], none) for row in sorted(by_row)] for by_row in found]


def weighed(frozen: Frozen, match: Match, common: NDArray[np.bool_]) -> Match:
    """The match with what its spans amount to, when the words flagged as `common` say nothing either."""
    begin, end = frozen.words.begins[match.row : match.row + 2].tolist()
    tells = frozen.telling[begin:end] & ~common[begin:end]
    sums = np.concatenate(([0], np.cumsum(tells)))
    inside = np.zeros(len(tells), bool)
    for first, last in match.spans:
        inside[first:last] = True
    held = np.concatenate(([0], np.cumsum(inside & tells)))
    longest = max((weight(frozen, begin, tells, *span) for span in match.spans), default=0.0)
    result = Match(match.row, match.spans, longest=longest, near=match.near)
    for part in frozen.parts[match.row]:
        if not (total := int(sums[part])):
            continue
        fitting = [
            (first, min(last, part))
            for first, last in match.spans
            if long_enough(frozen, begin, first, min(last, part))
        ]
        best = max((int(sums[last] - sums[first]) for first, last in fitting), default=0)
        result.share = max(result.share, round(best / total, 3))
        result.coverage = max(result.coverage, round(int(held[part]) / total, 3))
        result.contained = max(result.contained, contained(frozen, begin, part, fitting, sums))
    return result


def weight(frozen: Frozen, begin: int, tells: NDArray[np.bool_], first: int, last: int) -> float:
    """How many words a run has that say something; a character counts as its part of a word."""
    singles = int((frozen.words.single[begin + first : begin + last] & tells[first:last]).sum())
    words = int(tells[first:last].sum()) - singles
    return round(words + singles * frozen.lengths.words / frozen.lengths.characters, 3)


def long_enough(frozen: Frozen, begin: int, first: int, last: int) -> bool:
    """Whether words from `first` to before `last` are a run, after they were cut to a part."""
    singles = bool(frozen.words.single[begin + first : begin + last].any()) if last > first else False
    return last - first >= (frozen.lengths.characters if singles else frozen.lengths.words)


def contained(frozen: Frozen, begin: int, part: int, spans: list[tuple[int, int]], sums: NDArray[Any]) -> float:
    """The share of a part's runs that stand in these spans; runs of which no word says something are left out."""
    total = held = 0
    for (length, _), flags in zip(frozen.lengths.each(), frozen.starts, strict=True):
        count = part - length + 1
        if count <= 0:
            continue
        counts = flags[begin : begin + count] & (sums[length : length + count] > sums[:count])
        met = np.zeros(count, bool)
        for first, last in spans:
            met[first : max(first, last - length + 1)] = True
        total += int(counts.sum())
        held += int((counts & met).sum())
    return round(held / total, 3) if total else 0.0


def common_words(frozen: Frozen, found: Iterable[Match], most: int) -> NDArray[np.bool_]:
    """Which words of the set stand in runs that more than `most` texts have, copies of a row's part left out.

    What a thousand texts share with a row is boilerplate if they share no more of it, and a leak if they have the row.
    """
    change = np.zeros(len(frozen.telling) + 1, np.int64)
    for match in found:
        if match.coverage < COPY:
            begin = int(frozen.words.begins[match.row])
            for first, last in merged(match.spans):
                change[begin + first] += 1
                change[begin + last] -= 1
    return np.asarray(np.cumsum(change)[:-1] > most)


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap put together, in order."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def text_of(frozen: Frozen, row: int, spans: list[tuple[int, int]]) -> str:
    """The longest of these runs as the row has it, in lower case; of a match without a run the row's first part."""
    begin = int(frozen.words.begins[row])
    first, last = max(
        spans, key=lambda span: (span[1] - span[0], -span[0]), default=(0, min(frozen.parts[row], default=0))
    )
    text = frozen.rows[row].text.lower()
    return (
        " ".join(text[frozen.words.starts[begin + first] : frozen.words.ends[begin + last - 1]].split()) if last else ""
    )


def near_copies(frozen: Frozen, words: Words, lowest: float) -> list[tuple[int, int, float]]:
    """Text, row and similarity of every near copy."""
    met = [matches(each, words) for each in frozen.pieces]
    text, here = (np.concatenate([each[n] for each in met]) for n in (0, 1))
    kinds, there = np.repeat([0, 1], [len(each[2]) for each in met]), np.concatenate([each[2] for each in met])
    row = frozen.row_of[there]
    pair = text * len(frozen.rows) + row
    if not len(pair):
        return []
    pairs, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    likely = counts >= lowest * frozen.fewest[pairs % len(frozen.rows)]
    kept = np.flatnonzero(likely[inverse])
    order = kept[np.lexsort((here[kept], pair[kept]))]
    bounds = np.flatnonzero(np.diff(pair[order], prepend=-1, append=-1))
    result = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        these = order[start:end]
        number = int(row[these[0]])
        near = similarity(frozen, number, here[these], there[these] - frozen.words.begins[number], kinds[these])
        if near >= lowest:
            result.append((int(text[these[0]]), number, near))
    return result


def similarity(frozen: Frozen, row: int, here: Places, there: Places, kinds: Places) -> float:
    """The largest share of a part's pieces that stand in one stretch of a text; `here` in order."""
    best = 0.0
    size = np.array([length for length, _ in frozen.lengths.part(PIECE).each()])[kinds]
    for end, total in frozen.totals[row]:
        inside = there + size <= end
        if inside.sum() > best * total:
            most = densest(here[inside].tolist(), (2 * there + kinds)[inside].tolist(), STRETCH * end)
            best = max(best, round(most / total, 3))
    return best


def densest(here: list[int], pieces: list[int], width: float) -> int:
    """How many different pieces stand within `width` words of a text at most."""
    held: dict[int, int] = {}
    best = start = 0
    for place, piece in zip(here, pieces, strict=True):
        held[piece] = held.get(piece, 0) + 1
        while place - here[start] > width:
            held[pieces[start]] -= 1
            if not held[pieces[start]]:
                del held[pieces[start]]
            start += 1
        best = max(best, len(held))
    return best
