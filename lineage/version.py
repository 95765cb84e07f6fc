"""One version of the dataset: the working tree, or a git commit with the bytes that its dvc.lock names.

Revisions are resolved here and nowhere else. What the lock names is read from the cache, object by object; DVC itself, which
takes half a second to load, is asked only for what is not there.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from msgspec import Struct

from lineage import digests, repository
from stages.contract import params, paths
from stages.contract.params import stop
from stages.text.visible import visible

T = TypeVar("T")

LOCK, PIPELINE = "dvc.lock", "dvc.yaml"
RELEASE = "dataset@v"
FULL = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
KEPT = 4  # versions whose lock and folders are kept in memory
called: dict[str, str] = {}
"""How the user called a commit: messages name it so."""


class Stored(Struct, frozen=True):
    """What a dvc.lock says of a path: its MD5 (that of a folder ends in `.dir`), bytes and, of a folder, files."""

    md5: str
    size: int = 0
    nfiles: int | None = None


# which version


def commit_of(revision: str) -> str:
    """The full id of the commit that a revision names, or a stop; `v1.2.0` and `1.2.0` also name `dataset@v1.2.0`."""
    if found := repository.commit(revision):
        if len(several := refs(revision)) > 1:
            raise stop(f"{named(revision)}: names {' and '.join(several)}; write which of them is meant in full")
        called[found] = revision
        return found
    release = RELEASE + revision.removeprefix("v")
    if re.fullmatch(r"v?\d[\w.+-]*", revision) and (found := repository.commit(f"refs/tags/{release}")):
        called[found] = revision
        return found
    raise stop(f"{named(revision) or 'a revision'}: is no commit, tag or branch here; {advice(revision)}")


def refs(revision: str) -> list[str]:
    """The branches and tags of exactly this name."""
    given = [f"refs/{kind}/{revision}" for kind in ("tags", "heads")]
    return repository.git("for-each-ref", "--format=%(refname)", *given).decode().split() if revision else []


def advice(revision: str) -> str:
    """What to do about a revision that git does not know."""
    done = repository.run("git", "rev-parse", "--is-shallow-repository")
    if done.returncode:
        return f"git says: {repository.said(done)}"
    if done.stdout.strip() == b"true":
        return "this clone is shallow, so `git fetch --unshallow --tags` may bring it"
    if ".." in revision:
        return "give the two versions one after the other, without dots"
    if FULL.fullmatch(revision):
        return "it was never fetched (`git fetch --all --tags`), or the history was rewritten since"
    if len(commits_beginning(revision)) > 1:
        return "several begin so: give more of its letters"
    return "`git log --oneline` and `git tag` list them, `git fetch --all --tags` brings what others have"


def commits_beginning(start: str) -> list[str]:
    """The commits whose ids begin so."""
    if not re.fullmatch("[0-9a-f]{4,}", start):
        return []
    found = repository.run("git", "rev-parse", f"--disambiguate={start}").stdout.decode().split()
    return [each for each in found if repository.commit(each) == each]


def named(revision: str | None) -> str:
    """A version as messages name it."""
    if revision is None:
        return "the working tree"
    revision = called.get(revision, revision)
    return revision[:7] if FULL.fullmatch(revision) else visible(revision).replace("\n", "\\n")


def full(revision: str) -> str:
    """The id of a commit, looked up unless it is one already."""
    return revision if FULL.fullmatch(revision) else commit_of(revision)


# what its dvc.lock says


def lock(revision: str | None = None) -> dict[str, dict[str, Any]]:
    """What the lock says of each stage instance, by its name: `deps`, `params`, `outs`.

    Entries of stages that the version's dvc.yaml has no more are left out: DVC keeps them for ever.
    """
    return locked(paths.ROOT, None if revision is None else full(revision), mark(revision))


def mark(revision: str | None) -> tuple[int, ...]:
    """What tells the lock of the working tree from its former self."""
    files = [paths.ROOT / name for name in (LOCK, PIPELINE, params.FILE)] if revision is None else []
    return tuple(file.stat().st_mtime_ns for file in files if file.is_file())


@lru_cache(KEPT)
def locked(root: Path, revision: str | None, changed: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    """The same, kept."""
    pipeline, content = (in_git(name, revision) for name in (PIPELINE, LOCK))
    if pipeline is None or content is None:
        missing = PIPELINE if pipeline is None else LOCK
        do = "run `make run`" if revision is None else f"`git log --oneline -- {missing}` lists the versions that do"
        raise stop(f"{named(revision)}: has no {missing}, so it names no data; {do}")
    entries = yaml_of(LOCK, revision, content).get("stages") or {}
    living = instances(yaml_of(PIPELINE, revision, pipeline).get("stages") or {}, settings(revision))
    return {name: entry for name, entry in entries.items() if name in living or name.partition("@")[0] + "@" in living}


def instances(stanzas: dict[str, Any], given: dict[str, Any]) -> set[str]:
    """The names of the stages in a dvc.yaml; one that ends in @ stands for all instances of a stage."""
    return {name for stage, stanza in stanzas.items() for name in instances_of(str(stage), stanza or {}, given)}


def instances_of(stage: str, stanza: dict[str, Any], given: dict[str, Any]) -> Iterator[str]:
    """The names of one stage: a `foreach` over params has one for each of its keys."""
    if "foreach" not in stanza and "matrix" not in stanza:
        yield stage
        return
    over: Any = stanza.get("foreach")
    if isinstance(over, str) and (path := re.fullmatch(r"\$\{([\w.]+)\}", over)):
        over = given
        for key in path[1].split("."):
            over = over.get(key) if isinstance(over, dict) else None
    if isinstance(over, dict | list) and not any(isinstance(each, dict | list) for each in over):
        yield from (f"{stage}@{key}" for key in over)
    else:
        yield f"{stage}@"


def outputs(revision: str | None = None) -> dict[str, Stored]:
    """Every output by its path, as the lock names its bytes."""
    return stored_in(paths.ROOT, None if revision is None else full(revision), mark(revision))


@lru_cache(KEPT)
def stored_in(root: Path, revision: str | None, changed: tuple[int, ...]) -> dict[str, Stored]:
    """The same, kept."""
    return {out["path"]: stored(out) for entry in lock(revision).values() for out in entry.get("outs") or []}


def stored(entry: dict[str, Any]) -> Stored:
    """A dependency or an output of a lock entry."""
    return Stored(str(entry.get("md5") or ""), int(entry.get("size") or 0), entry.get("nfiles"))


def settings(revision: str | None = None) -> dict[str, Any]:
    """All of a version's params.yaml; empty if it has none."""
    return set_in(paths.ROOT, None if revision is None else full(revision), mark(revision))


