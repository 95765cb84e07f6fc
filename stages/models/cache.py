"""Where DVC keeps what it tracks, found without loading DVC, and the objects there."""

import os
from collections.abc import Iterator
from configparser import Error, RawConfigParser
from pathlib import Path

from stages.contract import params, paths

LOCK = "dvc.lock"
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
"""The MD5 of no bytes: what nobody has to pull."""


def folder() -> Path:
    """The cache that this project uses; worktrees of one repository that name none count as sharing the first one's."""
    for file in configs():
        found = RawConfigParser(strict=False)
        try:
            found.read_string(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, Error):
            continue
        named = found.get("cache", "dir", fallback="").strip("'\"")
        if named:
            return (file.parent / Path(named).expanduser()).resolve()
    return (first_worktree() / ".dvc/cache").resolve()


def configs() -> Iterator[Path]:
    """DVC's configuration files, the ones that count most first."""
    yield from (paths.ROOT / ".dvc/config.local", paths.ROOT / ".dvc/config")
    home = os.environ.get("DVC_GLOBAL_CONFIG_DIR")
    yield Path(home or os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / (
        "config" if home else "dvc/config"
    )


def first_worktree() -> Path:
    """The repository's main folder, if this is a linked worktree of it; else the project itself."""
    mark = paths.ROOT / ".git"
    if not mark.is_file():
        return paths.ROOT
    own = (paths.ROOT / mark.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
    shared = own / "commondir"
    main = (own / shared.read_text("utf-8").strip()).resolve().parent if shared.is_file() else paths.ROOT
    return main if (main / ".dvc").is_dir() else paths.ROOT


def named(lock: bytes, path: str) -> str:
    """The MD5 that a dvc.lock names for an output that is not empty, or nothing."""
    stages = params.mapping(lock, LOCK).get("stages") or {}
    outs = (out for stage in stages.values() for out in stage.get("outs", []))
    found = next((str(out.get("md5", "")) for out in outs if out.get("path") == path), "")
    return "" if found == EMPTY else found


def locked(path: str) -> str:
    """The MD5 that dvc.lock names for an output, or nothing."""
    file = paths.ROOT / LOCK
    return named(file.read_bytes(), path) if file.is_file() else ""


def objects(md5: str) -> list[Path]:
    """The files of the caches that hold these bytes."""
    places = (folder(), paths.ROOT / ".dvc/cache")
    return [place for cache in places if (place := cache / "files/md5" / md5[:2] / md5[2:]).is_file()]
