"""Near-duplicates of a file as one process tree, to be measured beside the tools that do nothing else.

`python -m tests.benchmarks.near_dedup ROWS.jsonl KEPT.txt [MATCHES.tsv]` compares the `text` of rows that have one and an
`id`. It writes the ids that are kept, one a line, and of each other row its id, its survivor's and their similarity. It
does what `measure` and `dedup` do: signatures on all cores, then `near` with the stage's own defaults, in the order of
preference of rows that differ in nothing but their length. Texts are read again where they are compared.
"""

import os
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from numpy.typing import NDArray

from stages.contract import engine
from stages.dedup import Params
from stages.text import minhash
from stages.text.near import Alike, Bounds, Texts, joined, near, texts

SPAN = 4_000_000  # bytes of the file that a process signs at a time
ROW = 1_000  # bytes of a row, about: what tells how many there are


class Row(msgspec.Struct):
    """What is read of a row."""

    id: str
    text: str


decode = msgspec.json.Decoder(Row).decode


def rows(path: Path, start: int, stop: int) -> Iterator[tuple[int, Row]]:
    """The rows that begin between these bytes, each with its offset."""
    with path.open("rb") as file:
        file.seek(max(start - 1, 0))
        offset = start and start - 1 + len(file.readline())
        while offset < stop and (line := file.readline()):
            yield offset, decode(line)
            offset += len(line)


def signed(start: int, path: Path, folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Offsets, lengths and digests of the rows of one span; their signatures go to a file."""
    found = list(rows(path, start, start + SPAN))
    np.save(folder / f"{start:015d}.npy", minhash.signatures([row.text for _, row in found]))
    digests = b"".join(blake2b(row.text.encode(), digest_size=8).digest() for _, row in found)
    offsets, lengths = ([offset for offset, _ in found], [len(row.text) for _, row in found])
    return np.array(offsets, np.int64), np.array(lengths, np.int64), np.frombuffer(digests, np.uint64)


def preference(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers, the longest first, as `dedup` prefers them; equal ones in the file's order."""
    return np.argsort(-lengths, kind="stable")


def read(offsets: list[int], path: Path) -> Texts:
    """The texts of these rows."""
    with path.open("rb") as file:

        def text(offset: int) -> str:
            file.seek(offset)
            return decode(file.readline()).text

        return texts((text(offset), "", False) for offset in offsets)


def texts_of(chosen: NDArray[np.int64], path: Path) -> Texts:
    """The texts that begin at these offsets, read in the order of the file, some thousands at a time."""
    order = np.argsort(chosen)
    parts = np.array_split(chosen[order], len(chosen) // 4_000 + 1)
    found = joined(list(engine.map(partial(read, path=path), [part.tolist() for part in parts])))
    return found.taken(np.argsort(order))


def matches(path: Path) -> tuple[NDArray[np.int64], Alike]:
    """The order of preference of all rows, and what is alike in it."""
    minhash.warm_up(path.stat().st_size // ROW)
    with TemporaryDirectory() as name:
        folder = Path(name)
        starts = range(0, path.stat().st_size, SPAN)
        parts = list(engine.map(partial(signed, path=path, folder=folder), starts))
        offsets, lengths, digests = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = preference(lengths)
        limits = Params()
        alike = near(
            [np.load(part, mmap_mode="r") for part in sorted(folder.iterdir())],
            order,
            np.zeros(len(order), np.uint8),
            digests[order],
            np.zeros(len(order), np.uint64),
            lambda places: texts_of(offsets[order[places]], path),
            Bounds(limits.threshold, limits.floor, limits.recall, limits.compared),
        )
    return order, alike


def main(source: str, kept: str, matched: str = os.devnull) -> None:
    """Write what is kept and what is not."""
    order, alike = matches(Path(source))
    survivor = np.empty(len(order), np.int64)
    survivor[order] = np.where(alike.survivor >= 0, order[alike.survivor], -1)
    similarity = np.empty(len(order))
    similarity[order] = alike.similarity
    ids = [row.id for _, row in rows(Path(source), 0, Path(source).stat().st_size)]
    Path(kept).write_text("".join(f"{ids[row]}\n" for row in np.flatnonzero(survivor < 0).tolist()))
    with Path(matched).open("w") as file:
        for row in np.flatnonzero(survivor >= 0).tolist():
            file.write(f"{ids[row]}\t{ids[survivor[row]]}\t{similarity[row] or 1.0:.6f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
