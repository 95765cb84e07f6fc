"""The pipeline on a Dask cluster: CPU and wall time beside `local`, and what the shuffle of band keys moves and needs.

Signatures are made, not measured: 70 % fresh, 5 % copies, 25 % near copies of an earlier record. The cluster runs in a
network namespace of its own, whose loopback counts every byte between driver, scheduler and workers; what workers read
from shared storage, the signatures, is not among them. Memory is the largest resident set of one worker, and that of the
driver. The formulas are least squares over 0.25, 0.5 and 1 million records on 2 and 4 workers; 2 million is measured to see
whether they hold. Linux tells no process less than what the one that started it held, so of the driver only 2 million count.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks import Row, corpus
from tests.cluster import cluster
from tests.conftest import REPOSITORY, SAMPLE, stage

FITTED = (250_000, 500_000, 1_000_000)
PREDICTED = 2_000_000
WORKERS = (2, 4)
SHARD = 5_000  # records, about as many as a shard has
ALIKE = (0.98, 0.96, 0.92, 0.88, 0.81, 0.72, 0.6)  # similarities of the near copies
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def rows(folder: Path) -> Iterator[Row]:
    """Seconds of both engines; bytes and memory of the shuffle with their formulas."""
    yield from engines(folder)
    yield from shuffles(folder)


def engines(folder: Path) -> Iterator[Row]:
    """collect and measure of the mix, in both engines in turn."""
    from tests.benchmarks import pipeline

    root = folder / "dask/mix"
    shutil.rmtree(root, ignore_errors=True)
    pipeline.project(root, corpus.mix(folder))
    shutil.rmtree(root / "stages")
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with cluster(folder / "dask/cluster", root) as address:
        for _ in range(ROUNDS):
            for engine in ("local", "dask"):
                env = {"DATASET_ENGINE": engine, "DATASET_WORKERS": "2", "DASK_SCHEDULER_ADDRESS": address}
                for name in ("collect", "measure"):
                    for folder_of in ("scores", "signatures") if name == "measure" else ():
                        shutil.rmtree(root / f"data/{folder_of}", ignore_errors=True)
                    before, started = cpu(), time.monotonic()
                    stage(root, name, "mix", **env)
                    seconds.setdefault((name, engine), []).append((time.monotonic() - started, cpu() - before))
    for name in ("collect", "measure"):
        ours, theirs = (
            [*map(statistics.median, zip(*seconds[name, engine], strict=True))] for engine in ("dask", "local")
        )
        start = start_up()
        goal = f"at most {1.3 + start / theirs[0]:.2f} times"
        yield (
            f"52,002 records, {name}: wall, dask on 2 workers against local on 2",
            f"{ours[0] / theirs[0]:.2f} times",
            goal,
        )
        yield "the same: wall and CPU seconds, dask", f"{ours[0]:.1f}, {ours[1]:.1f}", ""
        yield "the same: wall and CPU seconds, local", f"{theirs[0]:.1f}, {theirs[1]:.1f}", ""


def start_up() -> float:
    """Seconds that a driver takes to import Dask, which a stage on local processes does not."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import distributed"], check=True)
    return time.monotonic() - started


def cpu() -> float:
    """CPU seconds of this process's children so far, also of those that still run."""
    used = os.times()
    running = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            running += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return used.children_user + used.children_system + running


def shuffles(folder: Path) -> Iterator[Row]:
    """What the shuffle moves and needs, the formulas, and how far they are off."""
    found = []
    for records in (*FITTED, PREDICTED):
        for workers in WORKERS:
            used = isolated(folder, records, workers)
            found.append(used)
            said = f"{used['moved'] / 1e6:.0f} MB moved, {used['worker'] / 1e6:.0f} MB a worker"
            said += f", {used['driver'] / 1e6:.0f} MB the driver, {used['seconds']:.1f} s"
            yield f"signatures to buckets, {records:,} records on {workers} workers", said, ""
    fitted = [used for used in found if used["records"] in FITTED]
    moved, memory = fit(fitted, moved_by, "moved"), fit(fitted, needed_by, "worker")
    least, each = min(used["driver"] for used in found), found[-1]["driver"] / found[-1]["records"]
    yield "bytes moved by N records on W workers", f"N ({moved[0]:.0f} + {moved[1]:.0f} (1 - 1/W))", ""
    yield "bytes of memory of a worker", f"{memory[0] / 1e6:.0f} MB + {memory[1]:.0f} N/W", ""
    yield "bytes of memory of the driver", f"the larger of {least / 1e6:.0f} MB and at most {each:.0f} N", ""
    for used in found[len(fitted) :]:
        here = used["records"], used["workers"]
        for what, by, factors, measured in (
            ("moved", moved_by, moved, "moved"),
            ("memory", needed_by, memory, "worker"),
        ):
            off = float(by(*here) @ factors) / used[measured] - 1
            yield f"{what}: prediction for {here[0]:,} records on {here[1]} workers", f"{off:+.1%}", "within 15%"
    for records, workers in ((10_000_000, 16), (100_000_000, 64)):
        gigabytes = [
            float(by(records, workers) @ factors) / 1e9 for by, factors in ((moved_by, moved), (needed_by, memory))
        ]
        gigabytes.append(max(least, each * records) / 1e9)
        said = "{:.1f} GB moved, {:.2f} GB a worker, {:.1f} GB the driver".format(*gigabytes)
        yield f"the formulas for {records:,} records on {workers} workers", said, ""


