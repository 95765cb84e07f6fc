"""The 52,002 records through our near-duplicate kernel and through other tools, in turn, each pair of runs as a ratio.

Ours compares runs of five characters, as rensa here, and verifies every pair exactly, which none of the others does; they
compare runs of five words. All use 128 permutations and a similarity of 0.8, on two processes where they can. The floor
reads the file whole and hashes (xxh3) every byte once, without the start of Python.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks import Row, corpus, peers, usage
from tests.benchmarks.usage import ROUNDS, Usage

GOALS = {"text-dedup": 7, "data-juicer": 14, "datatrove": 20, "rensa": 2.5}  # times our wall seconds, at least
FLOOR = 40  # times the floor, at most
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def rows(folder: Path) -> Iterator[Row]:
    """Ours, the ratios, and what each tool takes."""
    data, work = corpus.mix(folder), folder / "peers"
    mine, pairs = rounds(peers.commands(folder, data, work), peers.ours(data, work / "ours.txt"), work)
    floor = median(float(subprocess.check_output(peers.floor(folder, data))) for _ in range(5))
    yield "near-duplicates of 52,002 records: wall seconds", *seconds(mine)
    yield "the floor: read and hash every byte once, wall seconds", f"{floor:.3f}", ""
    ratio = median(run.wall for run in mine) / floor
    yield "wall against the floor", f"{ratio:.0f} times", f"at most {FLOOR}"
    for name, runs in pairs.items():
        goal = f"at least {GOALS[name]}" if name in GOALS else ""
        wall, cpu = (median(other[n] / own[n] for own, other in runs) for n in (0, 1))
        yield f"{name}: wall against ours", f"{wall:.1f} times", goal
        yield f"{name}: CPU against ours", f"{cpu:.1f} times", ""
    for name, runs in pairs.items():
        yield f"{name}: wall seconds", *seconds([other for _, other in runs])


def rounds(
    commands: dict[str, peers.Command], own: peers.Command, work: Path
) -> tuple[list[Usage], dict[str, list[tuple[Usage, Usage]]]]:
    """All our runs; and of each peer the runs, each with the run of ours just before it."""
    pairs: dict[str, list[tuple[Usage, Usage]]] = {name: [] for name in commands}
    for number in range(ROUNDS):
        for name, command in commands.items():
            both = measured(own, work), measured(command, work)
            pairs[name].append(both)
            print(f"round {number + 1}: ours {told(both[0])}; {name} {told(both[1])}", flush=True)
    return [own for runs in pairs.values() for own, _ in runs], pairs


def measured(command: peers.Command, work: Path) -> Usage:
    """What a command takes that finds nothing of a run before it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    own_first = os.pathsep.join((str(Path(command[0]).parent), os.environ["PATH"]))
    return usage.of_command(command, work / "log", PATH=own_first, HF_HOME=str(work / "hf"), **OFFLINE)


def told(used: Usage) -> str:
    """A run in words."""
    return f"{used.wall:.1f} s wall, {used.cpu:.1f} s CPU, {used.memory:.0f} MB"


def seconds(runs: list[Usage]) -> tuple[str, str]:
    """Medians: wall seconds with CPU seconds and memory in brackets, and no goal."""
    wall, cpu, memory = (median(column) for column in zip(*runs, strict=True))
    return f"{wall:.2f} ({cpu:.1f} CPU, {memory:.0f} MB)", ""
