"""Near-duplicates: MinHash bands propose, the exact Jaccard similarity decides, and only survivors are compared with.

A bucket is what the records share that have one key of one band. Where there is much to do the same loops run compiled.
"""

import math
import mmap
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stages.contract import progress
from stages.text.minhash import band_keys, bands, kernel, packed, signatures
from stages.text.shingles import PRIME, Shingles, fold, jaccard, letters, runs, words

DEVIATIONS = 2.5  # standard deviations an estimate may lie below the floor and be verified: misses 1 pair in 160 there
HELD = 256  # survivors of a bucket that later records are held against: bounds the work on boilerplate
PAIRS = 16  # pairs below the threshold that are kept of a record, the most alike
CACHED = 4096  # sets of runs kept while they may be needed again

Meet = Callable[[int, int, "NDArray[np.int64]", "NDArray[np.int32]"], "NDArray[np.int64]"]
"""From bands, rows a band and the lengths of the buckets so far: writes each band's buckets, and gives all lengths."""


class Texts(Struct):
    """What is compared of some records, one after the other, and where each begins, its reply and it ends.

    Letters are the characters of folded text in UTF-8 or, if `wide`, numbers of four bytes, one a word.
    """

    data: "NDArray[np.uint8]"
    begins: "NDArray[np.int64]"
    middles: "NDArray[np.int64]"
    ends: "NDArray[np.int64]"
    wide: bool = False

    def taken(self, places: "NDArray[np.int64]") -> "Texts":
        """The texts in these places, in this order."""
        return Texts(self.data, self.begins[places], self.middles[places], self.ends[places], self.wide)

    def text(self, place: int) -> "NDArray[np.uint64]":
        """The set of runs of a text."""
        return self.runs(self.begins[place], self.ends[place])

    def reply(self, place: int) -> "NDArray[np.uint64]":
        """The set of runs of a reply."""
        return self.runs(self.middles[place], self.ends[place])

    def runs(self, begin: int, end: int) -> "NDArray[np.uint64]":
        """The set of runs of a stretch."""
        part = self.data[begin:end].tobytes()
        return runs(np.frombuffer(part, "<u4") if self.wide else letters(part.decode()))


def texts(parts: Iterable[tuple[str, str, bool]], shingles: Shingles = "characters") -> Texts:
    """What is compared of prompts and replies; those that are cased keep their case."""
    if shingles == "characters" and (fast := kernel(0)):
        found = [(part, cased) for asked, said, cased in parts for part in (asked, said)]
        flags = [cased for _, cased in found]
        return Texts(*fast.folded_pairs(*packed([part for part, _ in found], flags), np.logical_not(flags)))
    pieces: list[bytes] = []
    places = [[0, 0, 0]]
    for prompt, reply, cased in parts:
        if shingles == "words":
            asked, said = spelt(words(prompt, cased)), spelt(words(reply, cased))
        else:
            asked, said = fold(prompt, cased).encode(), fold(reply, cased).encode()
            asked += b" " if asked and said else b""
        begin = places[-1][2]
        places.append([begin, begin + len(asked), begin + len(asked) + len(said)])
        pieces += (asked, said)
    begins, middles, ends = np.array(places[1:], np.int64).reshape(-1, 3).T
    return Texts(np.frombuffer(b"".join(pieces), np.uint8), begins, middles, ends, shingles == "words")


def spelt(found: list[str]) -> bytes:
    """Words as letters of four bytes: hashes, of which two are the same by a chance of one in four thousand million."""
    from xxhash import xxh32_digest

    return b"".join(xxh32_digest(each.encode()) for each in found)


def joined(parts: Iterable[Texts], shingles: Shingles = "characters") -> Texts:
    """Texts of several files, one after the other; a part is let go before the next is asked for."""
    data, places = bytearray(), [np.empty((3, 0), np.int64)]
    for part in parts:
        places.append(np.stack((part.begins, part.middles, part.ends)) + len(data))
        data += part.data.tobytes()
    begins, middles, ends = np.concatenate(places, axis=1)
    return Texts(np.frombuffer(data, np.uint8), begins, middles, ends, shingles == "words")


class Bounds(Struct):
    """From which similarity on records are the same, which pairs are told, and how many survivors are compared with."""

    threshold: float
    floor: float
    recall: float
    compared: int


class Alike(Struct):
    """By place in the order of preference: who is dropped for whom (-1: nobody), how alike they are (0: only folded), for
    whom something was left uncompared; and the pairs of survivors from the floor on.
    """

    survivor: "NDArray[np.int64]"
    similarity: "NDArray[np.float64]"
    left: "NDArray[np.bool_]"
    ones: "NDArray[np.int64]"
    others: "NDArray[np.int64]"
    likeness: "NDArray[np.float64]"


