"""Putting intact copies in the place of damaged ones, in the cache and in a remote, and into a remote what it lacks.

DVC cannot do it: it takes an object that is there for a good one, and what it once pushed for there.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from lineage.copies import intact_copy, known_listing, read_all
from lineage.digests import md5_of
from lineage.places import Place, Unreadable, blocks, refusals, stores, tree, where
from lineage.project import Output, one_line, outputs
from stages.contract import paths
from stages.contract.params import stop


def mend(commit: str | None = None, remote_name: str | None = None) -> list[str]:
    """Where objects were replaced or put; every copy is hashed before it is used."""
    kept = stores(remote_name)
    places = [*kept, *([tree()] if commit is None else [])]
    written = []
    for output in outputs(commit):
        if output.cached and output.digest:
            for place in kept:
                written += [put(found, place, digest) for digest, found in mendable(output, place, places)]
    return written


def mendable(output: Output, place: Place, places: list[Place]) -> Iterator[tuple[str, tuple[Place, str]]]:
    """The objects of an output that a store has not as they should be, each with an intact copy elsewhere."""
    listing = known_listing(output, places)
    if listing is None:
        return
    names = listing | ({} if "" in listing else {"": output.digest})
    damaged = wrong(place, set(names.values()))
    for name, digest in names.items():
        if digest in damaged and (found := intact_copy(output, name, digest, places)):
            damaged.discard(digest)
            yield digest, found


def wrong(place: Place, digests: set[str]) -> set[str]:
    """The objects that are damaged, or that a remote lacks: what a cache lacks, `dvc fetch` brings."""
    ordered = sorted(digests)
    copies = dict(zip(ordered, read_all(place, ordered), strict=True))
    if place.down:
        raise stop(f"{place.name}: {place.down}; mend its address or the credentials first")
    lacking = place.name != "cache"
    return {
        digest
        for digest, copy in copies.items()
        if (lacking if copy.problem else copy.digest != digest.removesuffix(".dir"))
    }


def put(found: tuple[Place, str], place: Place, digest: str) -> str:
    """Write an intact copy into a store: beside its place first, so that no half of it is ever taken for it."""
    from dvc_objects.fs.utils import as_atomic

    at = where(place, digest)
    folder = paths.ROOT / ".dvc/tmp"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        file = Path(temporary, "copy")
        problems: tuple[type[Exception], ...] = (Unreadable, *refusals())
        try:
            with file.open("wb") as copy:
                copy.writelines(blocks(*found))
            if md5_of(file) != digest.removesuffix(".dir"):
                raise Unreadable(f"changed while it was read from the {found[0].name}")
            with as_atomic(place.fs, at, create_parents=True) as beside:
                place.fs.put_file(str(file), beside)
            place.root.protect(at)
        except problems as problem:
            raise stop(f"{place.name}: {at} {one_line(problem)}; mend that, and try again") from None
    return f"{place.name}: {at}"
