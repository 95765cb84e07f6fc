"""The rows that are measured on: read from `../shared`, which belongs to no project and may not be there."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import environments
from tests.conftest import REPOSITORY

SHARED = REPOSITORY.parent / "shared"
SCRIPTS = SHARED / "bench"


class Missing(Exception):
    """A part cannot run here; says why."""


def mix(folder: Path) -> Path:
    """The 52,002 instruction records, unpacked."""
    packed, path = SHARED / "data/mix52k.jsonl.gz", folder / "data/mix52k.jsonl"
    if not packed.is_file():
        raise Missing(f"it reads {packed.relative_to(REPOSITORY.parent)} beside the project, which is not there")
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


def grown(folder: Path, rows: int) -> tuple[Path, Path]:
    """So many rows made from the mix with planted copies, and the table of what was planted at which similarity."""
    mix(folder)
    name = f"big{rows}"
    data, truth = (folder / "data" / f"{name}{ending}" for ending in (".jsonl", ".truth.tsv"))
    if not data.is_file():
        script = [sys.executable, SCRIPTS / "make_big.py", str(rows), f"{name}.tmp"]
        subprocess.run(script, check=True, env=os.environ | {"BENCH": str(folder)})
        (folder / f"data/{name}.tmp.truth.tsv").rename(truth)
        (folder / f"data/{name}.tmp.jsonl").rename(data)
    return data, truth


def alike(folder: Path) -> Path:
    """All pairs of the mix whose runs of five characters have a Jaccard similarity of 0.8 or more, by an exact join."""
    data, pairs = mix(folder), folder / "pairs.npz"
    if not pairs.is_file():
        script = [
            environments.python(folder, "truth"),
            SCRIPTS / "exact_truth.py",
            data,
            "c5",
            "0.8",
            folder / "tmp.npz",
        ]
        subprocess.run(
            script, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "kernels")}
        )
        (folder / "tmp.npz").rename(pairs)
    return pairs
