"""Where copies of outputs lie: the cache, a remote, the workspace or the commit itself; and reading them there.

DVC remembers what it once hashed by time, size and inode, and believes a remote; nothing of that is believed here.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from lineage.digests import BLOCK
from lineage.project import one_line, repo
from stages.contract.params import stop


class Unreadable(Exception):
    """An object cannot be read: it is not there, or its place does not answer."""


class Place(Struct):
    """A store of objects, named by their MD5, or a tree of files, named by their paths."""

    name: str
    fs: Any
    root: Any
    """Of a store: DVC's object that knows where an MD5 lies; of a tree: DVC's repository."""
    is_store: bool
    down: str = ""
    """Why this place does not answer, once it did not: the rest is not tried."""


# which there are


def stores(remote_name: str | None = None) -> list[Place]:
    """The cache, then the remote of this name, or the default one if there is one."""
    return [cache(), *([remote(remote_name)] if remote_name or has_remote() else [])]


def cache() -> Place:
    """The cache of this clone."""
    found = repo().cache.local
    return Place("cache", found.fs, found, is_store=True)


def remote(name: str | None = None) -> Place:
    """A remote: the default one, or the one of this name."""
    from dvc.exceptions import DvcException

    try:
        found = repo().cloud.get_remote_odb(name=name)
    except DvcException as error:
        raise stop(f"remote: {one_line(error)}; `dvc remote list` shows those there are") from None
    return Place(f"remote {name or repo().config['core']['remote']}", found.fs, found, is_store=True)


def has_remote() -> bool:
    """Whether there is a default remote."""
    return bool(repo().config["core"].get("remote"))


def tree(commit: str | None = None) -> Place:
    """The files as they lie here, or as a commit has what is in git."""
    found = repo(commit)
    return Place("git" if commit else "workspace", found.fs, found, is_store=False)


def article(name: str) -> str:
    """A place as a sentence names it."""
    return name if name == "git" else f"the {name}"


# reading


def where(place: Place, name: str) -> str:
    """Where an object of a store, or a file of a tree, lies."""
    if place.is_store:
        return str(place.root.oid_to_path(name))
    return str(place.fs.join(place.root.root_dir, *Path(name).parts))


def blocks(place: Place, name: str) -> Iterator[bytes]:
    """The bytes of an object or a file, read past all that DVC remembers of it."""
    if place.down:
        raise Unreadable(place.down)
    try:
        with place.fs.open(where(place, name), "rb") as file:
            yield from iter(partial(file.read, BLOCK), b"")
    except FileNotFoundError:
        raise Unreadable(f"is not in {article(place.name)}") from None
    except refusals() as error:
        reason = f"cannot be read: {one_line(error)}"
        place.down = reason if place.fs.protocol != "local" else ""
        raise Unreadable(reason) from None


def absent(store: Place, digests: Iterable[str]) -> set[str]:
    """Those of the objects that a store does not have, by asking it; DVC itself trusts what it remembers of a remote."""
    wanted = set(digests)
    try:
        return wanted - set(store.root.oids_exist(sorted(wanted)))
    except refusals() as error:
        raise Unreadable(f"cannot be read: {one_line(error)}") from None


def refusals() -> tuple[type[Exception], ...]:
    """What the libraries of the remotes in use raise when a server does not answer or refuses."""
    from dvc.exceptions import DvcException
    from dvc_objects.errors import ObjectDBError

    kinds = (("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("asyncssh", "Error"))
    used = [getattr(sys.modules[module], kind) for module, kind in kinds if module in sys.modules]
    no_answer = EOFError  # a password is asked for, and nobody is there
    return (OSError, no_answer, DvcException, ObjectDBError, *used)
