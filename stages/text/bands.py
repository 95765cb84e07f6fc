"""The buckets of near-duplicates found by many workers: shards of signatures in, the records that share a band's key out.

Each worker takes the keys of some shards and cuts them into parts by their first bits; each part then comes together on one
worker, which sees there every record that has a key. A part is sorted by key, so that the buckets get the numbers that
`near.met_in` gives them.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stages.text.minhash import band_keys
from stages.text.shingles import PRIME

ROWS = 65_536  # records that a worker takes the keys of at a time, of which it needs about 1.2 KB each
GROUPS = 256  # at most so many groups and parts, or the scheduler has more tasks than records are worth


class Group(Struct):
    """Some files of signatures, one after the other: the number of their first row, and which rows are compared."""

    files: tuple[Any, ...]
    first: int
    stays: NDArray[np.bool_]


class Keys(Struct):
    """The keys of a part, band by band and sorted in each, with their rows; and how many there are of each band."""

    keys: NDArray[np.uint64]
    rows: NDArray[np.uint32]
    counts: NDArray[np.int64]


class Shared(Struct):
    """The rows of each bucket of a part, bucket by bucket and band by band; how many each bucket has, and how many of both
    each band.
    """

    rows: NDArray[np.uint32]
    sizes: NDArray[np.uint32]
    rows_of: NDArray[np.int64]
    sizes_of: NDArray[np.int64]


def groups(files: Sequence[Any], lengths: Sequence[int], order: NDArray[np.int64]) -> list[Group]:
    """The files, in groups of so many rows as a worker takes at a time; `order` holds the rows that are compared."""
    if (total := sum(lengths)) >= 2**32:
        raise ValueError(f"{total} records are more than the numbers of their rows can tell apart")
    stays = np.zeros(total, bool)
    stays[order] = True
    least = max(ROWS, -(-total // GROUPS))
    found, start, begin, end = [], 0, 0, 0
    for number, length in enumerate(lengths, 1):
        end += length
        if end - begin >= least or number == len(lengths):
            found.append(Group(tuple(files[start:number]), begin, stays[begin:end]))
            start, begin = number, end
    return found


def keys_of(group: Group, count: int, rows: int, parts: int) -> list[Keys]:
    """The keys of the rows that are compared, cut into parts."""
    tables = (np.load(io.BytesIO(file.read_bytes())) for file in group.files)
    keys = np.concatenate([keys_in(table, count, rows) for table in tables], axis=1)[:, group.stays]
    numbers = (np.flatnonzero(group.stays) + group.first).astype(np.uint32)
    orders = np.argsort(keys, axis=1)
    borders = np.array([-(-(part << 64) // parts) for part in range(1, parts)], np.uint64)
    keys = np.take_along_axis(keys, orders, axis=1)
    cuts = [[0, *np.searchsorted(band, borders).tolist(), len(numbers)] for band in keys]
    return [
        Keys(
            np.concatenate([band[cut[part] : cut[part + 1]] for band, cut in zip(keys, cuts, strict=True)]),
            numbers[np.concatenate([band[cut[part] : cut[part + 1]] for band, cut in zip(orders, cuts, strict=True)])],
            np.array([cut[part + 1] - cut[part] for cut in cuts]),
        )
        for part in range(parts)
    ]


def keys_in(table: NDArray[np.void], count: int, rows: int) -> NDArray[np.uint64]:
    """The keys of a shard's rows, shape (bands, rows); those of two families are never the same."""
    apart = table["family"].astype(np.uint64) * np.uint64(PRIME)
    signed = np.ascontiguousarray(table["minhash"])
    return np.stack([band_keys(signed, band, rows) ^ apart for band in range(count)])


def shared(parts: Sequence[Keys]) -> Shared:
    """The buckets among the keys of one part that all workers have cut."""
    found = [shared_in(*band) for band in zip(*map(by_band, parts), strict=True)]
    rows, sizes = zip(*found, strict=True)
    counted = (np.array([len(each) for each in column]) for column in (rows, sizes))
    return Shared(np.concatenate(rows), np.concatenate(sizes), *counted)


def by_band(part: Keys) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint32]]]:
    """The keys and the rows of each band."""
    borders = np.cumsum([0, *part.counts])
    return ((part.keys[start:stop], part.rows[start:stop]) for start, stop in pairwise(borders))


def shared_in(*found: tuple[NDArray[np.uint64], NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The rows of the keys that come twice or more, in the order of the keys, and how many each key has."""
    keys, rows = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    same = np.concatenate(([False], keys[1:] == keys[:-1], [False]))
    first = same[1:] & ~same[:-1]
    member = same[1:] | same[:-1]
    starts = np.flatnonzero(first[member])
    sizes = np.diff(np.append(starts, np.count_nonzero(member)).astype(np.int64))
    return rows[order[member[: len(order)]]], sizes.astype(np.uint32)


def numbered(
    parts: Sequence[Shared],
    order: NDArray[np.int64],
    total: int,
    lengths: NDArray[np.int64],
    buckets: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Write the number of each record's bucket in each band into the columns of `buckets`, and give all their lengths.

    Numbers are counted on from `lengths`, band by band in the order of the keys; `order` holds the row of each record.
    """
    place = np.empty(total, np.int64)
    place[order] = np.arange(len(order))
    buckets[:] = -1
    cut = [np.cumsum([0, *part.rows_of]) for part in parts], [np.cumsum([0, *part.sizes_of]) for part in parts]
    all_lengths, next_number = [lengths], len(lengths)
    for band in range(buckets.shape[1]):
        for part, rows_at, sizes_at in zip(parts, *cut, strict=True):
            sizes = part.sizes[sizes_at[band] : sizes_at[band + 1]].astype(np.int64)
            rows = part.rows[rows_at[band] : rows_at[band + 1]]
            buckets[place[rows], band] = np.repeat(np.arange(next_number, next_number + len(sizes)), sizes)
            all_lengths.append(sizes)
            next_number += len(sizes)
    return np.concatenate(all_lengths)
