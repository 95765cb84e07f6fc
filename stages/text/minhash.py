"""MinHash signatures of many texts at once, and the keys by which they meet in a band.

The signatures are, bit for bit, those of `datasketch.MinHash(128, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)`
over the UTF-8 bytes of the runs of five characters; a test compares them. The permutations are drawn as it draws them.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import chain, repeat
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.text.patterns import blocks
from stages.text.shingles import RUN, Shingles, fold, runs_of, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 128
SEED = 1  # datasketch's own default
WORTHWHILE = 20_000  # texts from which on it pays to load the compiled loops
P1, P2, P3, P4, P5 = (np.uint32(p) for p in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1))  # xxHash
SEEDS = tuple(np.uint32(s) for s in (0x24234428, 0x85EBCA77, 0, 0x61C8864F))  # P1 + P2, P2, 0, -P1: xxHash's four lanes


@cache
def permutations() -> "tuple[NDArray[np.uint32], NDArray[np.uint32]]":
    """datasketch's multipliers and summands, shape (128,) each."""
    state = np.random.RandomState(SEED)
    multipliers = state.randint(0, 1 << 31, PERMUTATIONS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return multipliers, state.randint(0, 1 << 32, PERMUTATIONS, dtype=np.uint32)


def rotated(value: "NDArray[np.uint32]", bits: int) -> "NDArray[np.uint32]":
    """Each number with its bits rotated left."""
    return (value << np.uint32(bits)) | (value >> np.uint32(32 - bits))


def finished(
    value: "NDArray[np.uint32]", first: int, one: int, second: int, two: int, third: int
) -> "NDArray[np.uint32]":
    """The last mixing steps that xxHash and MurmurHash3 share, with their own constants."""
    value = (value ^ (value >> np.uint32(first))) * np.uint32(one)
    value = (value ^ (value >> np.uint32(second))) * np.uint32(two)
    return value ^ (value >> np.uint32(third))


def xxh32(byte: "Callable[[int], NDArray[np.uint8]]", length: int) -> "NDArray[np.uint32]":
    """xxh32 with seed 0 of many runs of `length` bytes, at most 20, as five characters are; `byte(n)` is each run's n-th."""

    def lane(offset: int) -> "NDArray[np.uint32]":
        shifted = [byte(offset + place).astype(np.uint32) << np.uint32(8 * place) for place in range(4)]
        return np.asarray(np.bitwise_or.reduce(shifted))

    state: NDArray[np.uint32] = np.full(len(byte(0)), P5, np.uint32)
    if length >= 16:
        lanes = [rotated(seed + lane(4 * i) * P2, 13) * P1 for i, seed in enumerate(SEEDS)]
        state = np.sum([rotated(each, bits) for each, bits in zip(lanes, (1, 7, 12, 18), strict=True)], 0, np.uint32)
    state += np.uint32(length)
    done = 16 if length >= 16 else 0
    while done + 4 <= length:
        state = rotated(state + lane(done) * P3, 17) * P4
        done += 4
    for offset in range(done, length):
        state = rotated(state + byte(offset).astype(np.uint32) * P5, 11) * P1
    return finished(state, 15, int(P2), 13, int(P3), 16)


def run_hashes(texts: Sequence[str]) -> "tuple[NDArray[np.uint32], NDArray[np.int64]]":
    """Hashes of the runs of all texts, one text after the other, and where each text's runs start."""
    joined = "".join(texts)
    lengths = np.array([len(text) for text in texts])
    counts = np.maximum(lengths - RUN + 1, 1)
    starts = np.concatenate(([0], np.cumsum(counts)))
    if joined.isascii() and lengths.min() >= RUN:
        return mixed(ascii_hashes(joined, lengths)), starts
    data = np.frombuffer(joined.encode() + bytes(4), np.uint8)
    heads = np.flatnonzero((data & 0xC0) != 0x80)  # first byte of each character, and the four of the padding
    letters = np.arange(starts[-1]) + np.repeat(np.cumsum(lengths) - lengths - starts[:-1], counts)
    widths = np.repeat(np.minimum(lengths, RUN), counts)
    return mixed(hashed(data, heads[letters], heads[letters + widths])), starts


def ascii_hashes(joined: str, lengths: "NDArray[np.int64]") -> "NDArray[np.uint32]":
    """xxh32 of the runs of texts in ASCII: of all runs of the joined texts, less those that cross a border."""
    data = np.frombuffer(joined.encode(), np.uint8)
    count = len(data) - RUN + 1
    inside = np.ones(len(data), bool)
    for before in range(1, RUN):
        inside[np.cumsum(lengths) - before] = False
    return xxh32(lambda offset: data[offset : offset + count], RUN)[inside[:count]]


def hashed(data: "NDArray[np.uint8]", begins: "NDArray[Any]", ends: "NDArray[Any]") -> "NDArray[np.uint32]":
    """xxh32 of each slice of the data; slices of one length are hashed together."""
    sizes = ends - begins
    hashes = np.empty(len(begins), np.uint32)
    for size in np.flatnonzero(np.bincount(sizes)).tolist():
        these = np.flatnonzero(sizes == size)
        firsts = begins[these]
        hashes[these] = xxh32(lambda offset, firsts=firsts: data[firsts + offset], size)  # type: ignore[misc]
    return hashes


def mixed(hashes: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """MurmurHash3's finish, which datasketch applies before it permutes."""
    return finished(hashes, 16, 0x85EBCA6B, 13, 0xC2B2AE35, 16)


def signatures(
    texts: Sequence[str], cased: Sequence[bool] = (), shingles: Shingles = "characters"
) -> "NDArray[np.uint32]":
    """Signatures of the folded texts, shape (texts, 128); those that are `cased` keep their case.

    A text shorter than a run is one run of its own, also an empty one.
    """
    if shingles == "words":
        return least(*word_hashes(texts, cased))
    if fast := kernel(len(texts)):
        hashes, firsts = fast.run_hashes(*packed(texts, cased), np.logical_not(cased or [False] * len(texts)))
        return least(hashes, firsts)
    folded = [fold(text, each) for text, each in zip(texts, cased or repeat(False), strict=False)]
    result = np.empty((len(folded), PERMUTATIONS), np.uint32)
    simple = np.array([text.isascii() and len(text) >= RUN for text in folded], bool)
    for places in (np.flatnonzero(simple), np.flatnonzero(~simple)):  # texts in ASCII apart: their runs hash faster
        for start, stop in blocks([folded[place] for place in places]):
            these = places[start:stop]
            result[these] = block_signatures([folded[place] for place in these])
    return result


def packed(texts: Sequence[str], cased: Sequence[bool]) -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
    """The UTF-8 of all texts and where each starts; beyond ASCII in lower case, the rest is left to the compiled loop."""
    parts = [
        (text if each or text.isascii() else text.lower()).encode()
        for text, each in zip(texts, cased or repeat(False), strict=False)
    ]
    starts = np.concatenate(([0], np.cumsum([len(part) for part in parts], dtype=np.int64)))
    return np.frombuffer(b"".join(parts), np.uint8), starts


def block_signatures(texts: Sequence[str]) -> "NDArray[np.uint32]":
    """Signatures of a block of folded texts: of each permutation the least value over a text's runs."""
    return least(*run_hashes(texts))


def word_hashes(texts: Sequence[str], cased: Sequence[bool]) -> "tuple[NDArray[np.uint32], NDArray[np.int64]]":
    """Hashes of the runs of five words of all texts, and where each text's runs start."""
    from xxhash import xxh32_intdigest

    found = [
        [xxh32_intdigest(" ".join(run).encode()) for run in runs_of(words(text, each))]
        for text, each in zip(texts, cased or repeat(False), strict=False)
    ]
    starts = np.concatenate(([0], np.cumsum([len(each) for each in found], dtype=np.int64)))
    return mixed(np.fromiter(chain.from_iterable(found), np.uint32, starts[-1])), starts


def least(hashes: "NDArray[np.uint32]", starts: "NDArray[np.int64]") -> "NDArray[np.uint32]":
    """Of each permutation the least hash of each text, shape (texts, 128)."""
    if fast := kernel(len(starts) - 1):
        return np.asarray(fast.least(hashes, starts, *permutations()))
    permuted = np.empty_like(hashes)
    result = np.empty((len(starts) - 1, PERMUTATIONS), np.uint32)
    for column, (multiplier, summand) in enumerate(zip(*permutations(), strict=True)):
        np.multiply(hashes, multiplier, out=permuted)
        permuted += summand
        result[:, column] = np.minimum.reduceat(permuted, starts[:-1])
    return result


def bands(floor: float, recall: float) -> tuple[int, int]:
    """Bands and rows a band, the fewest candidates that still find pairs at `floor` with the chance `recall`."""
    for rows in range(PERMUTATIONS, 0, -1):
        count = PERMUTATIONS // rows
        if 1 - (1 - floor**rows) ** count >= recall:
            return count, rows
    raise ValueError(f"no bands of {PERMUTATIONS} permutations reach recall {recall} at {floor}")


def band_keys(table: "NDArray[np.uint32]", band: int, rows: int) -> "NDArray[np.uint64]":
    """One number for each record's values of a band, shape (records,)."""
    mixer = np.random.RandomState(SEED + band).randint(0, 1 << 62, rows, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    key = table[:, band * rows : (band + 1) * rows].astype(np.uint64) @ mixer
    return np.asarray(key ^ (key >> np.uint64(31)))


def warm_up(count: int) -> None:
    """Load what signing so many texts needs, before the work is shared out."""
    permutations()
    if fast := kernel(count):
        data, starts = packed(["a", "b"], ())
        hashes, firsts = fast.run_hashes(data, starts, np.ones(2, bool))
        fast.least(hashes, firsts, *permutations())
        fast.squeezed(data, starts, np.zeros(1 << 16, bool))


def kernel(count: int) -> ModuleType | None:
    """The compiled loops, if they are loaded, or there is enough to do and numba is installed."""
    if (count < WORTHWHILE and "stages.text.kernel" not in sys.modules) or find_spec("numba") is None:
        return None
    from stages.text import kernel

    return kernel
