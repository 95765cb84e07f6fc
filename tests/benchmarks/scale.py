"""Near-duplicates of more and more rows with planted copies: what our kernel takes, start, reading and writing included.

`BENCH_LARGEST` is the largest number of rows, 1000000 by default.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks import Row, corpus, peers, usage
from tests.benchmarks.usage import ROUNDS

MIX = 52_002
SIZES = (MIX, 200_000, 1_000_000)
GOALS = {1_000_000: ("under 60", "under 1500")}  # CPU seconds, MB


def rows(folder: Path) -> Iterator[Row]:
    """Wall, CPU and memory at each size."""
    for size in chosen():
        data = corpus.mix(folder) if size == MIX else corpus.grown(folder, size)[0]
        command = peers.ours(data, folder / "kept.txt")
        runs = [usage.of_command(command, folder / "log") for _ in range(ROUNDS)]
        wall, cpu, memory = (median(column) for column in zip(*runs, strict=True))
        processor, room = GOALS.get(size, ("", ""))
        yield f"{size:,} rows: wall seconds", f"{wall:.1f}", ""
        yield f"{size:,} rows: CPU seconds", f"{cpu:.1f}", processor
        yield f"{size:,} rows: peak memory of the tree, MB", f"{memory:.0f}", room


def chosen() -> list[int]:
    """The sizes up to the largest that is asked for."""
    largest = int(os.environ.get("BENCH_LARGEST", str(SIZES[-1])))
    return [size for size in SIZES if size <= largest]
