"""What `measure` keeps of each record, shard by shard: scores as JSON Lines, digests and signatures as arrays.

The first line of a shard of scores names the digest of what it was measured from, of its own rows and of the signatures
beside it. Measuring again takes over every shard whose records, code, params and library versions are the same and whose
files are still those that were written: one that a kill left without its partner, or that somebody edited, is not trusted.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import UNSET

from stages.contract import engine, params, paths, progress, shards
from stages.contract.record import Record, decode, decode_record, digest, encode

ROWS = 4_000  # of a shard, about
CODE = (
    "stages/checks",
    "stages/text",
    "stages/measure.py",
    "stages/contract/record.py",
    "stages/contract/scores.py",
    "stages/contract/signatures.py",
)
"""What the answers of the checks depend on besides the record: a change measures everything again."""


def scores_of(source: str, *only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and the scores of every record of the source; those of a few checks `only` are read faster."""
    if not only:
        for row in map(decode, lines_of(source)):
            yield row.pop("id"), row
        return
    some: Any = msgspec.defstruct("Some", [("id", str), *((name, Any, UNSET) for name in only)])
    for each in map(msgspec.json.Decoder(some).decode, lines_of(source)):
        yield each.id, {name: value for name in only if (value := getattr(each, name)) is not UNSET}


def lines_of(source: str) -> Iterator[bytes]:
    """The encoded scores of every record of the source."""
    for path in shards.of(paths.scores(source)):
        yield from shards.lines(path)[1:]


def measured_with(stage: ModuleType, given: Any) -> str:
    """The digest of everything but the records that the scores depend on."""
    repository = Path(__file__).parents[2]
    files = (
        file
        for place in CODE
        for file in sorted([repository / place, *(repository / place).rglob("*")])
        if file.is_file()
    )
    code = [sha256(file.read_bytes()) for file in files if file.suffix in (".py", ".xz")]
    libraries = {library: params.versions()[library] for library in params.versions_of("measure")}
    return digest(stage.__name__, code, msgspec.to_builtins(given), stage.comparison(), libraries)


def keep_scores(stage: ModuleType, source: str, given: Any) -> None:
    """Measure the records of a source; shards measured before from the same are taken as they are."""
    basis = measured_with(stage, given)
    old = {header(path).get("measured_from"): path for path in shards.of(paths.scores(source))}
    records = shards.of(paths.records(source))
    with shards.replaced(paths.scores(source)) as scores, shards.replaced(paths.signatures(source)) as signatures:
        scores.mkdir(parents=True)
        signatures.mkdir(parents=True)
        origin = {record: digest(basis, sha256(record.read_bytes())) for record in records}
        places = {record: (scores / record.name, signed_beside(signatures / record.name)) for record in records}
        fresh = [record for record in records if not taken_over(old.get(origin[record]), *places[record], source)]
        count = len(fresh) * ROWS
        work = partial(measure_shard, stage=stage.__name__, given=given, count=count)
        if fresh and engine.name() != "dask":
            stage.prepare(count)  # once, before the workers fork
        measured = progress.over_files(engine.map(work, fresh), f"measure {source}", fresh)
        for record, (rows, signed) in zip(fresh, measured, strict=True):
            first = {"measured_from": origin[record], "rows": sha256(rows), "signatures": sha256(signed)}
            shards.write(places[record][0], filter(None, (encode(first), rows)))
            shards.write_bytes(places[record][1], signed)


def sha256(content: bytes) -> str:
    """The digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


def signed_beside(path: Path) -> Path:
    """The file of signatures that belongs to a shard's name."""
    return path.with_suffix(".npy")


def header(path: Path) -> dict[str, Any]:
    """The first line of a shard of scores; nothing if it is not one."""
    with path.open("rb") as file:
        try:
            return dict(decode(file.readline()))
        except (msgspec.DecodeError, TypeError, ValueError):
            return {}


def taken_over(old: Path | None, scores: Path, signatures: Path, source: str) -> bool:
    """Link what was measured before under the names it has now, if both files are what the first line says."""
    signed = signed_beside(paths.signatures(source) / old.name) if old else None
    if not old or not signed or not signed.exists():
        return False
    first, rows = header(old), old.read_bytes().partition(b"\n")[2].removesuffix(b"\n")
    if (first.get("rows"), first.get("signatures")) != (sha256(rows), sha256(signed.read_bytes())):
        return False
    link(old, scores)
    link(signed, signatures)
    return True


def link(old: Path, new: Path) -> None:
    """Give a file a second name, or copy it where the file system or its owner allows no links."""
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def measure_shard(path: Path, stage: str, given: Any, count: int) -> tuple[bytes, bytes]:
    """What one worker does: the lines of scores and the signatures of a shard of records, of about `count` in all."""
    import io

    import numpy as np

    module = import_module(stage)
    module.prepare(count)
    records = [decode_record(line) for line in shards.lines(path)]
    values = measured(module, records, given)
    rows = b"\n".join([encode({"id": record.id, **each}) for record, each in zip(records, values, strict=True)])
    file = io.BytesIO()
    np.save(file, module.sign(records, values))
    return rows, file.getvalue()


def measured(module: ModuleType, records: list[Record], given: Any) -> list[dict[str, Any]]:
    """The scores of each record; an error of a check says which record it broke on."""
    try:
        scores: list[dict[str, Any]] = module.measure_many(records, given)
    except Exception as error:
        if broken := next((record for record in records if breaks(module, record, given)), None):
            where = f"measure: broke on the record {broken.id} of {broken.source}"
            error.add_note(f"{where}; `dataset show --id {broken.id}`")
        raise
    return scores


def breaks(module: ModuleType, record: Record, given: Any) -> bool:
    """Whether a check raises on this record alone."""
    try:
        module.measure(record, given)
    except Exception:  # noqa: BLE001 - whatever it is, the caller raises it again
        return True
    return False
