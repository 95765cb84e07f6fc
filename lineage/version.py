"""The files of one version of the dataset: those of the working tree, or those that a git revision's dvc.lock names."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lineage import repository
from stages.contract import paths
from stages.contract.params import stop


@cache
def tree(revision: str) -> Any:
    """DVC's view of the repository at a commit; what is missing in the cache is read from the default remote."""
    from dvc.api import DVCFileSystem  # takes 0.4 s

    if not (found := repository.commit(revision)):
        raise stop(f"{revision}: is no commit, tag or branch here; `git log --oneline` lists them")
    return DVCFileSystem(str(paths.ROOT.resolve()), rev=found)


def files(folder: Path, revision: str | None = None) -> list[str]:
    """The names of the files in a folder, in order; none if there is no such folder."""
    if revision is None:
        return sorted(entry.name for entry in folder.glob("[!.]*") if entry.is_file())
    inside = place(folder)
    found = tree(revision).ls(inside, detail=True) if tree(revision).isdir(inside) else []
    return sorted(Path(entry["name"]).name for entry in found if entry["type"] == "file")


def content(path: Path, revision: str | None = None) -> bytes:
    """The bytes of a file; a stop if it is not there, or not here."""
    try:
        return path.read_bytes() if revision is None else bytes(tree(revision).read_bytes(place(path)))
    except FileNotFoundError:
        found = place(path)
        if revision is None:
            raise stop(f"{found}: is not there; run `make run`, or `dvc pull`") from None
        raise stop(
            f"{found}: is not in {revision}, or neither in the cache nor in the remote; "
            "`dvc fetch --all-commits` gets what was pushed"
        ) from None


def lines(found: Iterable[Path], revision: str | None = None) -> Iterator[bytes]:
    """The lines of several files."""
    for path in found:
        yield from content(path, revision).splitlines()


def place(path: Path) -> str:
    """A path as git and DVC name it."""
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else path.as_posix()
