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
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stages.contract import engine
from stages.dedup import Params, exact
from stages.text.minhash import PERMUTATIONS, signatures
from stages.text.near import near

SPAN = 2_000_000  # bytes of the file that a process signs at a time
FACTS = [("offset", "<i8"), ("length", "<i8"), ("digest", "V16")]  # what is kept of a row beside its id
BLOCK = 1 << 14  # signatures read at once


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


def signed(start: int, path: Path) -> tuple[list[str], NDArray[np.void], NDArray[np.uint32]]:
    """Ids, facts and signatures, shape (rows, 128), of the rows of one span."""
    found = list(rows(path, start, start + SPAN))
    digests = (hashlib.blake2b(row.text.encode(), digest_size=16).digest() for _, row in found)
    facts = [(offset, len(row.text), digest) for (offset, row), digest in zip(found, digests, strict=True)]
    return [row.id for _, row in found], np.array(facts, FACTS), signatures([row.text for _, row in found])


def preference(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers, the longest first, as `dedup` prefers them; equal ones in the file's order."""
    return np.argsort(-lengths, kind="stable")


def texts_of(members: list[str], path: Path, offsets: dict[str, int]) -> dict[str, str]:
    """The texts of these rows, read again in the file's order."""
    with path.open("rb") as file:

        def text(member: str) -> str:
            file.seek(offsets[member])
            return decode(file.readline()).text

        return {member: text(member) for member in sorted(members, key=offsets.__getitem__)}


def in_order(spool: Any, chosen: NDArray[np.int64], count: int) -> NDArray[np.uint32]:
    """The signatures of the chosen rows, in their order, from a file with those of all rows: never two copies."""
    table = np.empty((len(chosen), PERMUTATIONS), np.uint32)
    place = np.full(count, -1)
    place[chosen] = np.arange(len(chosen))
    spool.seek(0)
    for start in range(0, count, BLOCK):
        part = np.frombuffer(spool.read(BLOCK * table[:1].nbytes), np.uint32).reshape(-1, PERMUTATIONS)
        these = place[start : start + BLOCK]
        table[these[these >= 0]] = part[these >= 0]
    return table


def matches(path: Path) -> tuple[list[str], dict[str, tuple[str, float]]]:
    """All ids in the file's order; and of each row that is dropped its survivor and the similarity."""
    ids, parts = [], []
    with TemporaryFile() as spool:
        for named, part, signs in engine.map(partial(signed, path=path), range(0, path.stat().st_size, SPAN)):
            ids += named
            parts.append(part)
            spool.write(signs)
        facts = np.concatenate(parts)
        order = preference(facts["length"])
        same = exact([ids[row] for row in order], facts["digest"][order].tolist())
        rest = order[[ids[row] not in same for row in order]]
        table = in_order(spool, rest, len(ids))
    read = partial(texts_of, path=path, offsets=dict(zip(ids, facts["offset"].tolist(), strict=True)))
    limits = Params()
    bounds = (limits.threshold, limits.floor, limits.recall, limits.compared)
    alike, _ = near([ids[row] for row in rest], table, read, *bounds)
    return ids, alike | {copy: alike.get(first, (first, 1.0)) for copy, first in same.items()}


def main(source: str, kept: str, matched: str = os.devnull) -> None:
    """Write what is kept and what is not."""
    ids, dropped = matches(Path(source))
    Path(kept).write_text("".join(f"{row}\n" for row in ids if row not in dropped))
    Path(matched).write_text("".join(f"{row}\t{other}\t{similarity}\n" for row, (other, similarity) in dropped.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
