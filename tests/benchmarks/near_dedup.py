"""Near-duplicates of a file as one process tree, to be measured beside the tools that do nothing else.

`python -m tests.benchmarks.near_dedup ROWS.jsonl KEPT.txt [MATCHES.tsv]` compares the `text` of rows that have one and an
`id`. It writes the ids that are kept, one a line, and of each other row its id, its survivor's and their similarity. It
does what `measure` and `dedup` do: signatures on all cores, copies first, then `near` with the stage's own defaults, in
the order of preference of rows that differ in nothing but their length. Texts are read again where they are compared.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stages.contract import engine
from stages.dedup import Params, exact
from stages.text.minhash import signatures
from stages.text.near import near

SPAN = 2_000_000  # bytes of the file that a process signs at a time


class Row(msgspec.Struct):
    """What is read of a row."""

    id: str
    text: str


class Fact(msgspec.Struct):
    """What is kept of a row."""

    id: str
    offset: int
    length: int
    digest: bytes


decode = msgspec.json.Decoder(Row).decode


def rows(path: Path, start: int, stop: int) -> Iterator[tuple[int, Row]]:
    """The rows that begin between these bytes, each with its offset."""
    with path.open("rb") as file:
        file.seek(max(start - 1, 0))
        offset = start and start - 1 + len(file.readline())
        while offset < stop and (line := file.readline()):
            yield offset, decode(line)
            offset += len(line)


def signed(path: Path, start: int) -> tuple[list[Fact], NDArray[np.uint32]]:
    """Facts and signatures, shape (rows, 128), of the rows of one span."""
    found = list(rows(path, start, start + SPAN))
    facts = [
        Fact(row.id, offset, len(row.text), hashlib.blake2b(row.text.encode(), digest_size=16).digest())
        for offset, row in found
    ]
    return facts, signatures([row.text for _, row in found])


def preference(lengths: list[int]) -> list[int]:
    """Row numbers, the longest first, as `dedup` prefers them; equal ones in the file's order."""
    return sorted(range(len(lengths)), key=lambda row: -lengths[row])


def texts_of(members: list[str], path: Path, offsets: dict[str, int]) -> dict[str, str]:
    """The texts of these rows, read again in the file's order."""
    with path.open("rb") as file:

        def text(member: str) -> str:
            file.seek(offsets[member])
            return decode(file.readline()).text

        return {member: text(member) for member in sorted(members, key=offsets.__getitem__)}


def matches(path: Path) -> tuple[list[str], dict[str, tuple[str, float]]]:
    """All ids in the file's order; and of each row that is dropped its survivor and the similarity."""
    spans = range(0, path.stat().st_size, SPAN)
    parts = list(engine.map(partial(signed, path), spans))
    facts = list(chain.from_iterable(part for part, _ in parts))
    order = preference([fact.length for fact in facts])
    same = exact([facts[row].id for row in order], [facts[row].digest for row in order])
    rest = [row for row in order if facts[row].id not in same]
    table = np.concatenate([part for _, part in parts])[rest]
    del parts
    offsets = {fact.id: fact.offset for fact in facts}
    limits = Params()
    bounds = (limits.threshold, limits.floor, limits.recall, limits.compared)
    read = partial(texts_of, path=path, offsets=offsets)
    alike, _ = near([facts[row].id for row in rest], table, read, *bounds)
    copies = {copy: alike.get(first, (first, 1.0)) for copy, first in same.items()}
    return list(offsets), alike | copies


def main(source: str, kept: str, matched: str = os.devnull) -> None:
    """Write what is kept and what is not."""
    ids, dropped = matches(Path(source))
    Path(kept).write_text("".join(f"{row}\n" for row in ids if row not in dropped))
    Path(matched).write_text("".join(f"{row}\t{other}\t{similarity}\n" for row, (other, similarity) in dropped.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
