"""What a run can have read: the files of an output, here or as a commit names them, and what is doubtful of them."""

from collections.abc import Callable
from pathlib import Path

from lineage import digests, repository, runs, version
from lineage.digests import Digest
from stages.contract import paths
from stages.contract.params import Stop, stop
from stages.text.visible import visible

Known = dict[str, Digest]
"""Files of the dataset by their paths."""
Look = Callable[[str, str | None], tuple[Known, list[str]]]
"""From an output and a commit to its files, and what is not as it should be about them."""


# the files of an output


def here(output: str, commit: str | None) -> tuple[Known, list[str]]:
    """The files of an output as they lie here; a doubt for each that is not what the commit's lock names."""
    found = hashed(output)
    if not found:
        return {}, [f"{output}: is not here; `dvc pull {output}` brings it"]
    expected = listing(output, commit, {place: digest.md5 for place, digest in found.items()})
    if expected is None:
        return found, [
            f"{output}: is not what {at_commit(commit)} names; run `dvc repro` and commit, or `dvc checkout`"
        ]
    changed = [place for place, digest in found.items() if expected.get(place, digest.md5) != digest.md5]
    other = "is not what {} names; `dvc checkout {}` brings that back, or run `dvc repro` and commit"
    doubts = [f"{place}: {other.format(at_commit(commit), output)}" for place in changed]
    return {place: digest for place, digest in found.items() if place in expected}, doubts


def locked(output: str, commit: str | None) -> tuple[Known, list[str]]:
    """The files of an output as the commit's lock names them."""
    expected = listing(output, commit, {})
    if expected is None:
        return {}, [
            f"{output}: {at_commit(commit)} names none, or its list is not in the cache; `dvc fetch --all-commits`"
        ]
    return {place: Digest(md5) for place, md5 in expected.items()}, []


def listing(output: str, commit: str | None, found: dict[str, str]) -> dict[str, str] | None:
    """The MD5 of each file of an output by its path; None if the commit has no such output.

    The list of a folder is in the cache; if it is not, the files that were found are that folder if their MD5 is.
    """
    if not (named := md5_of(output, commit)):
        return None
    if not named.endswith(".dir"):
        return {output: named}
    names = version.within(version.Stored(named))
    if names is not None:
        return {f"{output}/{name}": md5 for name, md5 in names.items()}
    inside_it = {place.removeprefix(f"{output}/"): md5 for place, md5 in found.items()}
    return found if digests.md5_of_folder(inside_it) == named else None


def md5_of(output: str, commit: str | None) -> str | None:
    """What the commit names an output, or a file in git; None if it has neither."""
    if commit is None:
        return None
    try:
        known = version.outputs(commit)
    except Stop:
        known = {}
    if output in known:
        return known[output].md5
    content = version.in_git(output, commit)
    return None if content is None else digests.md5_of_bytes(content)


def output_of(place: str, commit: str | None) -> str:
    """The output that a file is part of; itself if it is part of none."""
    known = version.outputs(commit) if commit else {}
    return next((output for output in known if paths.within(place, output)), place)


def hashed(place: str) -> Known:
    """A file, or every file of a folder but hidden ones, by its path."""
    top = paths.ROOT / place
    files = [top] if top.is_file() else sorted(file for file in top.rglob("[!.]*") if file.is_file())
    return {file.relative_to(paths.ROOT).as_posix(): digests.of_file(file) for file in files}


# what is asked for


def place_of(name: str, commit: str | None = None) -> str:
    """The path of a file or folder here, or of a commit, by its path or a short name in data/curated or data/exports."""
    as_path = inside(name)
    short = [f"{folder}/{name}{ending}" for folder in (paths.CURATED, paths.EXPORTS) for ending in (".jsonl", "")]
    if found := next((place for place in (as_path, *short) if place and is_there(place, commit)), None):
        return found
    if as_path in (paths.CURATED, paths.EXPORTS):
        return as_path
    raise stop(f"{visible(name)}: is no file of the dataset; name one such as train, preferences/train or alpaca/train")


def is_there(place: str, commit: str | None) -> bool:
    """Whether a file or folder lies here, or a commit's lock names it."""
    path = paths.ROOT / place
    return (
        path.exists()
        if commit is None
        else place in version.outputs(commit) or version.md5_of(path, commit) is not None
    )


def inside(name: str | Path) -> str:
    """A path as it is named below the project's folder; nothing if it is outside."""
    path, root = (paths.ROOT / name).resolve(), paths.ROOT.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""


# what a commit describes


def dirt(aside: str) -> list[str]:
    """What is not committed in the project's folder, but for the records of runs and the model itself."""
    done = repository.run("git", "status", "--porcelain", "--no-renames", "-z", "--untracked-files=all", "--", ".")
    if done.returncode:
        return [f"git: {repository.said(done)}; run this in the dataset's repository"]
    prefix = repository.git("rev-parse", "--show-prefix").decode().strip()
    changed = [entry[3:].decode("utf-8", "replace").removeprefix(prefix) for entry in done.stdout.split(b"\0") if entry]
    passed = (runs.FOLDER, *filter(None, [aside]))
    left = sorted(place for place in changed if not any(paths.within(place, folder) for folder in passed))
    if not left:
        return [] if repository.commit("HEAD") else ["git: there is no commit that could name the data; commit it"]
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return [f"git: not committed: {visible(', '.join(left[:3]))}{more}; commit it, or name it in .gitignore"]


def at_commit(commit: str | None) -> str:
    """A commit as messages name its lock."""
    return f"the dvc.lock of {commit[:7]}" if commit else "any dvc.lock"


def release_of(commit: str | None) -> str | None:
    """The release that a commit is, if it is one."""
    found = repository.run("git", "tag", "--points-at", commit, "--list", f"{version.RELEASE}*") if commit else None
    return next(iter(found.stdout.decode().split()), None) if found else None
