"""Merging one file in the way of its kind: params by key, rows by row, folders by file, and nothing by force."""

from shlex import quote

import yaml
from msgspec import Struct

from lineage.merging import folders, keys, rows
from lineage.merging.outcome import Conflict, listed
from lineage.repository import content, git
from stages.contract import gold, params, paths

BY_ROW = ("data/sources/", f"{paths.RATINGS}/", paths.VERDICTS, paths.FACTS, paths.FAILURES, paths.PINS)
"""Folders of JSON Lines and files of which both sides' rows are taken."""


class Sides(Struct):
    """A file as the common version, ours and theirs have it; None where it is not there."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


def base_commit() -> str:
    """The common version of both sides."""
    return git("merge-base", "HEAD", "MERGE_HEAD").decode().split()[0]


def sides(path: str) -> Sides:
    """A file in the three versions."""
    return Sides(*(content(revision, path) for revision in (base_commit(), "HEAD", "MERGE_HEAD")))


def by_kind(path: str, version: Sides, branch: str) -> tuple[bytes, str, list[Conflict]]:
    """The merged content, how it was merged, and what is left for people."""
    if path == params.FILE:
        return by_key(version, branch)
    assert version.ours is not None
    assert version.theirs is not None
    if path.endswith(".dvc"):
        folder, problem = folders.merged(path, (version.base, version.ours, version.theirs))
        if folder is not None:
            return folder, "the files of both sides", []
        return version.ours, "", [Conflict(path, f"DVC cannot join the two: {problem}; {choose(path, 'dvc checkout')}")]
    if path.startswith(BY_ROW) and path.endswith((".jsonl", ".txt")):
        if found := rows.union(version.base or b"", version.ours, version.theirs):
            return found[0], f"{found[1]} rows of ours, then {found[2]} of {branch}", []
        return version.ours, "", [Conflict(path, f"a side changed rows or took some out; {choose(path)}")]
    if path.startswith(f"{paths.EVAL}/"):
        return (
            version.ours,
            "",
            [Conflict(path, f"both changed the frozen evaluation set; {choose(path)}, and `dataset freeze`")],
        )
    if path == paths.CALIBRATION:
        return version.ours, "", [Conflict(path, f"both calibrated the judge; {choose(path, 'dataset calibrate')}")]
    if path.startswith("data/"):
        return version.ours, "", [Conflict(path, f"both changed it; {choose(path)}")]
    return version.ours, "", [Conflict(path, "both changed the same lines; take out git's markers and `git add` it")]


def choose(path: str, then: str = "") -> str:
    """What people do about a file that has our version in its place now."""
    return (
        f"ours is in its place: edit it, or `git checkout --theirs -- {quote(path)}`"
        + (f" and `{then}`" if then else "")
        + f", then `git add {quote(path)}`"
    )


def by_key(version: Sides, branch: str) -> tuple[bytes, str, list[Conflict]]:
    """params.yaml by key."""
    assert version.ours is not None
    assert version.theirs is not None
    try:
        text, clashes, taken = keys.merge(
            (version.base or b"").decode(), version.ours.decode(), version.theirs.decode()
        )
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        return version.ours, "", [Conflict(params.FILE, f"cannot be merged by key: {reason}; {choose(params.FILE)}")]
    conflicts = [Conflict(params.FILE, remedy(clash.key), clash.key, clash.ours, clash.theirs) for clash in clashes]
    return text.encode(), "by key" + (f", from {branch}: {listed(taken)}" if taken else ""), conflicts


def remedy(key: str) -> str:
    """What to do about a key that both sides changed."""
    if key.startswith("eval."):
        path = gold.place(key.split(".")[1])
        return f"choose one side's {path}, run `dataset freeze`, then `git add {params.FILE} {path}`"
    return f"ours stands in the file: edit it if you want another value, then `git add {params.FILE}`"
