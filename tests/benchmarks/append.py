"""A batch of 1 % more rows as a new file of a source: what `dvc push` then moves to a remote that had everything before.

Bytes of files that the remote did not have, of the bytes of all files of the outputs, lists of folders included.
`curated` is sorted by id and pushed whole.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.benchmarks import Row, corpus, pipeline
from tests.conftest import dvc

BATCH = 520  # rows: 1 %
KINDS = ("records", "scores", "origins", "signatures")


def rows(folder: Path) -> Iterator[Row]:
    """Shares and bytes that were moved."""
    lines = corpus.mix(folder).read_bytes().splitlines(keepends=True)
    with TemporaryDirectory(dir=folder) as name:
        before, batch, root = (Path(name) / part for part in ("before.jsonl", "batch.jsonl", "project"))
        before.write_bytes(b"".join(lines[:-BATCH]))
        batch.write_bytes(b"".join(lines[-BATCH:]))
        pipeline.project(root, before)
        remote = Path(name) / "remote"
        dvc(root, "remote", "add", "-q", "-d", "local", str(remote))
        built(root)
        had = objects(remote / "files/md5")
        batch.rename(root / "data/sources/mix/2.jsonl")
        built(root)
        new = {digest: size for digest, size in objects(remote / "files/md5").items() if digest not in had}
        outputs = files_of_outputs(root)
    kept = merged(outputs, [f"data/{kind}/mix" for kind in KINDS])
    yield f"{', '.join(KINDS)} together: bytes moved", *share(kept, new), "at most 3%"
    for kind in KINDS:
        yield f"{kind}: bytes moved", *share(outputs[f"data/{kind}/mix"], new), ""
    yield "curated: bytes moved", *share(outputs["data/curated"], new), ""
    yield "everything: bytes moved", *share(merged(outputs, list(outputs)), new), ""


def built(root: Path) -> None:
    """Rebuild and share."""
    dvc(root, "repro", "-q")
    dvc(root, "push", "-q")


def objects(store: Path) -> dict[str, int]:
    """The digest and the size of every file in a cache or remote of DVC's."""
    return {file.parent.name + file.name: file.stat().st_size for file in store.glob("??/*")}


def files_of_outputs(root: Path) -> dict[str, dict[str, int]]:
    """Of each cached output the digests and sizes of its files; a folder's list is one of them."""
    store = root / ".dvc/cache/files/md5"
    sizes = objects(store)
    stages = yaml.safe_load((root / "dvc.lock").read_text())["stages"].values()
    digests = {out["path"]: out["md5"] for stage in stages for out in stage["outs"] if out["md5"] in sizes}
    return {path: {file: sizes[file] for file in [own, *listed(store, own)]} for path, own in digests.items()}


def listed(store: Path, digest: str) -> list[str]:
    """The digests of the files of a folder; none if it is a file."""
    if not digest.endswith(".dir"):
        return []
    return [entry["md5"] for entry in json.loads((store / digest[:2] / digest[2:]).read_bytes())]


def merged(outputs: dict[str, dict[str, int]], paths: list[str]) -> dict[str, int]:
    """The files of several outputs, each once."""
    return {digest: size for path in paths for digest, size in outputs[path].items()}


def share(files: dict[str, int], new: dict[str, int]) -> tuple[str]:
    """The bytes that are new, as a share and in MB."""
    moved, whole = sum(size for digest, size in files.items() if digest in new), sum(files.values())
    return (f"{moved / whole:.1%} ({moved / 1e6:.2f} of {whole / 1e6:.1f} MB)",)