@lru_cache(KEPT)
def set_in(root: Path, revision: str | None, changed: tuple[int, ...]) -> dict[str, Any]:
    """The same, kept."""
    content = in_git(params.FILE, revision)
    return yaml_of(params.FILE, revision, content) if content else {}


def in_force(revision: str | None = None) -> dict[str, Any]:
    """Every setting of a version, those of its profile too; of a version without profiles, its params.yaml."""
    content = in_git(paths.SETTINGS, revision)
    if not content or revision is None:
        return params.settled(settings(revision)) if content else settings(revision)
    found = yaml_of(paths.SETTINGS, revision, content)
    return {
        key: value for key, value in found.items() if key != "overridden" and value != {}
    }  # sections that say nothing


def recorded(entry: dict[str, Any]) -> dict[str, Any]:
    """The settings that an entry of the lock has recorded."""
    found = entry.get("params") or {}
    return {**found.get(params.FILE, {}), **found.get(paths.SETTINGS, {})}


def yaml_of(name: str, revision: str | None, content: bytes) -> dict[str, Any]:
    """A YAML file of a version."""
    return params.mapping(content, name if revision is None else f"{named(revision)}:{name}")


def in_git(path: str, revision: str | None) -> bytes | None:
    """A file as git has it, or as it lies in the working tree; None if it is not there."""
    if revision is not None:
        return repository.content(full(revision), f"./{path}")
    return (paths.ROOT / path).read_bytes() if (paths.ROOT / path).is_file() else None


