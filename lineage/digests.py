"""Digests of files and folders as dvc.lock, a run's record and `sha256sum` have them."""

import hashlib
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

BLOCK = 1 << 20  # bytes


class Digest(Struct, omit_defaults=True, forbid_unknown_fields=True, frozen=True):
    """A file's MD5, by which DVC keeps it, its SHA-256, which nobody can forge, and its bytes."""

    md5: str
    sha256: str | None = None
    bytes: int | None = None


def of_file(path: Path) -> Digest:
    """Both digests of a file, read once."""
    with path.open("rb") as file:
        return Digest(*of_blocks(iter(partial(file.read, BLOCK), b"")))


def of_blocks(blocks: Iterable[bytes]) -> tuple[str, str, int]:
    """MD5, SHA-256 and number of bytes of what is read block by block."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    for block in blocks:
        md5.update(block)
        sha256.update(block)
        size += len(block)
    return md5.hexdigest(), sha256.hexdigest(), size


def md5_of_bytes(content: bytes) -> str:
    """MD5 of some bytes, as dvc.lock has it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of(path: Path) -> str:
    """MD5 of a file, as dvc.lock has it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_of_folder(files: dict[str, str]) -> str:
    """What dvc.lock names a folder, given the MD5 of each file by its path in it (dvc_data, hashfile/tree.py)."""
    listed = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return md5_of_bytes(json.dumps(listed, sort_keys=True).encode()) + ".dir"


class Entry(Struct):
    """One file of a folder."""

    md5: str
    relpath: str


def files_of_listing(content: bytes) -> dict[str, str] | None:
    """The MD5 of each file of a folder by its path in it, from the listing that DVC keeps; None if this is no listing."""
    try:
        return {each.relpath: each.md5 for each in msgspec.json.decode(content, type=list[Entry])}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def of_artefact(path: Path) -> tuple[str, int, int]:
    """SHA-256, number of files and bytes of a model: a file, or a folder.

    Of a folder it is that of what `sha256sum` says of its files, by their paths in it, sorted as bytes:
    `find . -xtype f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum`.
    """
    if path.is_file():
        return sha256_of(path), 1, path.stat().st_size
    found = (file for file in path.rglob("*") if file.is_file())
    files = sorted(found, key=lambda file: bytes(file.relative_to(path)))
    lines = (f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    whole = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return whole, len(files), sum(file.stat().st_size for file in files)
