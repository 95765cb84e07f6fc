"""MinHash signatures of many texts at once, and the records whose signatures meet in a band.

The signatures are, bit for bit, those of `datasketch.MinHash(128, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)`
over the UTF-8 bytes of the runs of five characters; a test compares them. The permutations are drawn as it draws them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.text.shingles import RUN, fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 128
SEED = 1  # datasketch's own default
BLOCK = 1 << 16  # runs hashed at once: what stays in a core's second-level cache
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


def blocks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Consecutive texts of about BLOCK characters together."""
    start = size = 0
    for stop, text in enumerate(texts, 1):
        size += len(text)
        if size >= BLOCK or stop == len(texts):
            yield start, stop
            start, size = stop, 0


def signatures(texts: Sequence[str]) -> "NDArray[np.uint32]":
    """Signatures of the folded texts, shape (texts, 128). An empty text is hashed as one empty run."""
    folded = [fold(text) for text in texts]
    result = np.empty((len(folded), PERMUTATIONS), np.uint32)
    simple = np.array([text.isascii() and len(text) >= RUN for text in folded], bool)
    for places in (np.flatnonzero(simple), np.flatnonzero(~simple)):  # texts in ASCII apart: their runs hash faster
        for start, stop in blocks([folded[place] for place in places]):
            these = places[start:stop]
            result[these] = block_signatures([folded[place] for place in these])
    return result


def block_signatures(texts: Sequence[str]) -> "NDArray[np.uint32]":
    """Signatures of a block of folded texts: of each permutation the least value over a text's runs."""
    hashes, starts = run_hashes(texts)
    permuted = np.empty_like(hashes)
    result = np.empty((len(texts), PERMUTATIONS), np.uint32)
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


def band_keys(table: "NDArray[np.uint32]", count: int, rows: int) -> "NDArray[np.uint64]":
    """One number per record and band, shape (records, count); 0 where no other record has the same."""
    mixer = np.random.RandomState(SEED).randint(0, 1 << 62, (count, rows), dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys = np.empty((len(table), count), np.uint64)
    for band in range(count):
        key = (table[:, band * rows : (band + 1) * rows].astype(np.uint64) * mixer[band]).sum(axis=1, dtype=np.uint64)
        key = (key ^ (key >> np.uint64(31))) | np.uint64(1)
        _, place, members = np.unique(key, return_inverse=True, return_counts=True)
        keys[:, band] = np.where(members[place] > 1, key, np.uint64(0))
    return keys


def estimate(signature: "NDArray[np.uint32]", others: "NDArray[np.uint32]") -> "NDArray[np.float64]":
    """Estimated Jaccard similarity of one signature to each of the others."""
    return np.asarray(np.count_nonzero(others == signature, axis=1) / len(signature))