def near(
    blocks: Sequence["NDArray[np.uint32]"],
    order: "NDArray[np.int64]",
    families: "NDArray[np.uint8]",
    folded: "NDArray[np.uint64]",
    prompts: "NDArray[np.uint64]",
    texts_of: Callable[["NDArray[np.int64]"], Texts],
    bounds: Bounds,
    meet: Meet | None = None,
) -> Alike:
    """Which records match a survivor, and which survivors are alike.

    `blocks` are signatures of shape (records, 128), counted through; `order` holds the rows that are compared, the preferred
    first, and of each of them `families` says with which others it may be, `folded` what it is but for case and
    punctuation, `prompts` what it answers (0: nothing). `texts_of` gives the texts of places in that order. Two answers to
    one prompt that are less alike than the threshold are no duplicates. `meet` finds the buckets of the bands elsewhere.
    """
    if not len(order):
        return nothing()
    count, rows = bands(bounds.floor, bounds.recall)
    buckets, rooms = met_in(blocks, order, families, folded, count, rows, meet)
    met = np.flatnonzero((buckets >= 0).any(axis=1))
    alike = compared(
        buckets[met], np.minimum(rooms, HELD), sketches(blocks, order[met]), texts_of(met), prompts[met], bounds
    )
    result = Alike(
        np.full(len(order), -1),
        np.zeros(len(order)),
        np.zeros(len(order), bool),
        met[alike.ones],
        met[alike.others],
        alike.likeness,
    )
    result.survivor[met] = np.where(alike.survivor >= 0, met[alike.survivor], -1)
    result.similarity[met], result.left[met] = alike.similarity, alike.left
    return result


def nothing() -> Alike:
    """What is found where nothing can be."""
    none = np.empty(0, np.int64)
    return Alike(none, np.empty(0), np.empty(0, bool), none, none, np.empty(0))


def near_texts(found: Sequence[str], bounds: Bounds) -> Alike:
    """The same of texts alone, the preferred first."""
    signed, count = signatures(found), len(found)
    apart = np.arange(1, count + 1, dtype=np.uint64)
    return near(
        [signed],
        np.arange(count),
        np.zeros(count, np.uint8),
        apart,
        np.zeros(count, np.uint64),
        lambda places: texts((found[place], "", False) for place in places),
        bounds,
    )


def met_in(
    blocks: Sequence["NDArray[np.uint32]"],
    order: "NDArray[np.int64]",
    families: "NDArray[np.uint8]",
    folded: "NDArray[np.uint64]",
    count: int,
    rows: int,
    meet: Meet | None = None,
) -> "tuple[NDArray[np.int32], NDArray[np.int64]]":
    """The bucket of each record in the folded form and in each band, -1 where it is alone; and how many are in each bucket.

    Signatures are read once, file by file, so that a million records need no more than their keys and bucket numbers.
    """
    apart = families.astype(np.uint64) * np.uint64(PRIME)
    found, lengths = numbered(folded ^ apart, np.empty(0, np.int64))
    buckets = np.empty((len(order), count + 1), np.int32)
    buckets[:, 0] = found
    if meet:
        return buckets, meet(count, rows, lengths, buckets[:, 1:])
    keys = np.concatenate([keys_of(read(block), count, rows) for block in blocks], axis=1)
    for band in range(count):
        buckets[:, band + 1], lengths = numbered(keys[band][order] ^ apart, lengths)
    return buckets, lengths


def keys_of(block: "NDArray[np.uint32]", count: int, rows: int) -> "NDArray[np.uint64]":
    """The keys of all bands, shape (bands, records)."""
    return np.stack([band_keys(block, band, rows) for band in range(count)])


