"""Reading and writing JSON Lines: whole files and folders of shards, never half of one.

A file is written beside its place, synced and renamed; a folder is built beside its place and swapped in. A killed
stage therefore leaves the old output or the new one. Shards are cut where a hash of the record's id says so, so that
an appended row changes the last shard only.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.contract.record import Drop, decode, decode_drop, encode

SMALLEST, LARGEST = 1_000, 16_000  # rows in a shard
WORTHWHILE = 250  # rows of a file that is not put into one shard with the next: a thousand tiny files are
ONE_IN = 3_000  # a row in so many ends its shard, so a shard holds about 4,000 rows


def lines(path: Path) -> list[bytes]:
    """The lines of a file, without their ends; none if it is empty."""
    return path.read_bytes().splitlines()


def rows(path: Path) -> Iterator[Any]:
    """The JSON value of each line."""
    return (decode(line) for line in lines(path))


def drops(paths: Iterable[Path]) -> Iterator[Drop]:
    """Every drop in the files."""
    return (decode_drop(line) for path in paths for line in lines(path))


def of(folder: Path) -> list[Path]:
    """The shards of a folder of records or scores, in order."""
    return sorted(folder.glob("[0-9]*.jsonl"))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` when the block ends well, and is removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    remove(temporary)
    try:
        yield temporary
        if temporary.is_dir():
            swap(temporary, path)
        else:
            os.replace(temporary, path)
    finally:
        remove(temporary)


def swap(new: Path, place: Path) -> None:
    """Put a finished folder in its place. Between the two renames the place is empty, never half full."""
    old = place.with_name(place.name + ".old.tmp")
    remove(old)
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    remove(old)


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write(path: Path, content: Iterable[bytes]) -> None:
    """Write the lines to a file that did not exist before, and sync it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in content)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that did not exist before, and sync it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def put(path: Path, content: Iterable[bytes]) -> None:
    """Write a file in one step: a reader sees the old one or the whole new one."""
    with replaced(path) as temporary:
        write(temporary, content)


def put_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step, as it is."""
    with replaced(path) as temporary:
        write_bytes(temporary, content)


def put_rows(path: Path, values: Iterable[Any]) -> None:
    """Write canonical JSON Lines in one step."""
    put(path, map(encode, values))


def name(number: int) -> str:
    """File name of the n-th shard."""
    return f"{number:05d}.jsonl"


def ends_shard(identifier: str, length: int) -> bool:
    """Whether the record with this id is the last of a shard that now has `length` rows."""
    return length >= LARGEST or (length >= SMALLEST and int(identifier[:8], 16) % ONE_IN == 0)
