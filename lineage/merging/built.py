"""What a run writes into git: the lock and the outputs that are not cached. It is built again, never merged as text."""

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

import yaml

from stages.contract.params import Loader

LOCK = "dvc.lock"
STAGE = re.compile(rb"^  (?=\S)", re.MULTILINE)


def patterns(pipeline: bytes | None) -> Iterator[str]:
    """The paths that a dvc.yaml writes without caching them; what is interpolated matches anything."""
    try:
        stanzas = (yaml.load(pipeline or b"", Loader) or {}).get("stages") or {}  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        return
    for stanza in filter(None, stanzas.values()):
        for out in outs(stanza.get("do") or stanza):
            if isinstance(out, dict):
                yield from (
                    re.sub(r"\$\{[^}]*\}", "*", path)
                    for path, given in out.items()
                    if (given or {}).get("cache") is False
                )


def outs(stanza: dict[str, Any]) -> Iterator[Any]:
    """Everything a stage writes, wherever its stanza names it."""
    for kind in ("outs", "metrics", "plots"):
        yield from stanza.get(kind) or []


def is_built(path: str, known: set[str]) -> bool:
    """Whether a run writes this file."""
    return path == LOCK or any(fnmatch.fnmatchcase(path, pattern) for pattern in known)


def entries(lock: bytes | None) -> dict[bytes, bytes]:
    """The text of each stage in a dvc.lock, by its first line, as DVC wrote it."""
    _, _, body = (lock or b"").partition(b"\nstages:\n")
    return {entry.partition(b"\n")[0]: b"  " + entry for entry in STAGE.split(body)[1:]}


def lock(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes:
    """A dvc.lock with the whole entry of each stage from one side: theirs where only they changed it, else ours.

    Each entry says what once came of what, so any choice of whole entries is true; a mix of lines is not.
    """
    old, mine, other = entries(base), entries(ours), entries(theirs)
    kept = [
        other.get(name, b"") if mine.get(name) == old.get(name) else mine.get(name, b"") for name in {**mine, **other}
    ]
    head = next(text.partition(b"\nstages:\n")[0] for text in (ours, theirs, b"schema: '2.0'") if text)
    return head + b"\nstages:\n" + b"".join(kept)
