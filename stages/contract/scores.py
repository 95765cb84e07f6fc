"""What `measure` keeps of each record, shard by shard: scores as JSON Lines, digests and signatures as arrays.

The first line of a shard of scores names the digest of what it was measured from, so that measuring again reuses every
shard whose records, code, params and library versions are the same.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from stages.contract import engine, params, paths, shards
from stages.contract.record import decode, decode_record, digest, encode

CODE = ("stages/checks", "stages/text", "stages/measure.py", "stages/contract/record.py")
"""What the answers of the checks depend on besides the record: a change measures everything again."""


def scores_of(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and the scores of every record of the source."""
    for path in shards.of(paths.scores(source)):
        for line in shards.lines(path)[1:]:
            row = decode(line)
            yield row.pop("id"), row


def signatures_of(sources: list[str]) -> Any:
    """The signatures of these sources as one array with the fields id, exact and minhash."""
    import numpy as np

    return np.concatenate(
        [np.load(path) for source in sources for path in sorted(paths.signatures(source).glob("*.npy"))]
    )


def measured_with(stage: ModuleType, given: Any) -> str:
    """The digest of everything but the records that the scores depend on."""
    repository = Path(__file__).parents[2]
    files = (
        file
        for place in CODE
        for file in sorted([repository / place, *(repository / place).rglob("*")])
        if file.is_file()
    )
    code = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.suffix in (".py", ".xz")]
    libraries = {library: params.versions()[library] for library in params.versions_of("measure")}
    return digest(stage.__name__, code, msgspec.to_builtins(given), libraries)


def keep_scores(stage: ModuleType, source: str, given: Any) -> None:
    """Measure the records of a source; shards measured before from the same are taken as they are."""
    basis = measured_with(stage, given)
    old = {first_line(path): path for path in shards.of(paths.scores(source))}
    records = shards.of(paths.records(source))
    with shards.replaced(paths.scores(source)) as scores, shards.replaced(paths.signatures(source)) as signatures:
        scores.mkdir(parents=True)
        signatures.mkdir(parents=True)
        work = partial(measure_shard, stage=stage.__name__, given=given)
        names = {record: digest(basis, hashlib.sha256(record.read_bytes()).hexdigest()) for record in records}
        fresh = [record for record in records if not reused(old.get(names[record]), record, scores, signatures, source)]
        if fresh:
            stage.prepare()
        for record, (rows, signed) in zip(fresh, engine.map(work, fresh), strict=True):
            shards.write(scores / record.name, [encode({"measured_from": names[record]}), *rows])
            (signatures / record.name).with_suffix(".npy").write_bytes(signed)


def first_line(path: Path) -> str:
    """The digest that a shard of scores was measured from."""
    with path.open("rb") as file:
        return str(decode(file.readline())["measured_from"])


def reused(old: Path | None, record: Path, scores: Path, signatures: Path, source: str) -> bool:
    """Take over what was measured before, if it was, under the name that the shard of records has now."""
    signed = (paths.signatures(source) / old.name).with_suffix(".npy") if old else None
    if not old or not signed or not signed.exists():
        return False
    os.link(old, scores / record.name)
    os.link(signed, (signatures / record.name).with_suffix(".npy"))
    return True


def measure_shard(path: Path, stage: str, given: Any) -> tuple[list[bytes], bytes]:
    """What one worker does: the encoded scores and the signatures of a shard of records."""
    import io

    import numpy as np

    module = import_module(stage)
    records = [decode_record(line) for line in shards.lines(path)]
    rows = [encode({"id": record.id, **module.measure(record, given)}) for record in records]
    file = io.BytesIO()
    np.save(file, module.sign(records))
    return rows, file.getvalue()
