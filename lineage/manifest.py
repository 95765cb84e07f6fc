"""What a release consists of: reports/manifest.json names every byte of it by SHA-256, beside counts, settings and licences.

The same commit gives the same manifest: it holds no clock, no host and no path of a machine.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import msgspec
from msgspec import Struct

from lineage import metrics
from lineage import version as versions
from lineage.copies import copy_of, digest_of, join, laid
from lineage.places import Unreadable, tree
from lineage.project import inputs, outputs
from stages.contract import params, paths
from stages.contract.params import stop

PROJECT = "finetuning-dataset"
"""The name in pyproject.toml, under which the direct dependencies are known."""


class File(Struct):
    """The bytes of one file. One without a SHA-256 was not here when the release was made: there dvc.lock is believed."""

    md5: str
    sha256: str | None = None
    bytes: int | None = None


class Origin(Struct):
    """One source of the release: where it was, under which licence, and what became of its rows."""

    path: str
    licence: str
    method: str
    rows: int
    records: int
    curated: int
    dropped: int


class Manifest(Struct):
    """reports/manifest.json."""

    version: str
    previous: str | None
    lock: str
    """SHA-256 of dvc.lock."""
    files: dict[str, File]
    """Every file of every output, and the data that the first stages read, by their paths."""
    counts: dict[str, int]
    dropped: dict[str, int]
    """Records that each stage dropped."""
    sources: dict[str, Origin]
    gate: dict[str, str]
    """The verdict on each rule."""
    params: dict[str, Any]
    tools: dict[str, str]


def build(number: str, previous: str | None, gate: dict[str, str]) -> Manifest:
    """The manifest of what lies in the workspace; a stop if that is not what dvc.lock names."""
    found, own = metrics.read(), params.sources()
    return Manifest(
        version=number,
        previous=previous,
        lock=copy_of(tree(), versions.LOCK).sha256,
        files=dict(sorted(files())),
        counts={"rows": found["input"]["rows"], **found["dataset"]},
        dropped={stage: at["dropped"] for stage, at in found["stages"].items()},
        sources={
            name: Origin(own[name].path, own[name].licence, own[name].method, **at)
            for name, at in found["sources"].items()
        },
        gate=gate,
        params=params.whole(),
        tools={"python": f"{sys.version_info.major}.{sys.version_info.minor}"} | libraries(),
    )


def files() -> Iterator[tuple[str, File]]:
    """Every file of the outputs, and of the inputs that are data, as it lies in the workspace."""
    here = tree()
    for output in [*outputs(), *(given for given in inputs() if given.path.startswith("data/"))]:
        try:
            copies = laid(output, here)
        except Unreadable:
            if output.stage and output.cached:
                raise stop(f"{output.path}: is not here; run `dvc pull`") from None
            yield output.path, File(output.digest)  # a source that a colleague does not have
            continue
        if digest_of({name: copy.digest for name, copy in copies.items()}) != output.digest:
            raise stop(f"{output.path}: is not what dvc.lock names; `dataset verify` says more")
        for name, copy in copies.items():
            yield join(output.path, name), File(copy.digest, copy.sha256, copy.size)


def libraries() -> dict[str, str]:
    """The versions of the libraries that the project itself names."""
    from packaging.requirements import Requirement

    try:
        named = [Requirement(line) for line in requires(PROJECT) or []]
    except PackageNotFoundError:
        return {}
    return {each.name: version(each.name) for each in sorted(named, key=lambda each: each.name) if not each.marker}


def text(manifest: Manifest) -> bytes:
    """The manifest as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n"


def read(revision: str) -> Manifest:
    """The manifest that a commit has, or a stop."""
    content = versions.in_git(paths.MANIFEST, revision)
    where = f"{versions.named(revision)}:{paths.MANIFEST}"
    if content is None:
        raise stop(f"{where}: is not there; a release that `dataset release` made has one")
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise stop(
            f"{where}: is no manifest: {error}; look at what changed it with `git log -- {paths.MANIFEST}`"
        ) from None


def differences(old: Manifest | None, new: Manifest) -> Iterator[str]:
    """What a release changed since the one before, told from the two manifests."""
    if old is None:
        yield f"The first release: {new.counts['examples']} examples of {new.counts['rows']} rows."
    for name, count in new.counts.items():
        if old and (change := count - old.counts.get(name, 0)):
            yield f"{name}: {count} ({change:+d})"
    for name in sorted({*new.sources, *(old.sources if old else ())}):
        yield from source_change(name, old.sources.get(name) if old else None, new.sources.get(name))
    if old:
        yield from settings_changes("", old.params, new.params)
        changed = {path for path in {*old.files, *new.files} if old.files.get(path) != new.files.get(path)}
        yield f"files: {len(new.files)}, {len(changed)} of them other than before"


def source_change(name: str, old: Origin | None, new: Origin | None) -> Iterator[str]:
    """What became of one source."""
    if new is None:
        yield f"source {name}: taken out"
    elif old is None:
        yield f"source {name}: new, {new.licence}, {new.rows} rows, {new.curated} curated"
    elif old != new:
        licence = f", {old.licence} -> {new.licence}" if old.licence != new.licence else ""
        yield f"source {name}: {old.rows} -> {new.rows} rows, {old.curated} -> {new.curated} curated{licence}"


def settings_changes(path: str, old: Any, new: Any) -> Iterator[str]:
    """Each setting that has another value, by its dotted path."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            if key != "sources" or path:
                yield from settings_changes(f"{path}.{key}".removeprefix("."), old.get(key), new.get(key))
    elif old != new:
        yield f"param {path}: {spelt(old)} -> {spelt(new)}"


def spelt(value: Any) -> str:
    """A setting on one line."""
    said = "unset" if value is None else msgspec.json.encode(value).decode()
    return said if len(said) < 80 else f"{said[:77]}…"
