"""Copies of an output: what lies of it at a place, hashed again, and which place has a file of it as it should be."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from lineage import digests
from lineage.places import Place, Unreadable, absent, article, blocks, stores, where
from lineage.project import Output

PUSH = "dvc push; where that says it did, dataset verify --mend"
"""What mends a remote that lacks something: DVC does not push again what it remembers to have pushed, also if it is gone."""
READERS = 8  # objects read at once: a remote answers slowly, and hashing lets go of the interpreter


class Copy(Struct):
    """What was read of one file at one place."""

    digest: str = ""
    """MD5, by which DVC names bytes; a manifest of ours names them by their SHA-256."""
    sha256: str = ""
    size: int = 0
    problem: str = ""


def read_all(place: Place, names: Iterable[str]) -> list[Copy]:
    """What these objects or files hold, several read at once."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(partial(copy_of, place), names))


def copy_of(place: Place, name: str) -> Copy:
    """What one object or file holds."""
    try:
        return Copy(*digests.of_blocks(blocks(place, name)))
    except Unreadable as problem:
        return Copy(problem=str(problem))


def laid(output: Output, tree: Place) -> dict[str, Copy]:
    """What lies in a tree at the output's path, hashed; a single file has no name below its path."""
    at = where(tree, output.path)
    if not tree.fs.exists(at):
        raise Unreadable(f"is not in {article(tree.name)}")
    if not tree.fs.isdir(at):
        return {"": copy_of(tree, output.path)}
    found = sorted(tree.fs.relpath(each, at).replace("\\", "/") for each in tree.root.dvcignore.find(tree.fs, at))
    return dict(zip(found, read_all(tree, [join(output.path, name) for name in found]), strict=True))


def join(folder: str, name: str) -> str:
    """A path in a folder; the folder itself if the name is empty."""
    return f"{folder}/{name}" if name else folder


# which files it consists of


def is_folder(output: Output) -> bool:
    """Whether an output is a folder, whose MD5 is that of its listing."""
    return output.digest.endswith(".dir")


def entries(content: bytes, digest: str) -> dict[str, str] | None:
    """The MD5 of each file in a folder by its name, from the folder's listing; None if that is not intact."""
    if digests.md5_of_bytes(content) != digest.removesuffix(".dir"):
        return None
    return digests.files_of_listing(content)  # None also where dvc.lock names as a folder what is none


def digest_of(found: dict[str, str]) -> str:
    """What dvc.lock would name these files, given the MD5 of each."""
    return found[""] if "" in found else digests.md5_of_folder(found)


def known_listing(output: Output, places: Iterable[Place]) -> dict[str, str] | None:
    """The listing of an output from the first place that has it intact; that of a single file is known."""
    if not is_folder(output):
        return {"": output.digest}
    for place in places:
        try:
            if not place.is_store:
                listing = {name: copy.digest for name, copy in laid(output, place).items()}
                if digest_of(listing) == output.digest:
                    return listing
            elif intact := entries(b"".join(blocks(place, output.digest)), output.digest):
                return intact
        except Unreadable:
            continue
    return None


def intact_copy(output: Output, name: str, digest: str, places: Iterable[Place]) -> tuple[Place, str] | None:
    """The first place that has a file as it should be, and its name there."""
    for place in places:
        here = digest if place.is_store else join(output.path, name)
        if copy_of(place, here).digest == digest.removesuffix(".dir"):
            return place, here
    return None


# what a store lacks


def lacking(store: Place, outputs: Iterable[Output]) -> list[str]:
    """The outputs of which a store lacks some bytes; a folder whose listing is nowhere lacks them too."""
    places = stores()
    needed = {out.path: objects(out, places) for out in outputs if out.cached and out.digest}
    gone = absent(store, {digest for found in needed.values() for digest in found})
    return [path for path, found in needed.items() if found & gone]


def objects(output: Output, places: Iterable[Place]) -> set[str]:
    """The objects that hold an output."""
    return {output.digest, *(known_listing(output, places) or {}).values()}