def read(block: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """A block of signatures in memory; the pages of a mapped file are let go, or they would add up to the whole."""
    content = np.array(block)
    if isinstance(block, np.memmap):
        block._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    return content


def numbered(keys: "NDArray[np.uint64]", lengths: "NDArray[np.int64]") -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """A number for each key that comes twice or more, counted on from the buckets so far; -1 for the others."""
    order = np.argsort(keys)
    same = np.concatenate(([False], keys[order[1:]] == keys[order[:-1]], [False]))[: len(keys) + 1]
    member, number = same[1:] | same[:-1], np.cumsum(same[1:] & ~same[:-1])
    places = np.empty(len(keys), np.int64)
    places[order] = np.where(member, number + len(lengths) - 1, -1)
    return places, np.concatenate((lengths, np.bincount(number[member])[1:]))


def sketches(blocks: Sequence["NDArray[np.uint32]"], rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
    """The last byte of every value of these rows' signatures: tells who is likely alike in a quarter of the room."""
    result = np.empty((len(rows), blocks[0].shape[1]), np.uint8)
    start = 0
    for block in blocks:
        here = np.flatnonzero((rows >= start) & (rows < start + len(block)))
        result[here] = read(block)[rows[here] - start]
        start += len(block)
    return result


def likely(floor: float, values: int) -> int:
    """From how many equal values on a pair is verified."""
    return math.ceil((floor - DEVIATIONS * math.sqrt(floor * (1 - floor) / values)) * values)


def compared(
    buckets: "NDArray[np.int32]",
    rooms: "NDArray[np.int64]",
    sketches: "NDArray[np.uint8]",
    texts: Texts,
    prompts: "NDArray[np.uint64]",
    bounds: Bounds,
) -> Alike:
    """The greedy pass, compiled where there is much to do."""
    if not len(buckets):
        return nothing()
    least = likely(bounds.floor, sketches.shape[1])
    if fast := kernel(len(buckets)):
        limits = (bounds.threshold, bounds.floor, least, bounds.compared, PAIRS)
        return Alike(
            *fast.greedy(
                buckets,
                rooms,
                sketches,
                texts.data,
                texts.begins,
                texts.middles,
                texts.ends,
                texts.wide,
                prompts,
                *limits,
            )
        )
    return greedy(buckets, rooms, sketches, texts, prompts, bounds, least)


def greedy(
    buckets: "NDArray[np.int32]",
    rooms: "NDArray[np.int64]",
    sketches: "NDArray[np.uint8]",
    texts: Texts,
    prompts: "NDArray[np.uint64]",
    bounds: Bounds,
    least: int,
) -> Alike:
    """Each record in turn against the survivors before it: dropped for the likeliest one that it really matches.

    `buckets` has a row for each record, shape (records, 1 + bands): its bucket in the folded form, then in each band, -1 for
    none; `rooms` says how many survivors each bucket holds at most.
    """
    runs_of = lru_cache(CACHED)(texts.text)
    held: list[list[int]] = [[] for _ in rooms]
    survivor, similarity, left = np.full(len(buckets), -1), np.zeros(len(buckets)), np.zeros(len(buckets), bool)
    full = np.zeros(len(rooms), bool)
    pairs: list[tuple[int, int, float]] = []
    for record, its in progress.over(enumerate(buckets.tolist()), "near-duplicates", len(buckets)):
        if its[0] >= 0 and held[its[0]]:
            survivor[record] = held[its[0]][0]
            continue
        others = np.array(sorted({other for bucket in its[1:] if bucket >= 0 for other in held[bucket]}), np.int64)
        near_by, left[record] = nearest(sketches, record, others, least, bounds.compared)
        found: list[tuple[int, int, float]] = []
        for other in near_by:
            like = jaccard(runs_of(record), runs_of(other))
            if like < bounds.floor or another_answer(record, other, texts, prompts, bounds.threshold):
                continue
            if like >= bounds.threshold:
                survivor[record], similarity[record] = other, like
                break
            found.append((record, other, like))
        else:
            pairs += sorted(found, key=lambda pair: -pair[2])[:PAIRS]
            for bucket in its:
                if bucket >= 0 and len(held[bucket]) < rooms[bucket]:
                    held[bucket].append(record)
                elif bucket >= 0:
                    full[bucket] = True
            left[record] |= any(full[bucket] for bucket in its[1:] if bucket >= 0)
    return Alike(survivor, similarity, left, *columns(pairs))


def columns(
    pairs: list[tuple[int, int, float]],
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
    """The pairs as three arrays."""
    one, other, likeness = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(one, np.int64), np.array(other, np.int64), np.array(likeness, np.float64)


def nearest(
    sketches: "NDArray[np.uint8]", record: int, others: "NDArray[np.int64]", least: int, most: int
) -> tuple[list[int], bool]:
    """The others with the most values equal to the record's, from `least` on, the likeliest first; and whether more are."""
    equal = np.count_nonzero(sketches[others] == sketches[record], axis=1)
    enough = np.flatnonzero(equal >= least)
    ranked = enough[np.argsort(-equal[enough], kind="stable")]
    return others[ranked[:most]].tolist(), len(ranked) > most


def another_answer(record: int, other: int, texts: Texts, prompts: "NDArray[np.uint64]", threshold: float) -> bool:
    """Whether the two answer the same prompt, and not the same."""
    return bool(
        prompts[record]
        and prompts[record] == prompts[other]
        and jaccard(texts.reply(record), texts.reply(other)) < threshold
    )