def moved_by(records: int, workers: int) -> Any:
    """What the bytes moved grow with: what goes to workers and comes back, and the keys that change worker."""
    return np.array([records, records * (1 - 1 / workers)])


def needed_by(records: int, workers: int) -> Any:
    """What the memory of a worker grows with: a task, and the keys it holds; larger tasks where there are most of them."""
    from stages.text import bands

    return np.array([max(1.0, records / bands.GROUPS / bands.ROWS), records / workers])


def fit(found: list[dict[str, float]], by: Any, what: str) -> Any:
    """The factors that come nearest to what was measured."""
    grows = np.array([by(used["records"], used["workers"]) for used in found])
    return np.linalg.lstsq(grows, np.array([used[what] for used in found]), rcond=None)[0]


def isolated(folder: Path, records: int, workers: int) -> dict[str, float]:
    """A shuffle in a network of its own; what it says."""
    signed(folder / "dask/signed", PREDICTED)
    inside = f"ip link set lo up && exec {sys.executable} -m tests.benchmarks.dask {folder} {records} {workers}"
    words = ["unshare", "--map-root-user", "--net", "sh", "-c", inside]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise corpus.Missing(f"it needs a network namespace of its own: {done.stderr[-500:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def signed(folder: Path, records: int) -> None:
    """Shards of signatures of so many records; the first shards are those of fewer records."""
    from stages.contract.signatures import COLUMNS

    if len([*folder.glob("*.npy")]) == records // SHARD:
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLE / "params.yaml", folder)
    chance = np.random.default_rng(7)
    kept: list[Any] = []
    for number in range(records // SHARD):
        table = np.zeros(SHARD, COLUMNS)
        fresh = chance.integers(0, 2**32, (SHARD, 128), np.uint32)
        kind = chance.random(SHARD)
        for place in np.flatnonzero(kind < 0.3) if kept else ():
            other = kept[chance.integers(len(kept))][chance.integers(SHARD // 2)]
            same = chance.random(128) < (1 if kind[place] < 0.05 else chance.choice(ALIKE))
            fresh[place][same] = other[same]
        table["minhash"] = fresh
        kept = [*kept[-99:], fresh[kind >= 0.3][: SHARD // 2]]
        np.save(folder / f"{number:05d}.npy", table)


def shuffle(folder: Path, records: int, workers: int) -> dict[str, float]:
    """Buckets of so many records, and what this network and the workers saw meanwhile."""
    from distributed import Client

    from stages import dedup
    from stages.contract import paths
    from stages.contract.signatures import Signed
    from stages.text import minhash

    files = sorted((folder / "dask/signed").glob("*.npy"))[: records // SHARD]
    paths.ROOT = folder / "dask/signed"
    blocks = [np.load(file, mmap_mode="r")["minhash"] for file in files]
    order = np.random.default_rng(3).permutation(records)
    known = Signed({}, order, order, blocks, [], files)
    count, rows_of = minhash.bands(0.7, 0.98)
    buckets = np.empty((records, count), np.int32)
    with cluster(folder / "dask/alone", paths.ROOT, workers) as address:
        os.environ |= {"DATASET_ENGINE": "dask", "DASK_SCHEDULER_ADDRESS": address}
        with Client(address, set_as_default=False) as client:
            watched = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        peak, ended = [0], threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                peak[0] = max(peak[0], *(process.memory_info().rss for process in watched))

        watcher = threading.Thread(target=watch)
        watcher.start()
        before, started = counted(), time.monotonic()
        dedup.met_on_cluster(known, order, count, rows_of, np.empty(0, np.int64), buckets)
        moved, seconds = counted() - before, time.monotonic() - started
        ended.set()
        watcher.join()
    met = float((buckets >= 0).mean())
    return {
        "records": records,
        "workers": workers,
        "moved": moved,
        "worker": peak[0],
        "driver": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "seconds": seconds,
        "met": met,
    }


def counted() -> int:
    """Bytes that went over this network's loopback so far."""
    return int(Path("/proc/self/net/dev").read_text().partition("lo:")[2].split()[0])


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(shuffle(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
    else:
        for row in rows(Path(sys.argv[1] if len(sys.argv) > 1 else "/tmp/dataset-bench").resolve()):
            print(" | ".join(row), flush=True)
