"""How many records of each source stand in the files that a run read, as the index of data/curated tells."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from stages.contract import paths

INDEXED = re.compile(rb'"kind":"(\w+","source":"\w+","split":"\w+)"')
"""The end of a line of the index: keys are sorted, and none of these values is ever escaped."""
BLOCK = 1 << 23  # bytes of the index at once

Counts = Counter[tuple[str, str, str]]
"""Records by kind, source and split."""


def rows_here(files: Iterable[str]) -> dict[str, dict[str, int]]:
    """The records in each file by source, as the files and their index lie here."""
    return rows_in({place: paths.ROOT / place for place in files}, paths.ROOT / paths.INDEX)


def rows_in(files: Mapping[str, Path], index: Path) -> dict[str, dict[str, int]]:
    """The records in each file of data/curated or data/exports by source; `files` and `index` say where the bytes are."""
    counted = indexed(index) if index.is_file() else Counter()
    found = {place: by_source(counted, place, path) for place, path in files.items()}
    return {place: dict(sorted(sources.items())) for place, sources in found.items() if sources}


def by_source(counted: Counts, place: str, path: Path) -> dict[str, int]:
    """The records of one file by source; of an export that left some out, only how many there are."""
    folder, _, name = place.rpartition("/")
    exported = paths.within(folder, paths.EXPORTS)
    kind = "example" if exported else next((kind for kind, at in paths.PLACES.items() if at == folder), None)
    split = name.removesuffix(".jsonl")
    found = {source: rows for (of, source, at), rows in counted.items() if (of, at) == (kind, split)}
    if exported and path.is_file() and (held := lines_in(path)) != sum(found.values()):
        return {"unknown": held}
    return found


def lines_in(path: Path) -> int:
    """How many lines a file has."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(partial(file.read, BLOCK), b""))


def indexed(index: Path) -> Counts:
    """How many records of each kind, source and split there are; a million lines take half a second."""
    found: Counter[bytes] = Counter()
    rest = b""
    with index.open("rb") as file:
        while block := file.read(BLOCK):
            whole, _, rest = (rest + block).rpartition(b"\n")
            found.update(INDEXED.findall(whole))
    found.update(INDEXED.findall(rest))
    return Counter({tuple(key.decode().split('"')[::4]): rows for key, rows in found.items()})  # type: ignore[misc]
