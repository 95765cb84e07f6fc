"""The whole `dvc repro` of 52,002 records, against a sketch that does the whole curation with compiled kernels.

The sketch, `proto_e2e.py … fast`, runs over the same records in the same rounds. It reads, filters, tells languages,
replaces personal data, counts tokens, estimates near-duplicates and splits. The pipeline does this too, verifies every
near-duplicate exactly, keeps scores, origins and reasons, and writes three formats and the reports; DVC hashes and
caches it all.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import yaml

from stages import checks
from stages.contract import params
from tests.benchmarks import Row, corpus, environments, usage
from tests.benchmarks.usage import ROUNDS, Usage
from tests.conftest import REPOSITORY, SAMPLE, dvc, run

SKETCHED = ("empty", "length", "language", "repetition", "structure", "cut_off")
MORE = [name for name in checks.names() if name not in SKETCHED]
"""Checks that the sketch has nothing like."""


def rows(folder: Path) -> Iterator[Row]:
    """CPU against the sketch, and what a run takes."""
    data = corpus.mix(folder)
    sketched(folder, data)  # compiles its kernels, as the next line does ours
    rebuilt(folder, data)
    rounds = [(sketched(folder, data), rebuilt(folder, data), rebuilt(folder, data, MORE)) for _ in range(ROUNDS)]
    theirs, ours, fewer = zip(*rounds, strict=True)
    wall, cpu, memory = (median(column) for column in zip(*ours, strict=True))
    yield "CPU against the sketch", f"{ratio(ours, theirs):.1f} times", "2.4 times"
    yield "the same with the sketch's checks only", f"{ratio(fewer, theirs):.1f} times", "2.4 times"
    yield "CPU seconds", f"{cpu:.1f}", ""
    yield "CPU seconds with the sketch's checks only", f"{median(own.cpu for own in fewer):.1f}", ""
    yield "the sketch: CPU seconds", f"{median(other.cpu for other in theirs):.1f}", ""
    yield "wall seconds", f"{wall:.1f}", ""
    yield "peak memory of the tree, MB", f"{memory:.0f}", "1500"


def ratio(ours: Sequence[Usage], theirs: Sequence[Usage]) -> float:
    """CPU of the one over the other, round by round."""
    return median(own.cpu / other.cpu for own, other in zip(ours, theirs, strict=True))


def sketched(folder: Path, data: Path) -> Usage:
    """What the sketch takes."""
    command = [environments.python(folder, "yardstick"), corpus.SCRIPTS / "proto_e2e.py", data, folder / "out", "fast"]
    return usage.of_command(command, folder / "log", NUMBA_CACHE_DIR=str(folder / "kernels"))


def rebuilt(folder: Path, data: Path, skipped: Sequence[str] = ("toxicity",)) -> Usage:
    """What `dvc repro` takes in a fresh project that does not measure some checks."""
    root = folder / "rebuilt"  # always the same place, or what was compiled for the last one would not be found
    shutil.rmtree(root, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder / "kernels")
    project(root, data, skipped)
    used = usage.of(lambda: dvc(root, "repro", "-q"))
    shutil.rmtree(root)
    print(f"round: {used.wall:.1f} s wall, {used.cpu:.1f} s CPU, {used.memory:.0f} MB", flush=True)
    return used


def project(root: Path, data: Path, skipped: Sequence[str] = ("toxicity",)) -> Path:
    """A DVC project whose only source is a folder with this file."""
    for name in ("stages", "lineage"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data/eval", "data/pins", "data/ratings", "data/rubrics", "reports"):
        shutil.copytree(SAMPLE / name, root / name)
    shutil.copy(SAMPLE / "data/facts.jsonl", root / "data")
    (root / "data/sources/mix").mkdir(parents=True)
    os.link(data, root / "data/sources/mix/1.jsonl")
    stanzas = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
    chosen = params.read_yaml(SAMPLE / "params.yaml")
    del stanzas["stages"]["generate"], chosen["generate"]
    chosen["sources"] = {"mix": {"path": "data/sources/mix", "match": "*.jsonl", "licence": "Apache-2.0"}}
    chosen["filter"] = {"language": {"allowed": ["en", "zh"]}}
    chosen["measure"] = {"skip": list(skipped)}
    (root / "dvc.yaml").write_text(yaml.safe_dump(stanzas, sort_keys=False))
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(REPOSITORY / name, root)
    run("git", "init", "-q", cwd=root)
    dvc(root, "init", "-q", "-f")
    dvc(root, "config", "core.analytics", "false")
    return root
