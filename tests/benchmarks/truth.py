"""What our kernel drops, held against the truth: all pairs of the 52,002 records by an exact join, and planted copies.

*Exact greedy* is what `dedup` promises with nothing estimated: rows in the order of preference, each dropped if it matches a
row that was kept before it. A drop is *without a match* if its survivor was dropped too, or is less alike than the
threshold, by the join or, for planted copies, by Python's own sets of runs of five characters. A planted copy is caught
when it or its original is dropped. `BENCH_LARGEST` is the largest number of rows with planted copies, 200000 by default.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stages import dedup
from tests.benchmarks import Row, corpus, near_dedup, peers, usage

THRESHOLD = dedup.Params().threshold
GRADES = {(0.9, 1.01): "at least 1.000", (0.8, 0.9): "at least 0.990", (0.7, 0.8): "", (0.0, 0.7): ""}


class Verdicts(NamedTuple):
    """Which rows were kept, as a mask, and of each other row its survivor."""

    kept: NDArray[np.bool_]
    survivors: dict[int, int]


class Pairs(NamedTuple):
    """All pairs of rows at or above the threshold: the lower number and the higher."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]


def rows(folder: Path) -> Iterator[Row]:
    """The truth of the mix, then that of the planted copies."""
    yield from of_the_mix(folder)
    for size in (200_000, 1_000_000):
        if size <= int(os.environ.get("BENCH_LARGEST", "200000")):
            yield from of_planted(folder, size)


def of_the_mix(folder: Path) -> Iterator[Row]:
    """Ours against all exact pairs."""
    data = corpus.mix(folder)
    verdicts, exact = verdicts_on(data, folder), exact_pairs(corpus.alike(folder))
    greedy = exact_greedy(exact, near_dedup.preference(np.array([len(text) for text in texts(data)])).tolist())
    left = np.count_nonzero(verdicts.kept[exact.low] & verdicts.kept[exact.high])
    other = np.count_nonzero(verdicts.kept != greedy)
    what = "52,002 records"
    yield f"{what}: rows dropped; by the exact greedy", f"{count(~verdicts.kept)}; {count(~greedy)}", ""
    yield f"{what}: drops without a match", f"{len(without_partner(verdicts, exact))}", "0"
    yield (
        f"{what}: exact pairs that are both kept, of {len(exact.low):,}",
        f"{left / len(exact.low):.3%}",
        "at most 0.05%",
    )
    yield f"{what}: verdicts other than the exact greedy's", f"{other / len(greedy):.3%}", "at most 0.1%"


def of_planted(folder: Path, size: int) -> Iterator[Row]:
    """Ours against the copies that were planted."""
    data, table = corpus.grown(folder, size)
    verdicts, what = verdicts_on(data, folder), f"{size:,} rows"
    yield f"{what}: drops without a match", f"{len(unlike(verdicts, texts(data)))}", "0"
    planted = np.loadtxt(table, delimiter="\t", usecols=(0, 1, 4))
    copies, originals = planted[:, 0].astype(int), planted[:, 1].astype(int)
    caught = ~(verdicts.kept[copies] & verdicts.kept[originals])
    for (low, high), goal in GRADES.items():
        these = caught[(planted[:, 2] >= low) & (planted[:, 2] < high)]
        grade = f"{what}: planted copies caught, similarity {low} to {min(high, 1.0)}, of {len(these):,}"
        yield grade, f"{cut(these.mean())}", goal


def verdicts_on(data: Path, folder: Path) -> Verdicts:
    """Run our kernel and read what it wrote."""
    kept, matches = folder / "kept.txt", folder / "matches.tsv"
    usage.of_command(peers.ours(data, kept, matches), folder / "log")
    chosen = np.loadtxt(kept, dtype=int, ndmin=1)
    found = (line.split("\t") for line in matches.read_text().splitlines())
    survivors = {int(row): int(survivor) for row, survivor, _ in found}
    mask = np.zeros(len(chosen) + len(survivors), bool)
    mask[chosen] = True
    return Verdicts(mask, survivors)


def exact_pairs(path: Path) -> Pairs:
    """The pairs of the exact join."""
    with np.load(path) as file:
        return Pairs(file["a"], file["b"])


def exact_greedy(pairs: Pairs, order: list[int]) -> NDArray[np.bool_]:
    """The rows kept when each is dropped that matches one kept before it."""
    partners = defaultdict(list)
    for low, high in zip(pairs.low.tolist(), pairs.high.tolist(), strict=True):
        partners[low].append(high)
        partners[high].append(low)
    kept = np.zeros(len(order), bool)
    for row in order:
        kept[row] = not kept[partners[row]].any()
    return kept


def without_partner(verdicts: Verdicts, pairs: Pairs) -> list[int]:
    """Dropped rows whose survivor is no survivor, or no exact partner."""
    known = set(zip(pairs.low.tolist(), pairs.high.tolist(), strict=True))
    return [
        row
        for row, survivor in verdicts.survivors.items()
        if not verdicts.kept[survivor] or (min(row, survivor), max(row, survivor)) not in known
    ]


def unlike(verdicts: Verdicts, rows: Iterable[str]) -> list[int]:
    """Dropped rows whose survivor is no survivor, or less alike than the threshold."""
    known = dict(enumerate(rows))
    return [
        row
        for row, survivor in verdicts.survivors.items()
        if not verdicts.kept[survivor] or similarity(known[row], known[survivor]) < THRESHOLD
    ]


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the sets of runs of five characters, by definition."""
    first, second = runs(one), runs(other)
    return len(first & second) / len(first | second)


def runs(text: str) -> set[str]:
    """The runs of five characters of a text in lower case with single spaces; a shorter text is one run."""
    folded = " ".join(text.lower().split())
    return {folded[start : start + 5] for start in range(max(1, len(folded) - 4))}


def texts(data: Path) -> Iterator[str]:
    """The texts of a file of rows."""
    decode = msgspec.json.Decoder(near_dedup.Row).decode
    with data.open("rb") as file:
        return iter([decode(line).text for line in file])


def count(rows: NDArray[np.bool_]) -> str:
    """How many are true."""
    return f"{np.count_nonzero(rows):,}"


def cut(share: float) -> str:
    """A share with four decimals, never rounded up to one that was not reached."""
    return f"{int(share * 10_000) / 10_000:.4f}"
