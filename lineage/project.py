"""The project as DVC reads it, here or at a commit: what stages and `.dvc` files write and read, and the MD5 of each."""

from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from stages.contract import paths
from stages.contract.params import stop


class Output(Struct, frozen=True):
    """A file or folder that dvc.lock or a `.dvc` file names: an output, or an `input` that no stage writes."""

    path: str
    digest: str
    """MD5 of its bytes; of a folder, of its listing, and then it ends in `.dir`. Nothing if it was never run."""
    size: int | None = None
    stage: str = ""
    cached: bool = True


def outputs(commit: str | None = None) -> list[Output]:
    """What a version's stages and `.dvc` files write; entries of dvc.lock that no stage owns any more are left out."""
    return sorted((named(out) for out in index(commit).outs), key=lambda out: out.path)


def inputs(commit: str | None = None) -> list[Output]:
    """What a version's stages read and neither a stage nor a `.dvc` file writes: sources in git, and code."""
    written = [out.path for out in outputs(commit)]
    found = {dep.path: dep for dep in deps(commit)}
    return [found[path] for path in sorted(found) if not any(overlap(path, other) for other in written)]


def deps(commit: str | None) -> list[Output]:
    """All files and folders that stages read, each once for every stage."""
    found = [named(dep) for dep in index(commit).deps if not hasattr(dep, "params")]
    return sorted((dep for dep in found if dep.path), key=lambda dep: (dep.path, dep.stage))


def named(out: Any) -> Output:
    """DVC's output or dependency as one of ours; what DVC 2 hashed in its own way counts as never hashed."""
    digest = out.hash_info.value if out.hash_info and out.hash_info.name == "md5" else ""
    path = Path(out.fs_path).relative_to(out.repo.root_dir).as_posix() if out.is_in_repo else ""
    return Output(path, digest or "", out.meta.size, getattr(out.stage, "name", None) or "", out.use_cache)


def overlap(path: str, other: str) -> bool:
    """Whether one path is the other or lies in it."""
    return paths.within(path, other) or paths.within(other, path)


# DVC's own view


def index(commit: str | None) -> Any:
    """DVC's reading of dvc.yaml, params.yaml and dvc.lock."""
    from dvc.exceptions import DvcException

    try:
        return repo(commit).index
    except DvcException as error:
        raise stop(f"{commit or 'dvc.yaml'}: {one_line(error)}; `dataset check` says more") from None


def repo(commit: str | None = None) -> Any:
    """DVC's repository, as it lies here or as a commit has it."""
    from dvc.exceptions import DvcException, NotDvcRepoError

    try:
        return opened(paths.ROOT.resolve(), commit, () if commit else written_at())
    except NotDvcRepoError:
        raise stop(f"{commit or 'dvc'}: has no DVC project; name a commit after the pipeline was set up") from None
    except DvcException as error:
        raise stop(f"dvc: {one_line(error)}; mend that first") from None


@cache
def opened(root: Path, commit: str | None, _: tuple[int, ...]) -> Any:
    """The same, kept; that of the working tree is opened again when a file that it has read is written."""
    from dvc.repo import Repo  # takes 0.3 s

    if commit is None:
        return Repo(str(root))
    # credentials in config.local are those of remotes that an old commit may not name: today's remotes are meant anyway
    remotes = opened(root, None, written_at()).config["remote"]
    return Repo(str(root), rev=commit, config={"remote": dict(remotes)})


def written_at() -> tuple[int, ...]:
    """When the files were written that DVC reads once, in nanoseconds; 0 for what is not there."""
    files = ("dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config", ".dvc/config.local")
    found = [paths.ROOT / name for name in files]
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in found)


def one_line(error: BaseException) -> str:
    """An error's own words, on one line."""
    unanswered = "it asks for a password" if isinstance(error, EOFError) else type(error).__name__
    return " ".join(str(error).split()) or unanswered