# its bytes


def object_of(md5: str) -> Path:
    """Where the cache keeps the bytes with this MD5, whether they are there or not."""
    return cache_folder() / "files/md5" / md5[:2] / md5[2:]


def cache_folder() -> Path:
    """DVC's cache, as the project's own configuration names it."""
    return configured(paths.ROOT.resolve() / ".dvc")


@lru_cache(KEPT)
def configured(home: Path) -> Path:
    """The cache that the configuration in a folder names."""
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read([home / "config", home / "config.local"])
    except (ConfigError, UnicodeDecodeError):
        return home / "cache"
    return home / config.get("cache", "dir", fallback="cache")


def within(stored: Stored) -> dict[str, str] | None:
    """The MD5 of each file of a folder, by its path in it; None if it has no list here that can be read."""
    return listing(object_of(stored.md5)) if stored.md5.endswith(".dir") else None


@lru_cache(256)
def listing(place: Path) -> dict[str, str] | None:
    """The same, from the object that holds the list."""
    return digests.files_of_listing(place.read_bytes()) if place.is_file() else None


def md5_of(path: Path, revision: str | None) -> str | None:
    """The MD5 of a file as the version's lock names it; None if the lock does not name it."""
    inside, known = PurePosixPath(place(path)), outputs(revision)
    for folder in (inside, *inside.parents):
        if out := known.get(folder.as_posix()):
            return out.md5 if folder == inside else (within(out) or {}).get(inside.relative_to(folder).as_posix())
    return None


def tree(revision: str) -> Any:
    """DVC's view of the repository at a commit; what is missing in the cache is read from the default remote."""
    return tree_of(paths.ROOT.resolve(), full(revision))


@lru_cache(KEPT)
def tree_of(root: Path, revision: str) -> Any:
    """The same, kept."""
    from dvc.api import DVCFileSystem  # takes 0.4 s

    return DVCFileSystem(str(root), rev=revision)


def files(folder: Path, revision: str | None = None) -> list[str]:
    """The names of the files in a folder, in order; none if there is no such folder."""
    if revision is None:
        return sorted(entry.name for entry in folder.glob("[!.]*") if entry.is_file())
    inside = place(folder)
    if (out := outputs(revision).get(inside)) and (found := within(out)) is not None:
        return sorted(name for name in found if "/" not in name)
    listed = from_dvc(inside, revision, lambda tree: tree.ls(inside, detail=True) if tree.isdir(inside) else [])
    return sorted(Path(entry["name"]).name for entry in listed if entry["type"] == "file")


def content(path: Path, revision: str | None = None) -> bytes:
    """The bytes of a file; a stop if it is not there, or not here."""
    found = place(path)
    try:
        if revision is None:
            return path.read_bytes()
        if (md5 := md5_of(path, revision)) and (kept := object_of(md5)).is_file():
            return kept.read_bytes()
        if (tracked := in_git(found, revision)) is not None:
            return tracked
        return from_dvc(found, revision, lambda tree: bytes(tree.read_bytes(found)))
    except FileNotFoundError:
        raise stop(f"{found}: is not there; run `make run`, or `dvc pull`") from None


def from_dvc(path: str, revision: str, ask: Callable[[Any], T]) -> T:
    """What DVC knows of what is neither in git nor in the cache; a stop if it is not in the remote either."""
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    try:
        return ask(tree(revision))
    except (DvcException, DataIndexDirError, OSError, KeyError) as error:
        lost = isinstance(error, FileNotFoundError | DataIndexDirError | KeyError)
        reason = "" if lost else f" ({' '.join(str(error).split())})"
        raise stop(
            f"{path}: is not in {named(revision)}, or neither in the cache nor in the remote{reason}; "
            "`dvc fetch --all-commits` gets what was pushed"
        ) from None


def lines(found: Iterable[Path], revision: str | None = None) -> Iterator[bytes]:
    """The lines of several files."""
    for path in found:
        yield from content(path, revision).splitlines()


def place(path: Path) -> str:
    """A path as git and DVC name it."""
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else path.as_posix()
