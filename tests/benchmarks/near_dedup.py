"""Near-duplicates of a file as one process tree, to be measured beside the tools that do nothing else.

`python -m tests.benchmarks.near_dedup ROWS.jsonl KEPT.txt [MATCHES.tsv]` compares the `text` of rows that have one and an
`id`. It writes the ids that are kept, one a line, and of each other row its id, its survivor's and their similarity. It
does what `measure` and `dedup` do: signatures on all cores, then `near` with the stage's own defaults, in the order of
preference of rows that differ in nothing but their length. Folded texts wait in files, of
which those that are compared are read.
"""

import os
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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


def signed(start: int, path: Path, folder: Path) -> tuple[bytes, list[NDArray[Any]]]:
    """Ids, lengths, digests and where the texts begin and end of one span's rows; signatures and texts go to files."""
    found = [row for _, row in rows(path, start, start + SPAN)]
    folded = texts((row.text, "", False) for row in found)
    np.save(folder / f"{start:015d}.signatures.npy", minhash.signatures([row.text for row in found]))
    np.save(folder / f"{start:015d}.texts.npy", folded.data)
    digests = b"".join(blake2b(row.text.encode(), digest_size=8).digest() for row in found)
    lengths = np.array([len(row.text) for row in found], np.int64)
    ids = "".join(f"{row.id}\n" for row in found)
    return ids.encode(), [lengths, np.frombuffer(digests, np.uint64), folded.begins, folded.ends]


def preference(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers, the longest first, as `dedup` prefers them; equal ones in the file's order."""
    return np.argsort(-lengths, kind="stable")


def texts_of(chosen: NDArray[np.int64], spans: list[tuple[Path, NDArray[Any], NDArray[Any]]]) -> Texts:
    """The folded texts of these rows, each span's from its file."""
    order, firsts = np.argsort(chosen), np.cumsum([0, *(len(begins) for _, begins, _ in spans)])
    cuts = np.searchsorted(chosen[order], firsts)
    parts = (
        taken(*span, chosen[order[start:stop]] - first)
        for span, first, start, stop in zip(spans, firsts, cuts, cuts[1:], strict=False)
    )
    return joined(parts).taken(np.argsort(order))


def taken(path: Path, begins: NDArray[Any], ends: NDArray[Any], here: NDArray[np.int64]) -> Texts:
    """Some texts of a span."""
    data, lengths = np.load(path), ends[here] - begins[here]
    pieces = [data[begin:end] for begin, end in zip(begins[here].tolist(), ends[here].tolist(), strict=True)]
    stops = np.cumsum(lengths)
    return Texts(np.concatenate([data[:0], *pieces]), stops - lengths, stops, stops)


def matches(path: Path) -> tuple[list[str], NDArray[np.int64], Alike]:
    """The ids, the order of preference of all rows, and what is alike in it."""
    minhash.warm_up(path.stat().st_size // ROW)
    with TemporaryDirectory() as name:
        folder = Path(name)
        starts = range(0, path.stat().st_size, SPAN)
        named, parts = zip(*engine.map(partial(signed, path=path, folder=folder), starts), strict=True)
        lengths, digests = (np.concatenate(column) for column in list(zip(*parts, strict=True))[:2])
        spans = [(folder / f"{start:015d}.texts.npy", *part[2:]) for start, part in zip(starts, parts, strict=True)]
        order = preference(lengths)
        limits = Params()
        alike = near(
            [np.load(part, mmap_mode="r") for part in sorted(folder.glob("*.signatures.npy"))],
            order,
            np.zeros(len(order), np.uint8),
            digests[order],
            np.zeros(len(order), np.uint64),
            lambda places: texts_of(order[places], spans),
            Bounds(limits.threshold, limits.floor, limits.recall, limits.compared),
        )
    return b"".join(named).decode().split("\n")[:-1], order, alike


def main(source: str, kept: str, matched: str = os.devnull) -> None:
    """Write what is kept and what is not."""
    ids, order, alike = matches(Path(source))
    survivor = np.empty(len(order), np.int64)
    survivor[order] = np.where(alike.survivor >= 0, order[alike.survivor], -1)
    similarity = np.empty(len(order))
    similarity[order] = alike.similarity
    Path(kept).write_text("".join(f"{ids[row]}\n" for row in np.flatnonzero(survivor < 0).tolist()))
    with Path(matched).open("w") as file:
        for row in np.flatnonzero(survivor >= 0).tolist():
            file.write(f"{ids[row]}\t{ids[survivor[row]]}\t{similarity[row] or 1.0:.6f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
