"""What dedup knows of each record without reading it: its id, digests and signature, kept by `measure` shard by shard.

A shard is an array of rows in the order of the records beside it, so a million records are a few arrays of numbers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stages.contract import paths, shards
from stages.contract.params import stop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS: list[Any] = [
    ("id", "<u8", (2,)),
    ("exact", "<u8", (2,)),  # all turns but the system's
    ("folded", "<u8"),  # the same, prose without case, space and punctuation
    ("prompt", "<u8"),  # what it answers; 0 for nothing
    ("tools", "<u8"),  # the tools it calls; 0 where there are none to call
    ("answer", "<u8"),  # what it calls them with, or the word or two it says; 0 for a longer text
    ("chosen", "<u8"),  # of a pair: its winning ending and its losing one, folded; else 0
    ("rejected", "<u8"),
    ("family", "u1"),  # its kind, and its label
    ("method", "u1"),  # who wrote it, the most trusted first
    ("rating", "<f4"),
    ("style", "<f4"),  # the check's score, from 0 to 1; 0 where it is skipped
    ("length", "<u4"),  # characters
    ("minhash", "<u4", (128,)),
]
"""The fields of a row. Digests are the first bytes of a BLAKE2b."""
FAMILIES = (("example", None), ("preference", None), ("labelled", False), ("labelled", True))
"""Kinds of records that are compared among themselves only."""
METHODS = ("human", "log", "unknown", "template", "augmented", "model")
"""Who wrote it, most trusted first; what nobody says is put behind what people wrote and before what is known to be made."""


class Signed(Struct):
    """The records that are still in the dataset, by id.

    `columns` holds the fields but the last; `source` is the rank of each record's source, `row` where it stands in the
    `blocks` of signatures, shape (records of the file, 128), which are those of `files`, one after the other; `signatures`
    are the files they lie in.
    """

    columns: dict[str, Any]
    source: "NDArray[np.int64]"
    row: "NDArray[np.int64]"
    blocks: list[Any]
    files: list[Path]
    signatures: list[Path]

    def name(self, place: int) -> str:
        """The id of the record in this place."""
        return str(self.columns["id"][place].astype(">u8").tobytes().hex())

    def __len__(self) -> int:
        return len(self.row)

    def __contains__(self, identifier: object) -> bool:
        first = int(self.columns["id"][:, 0].searchsorted(numbers([str(identifier)])[0, 0]))
        return first < len(self) and self.name(first) == identifier


def numbers(identifiers: list[str]) -> "NDArray[np.uint64]":
    """Ids as pairs of numbers in the same order, shape (ids, 2)."""
    import numpy as np

    return np.frombuffer(bytes.fromhex("".join(identifiers)), ">u8").reshape(-1, 2).astype("<u8")


def beside(records: Path, source: str) -> Path:
    """The file of signatures that belongs to a shard of records."""
    return (paths.signatures(source) / records.name).with_suffix(".npy")


def signed(sources: list[str], dropped: Mapping[str, set[str]], share: float = 1.0) -> Signed:
    """The records of these sources less those dropped, or a share of them."""
    import numpy as np

    files = [(rank, source, path) for rank, source in enumerate(sources) for path in shards.of(paths.records(source))]
    kept = [beside(path, source) for _, source, path in files]
    tables = [np.load(path, mmap_mode="r") for path in kept]
    if any(table.dtype != np.dtype(COLUMNS) for table in tables):
        raise stop("data/signatures: were written by another version of this project; run `dvc repro`")
    fields = [name for name, *_ in COLUMNS if name != "minhash"]
    empty = np.empty(0, COLUMNS)
    columns = {name: np.concatenate([np.ascontiguousarray(t[name]) for t in (empty, *tables)]) for name in fields}
    source = np.repeat(np.array([rank for rank, *_ in files], np.int64), [len(table) for table in tables])
    stays = (columns["id"][:, 0] >> np.uint64(32)) < share * 2**32  # as run.within
    gone = numbers([identifier for each in dropped.values() for identifier in each])
    known = set(map(tuple, gone.tolist()))
    for place in np.flatnonzero(np.isin(columns["id"][:, 0], gone[:, 0])):
        stays[place] &= tuple(columns["id"][place].tolist()) not in known
    row = np.flatnonzero(stays)
    row = row[np.lexsort((columns["id"][row, 1], columns["id"][row, 0]))]
    blocks = [table["minhash"] for table in tables]
    return Signed(
        {name: column[row] for name, column in columns.items()}, source[row], row, blocks, [p for *_, p in files], kept
    )
