"""All versions of the dataset that git has: which bytes each commit names, told from git alone and without a checkout."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from lineage import repository, version
from stages.contract import params, paths
from stages.contract.params import Stop, stop

LOCK, PIPELINE = version.LOCK, version.PIPELINE
HEAD = b"schema: '2.0'\nstages:\n"
"""How DVC begins a lock. What it writes is laid out always alike, so a stage's outputs can be read without parsing the rest,
which takes 10 ms a lock; one that is laid out otherwise is parsed."""
STAGE = re.compile(rb"^  (\S[^\n]*):\n", re.MULTILINE)
ITEM = re.compile(rb"^ *- ", re.MULTILINE)
OUTPUT = re.compile(
    rb"^    - path: ([^'\"\s][^\n]*)\n(?:      hash: md5\n)?      md5: '?([0-9a-f]{32}(?:\.dir)?)'?\n", re.MULTILINE
)


class Commit(Struct):
    """One commit: when it was made, in seconds, its tags, and the MD5 of each output by its path."""

    id: str
    time: int
    tags: list[str]
    outputs: dict[str, str]


def commits(unread: list[str] | None = None) -> list[Commit]:
    """Every commit that a branch or tag leads to and that names a dataset, the newest first.

    One whose dvc.yaml or dvc.lock cannot be read, as of a merge with its marks left in, says nothing of the others: it is
    left out, and `unread` gets a line about it.
    """
    dated, tags = dict(times()), tags_by_commit()
    blobs = blobs_of(dated, (LOCK, PIPELINE))
    text = contents({blob for found in blobs.values() for blob in found.values()})
    stages = {
        blob: stage_names(text[blob]) for blob in {found[PIPELINE] for found in blobs.values() if PIPELINE in found}
    }
    known: dict[tuple[str, str], dict[str, str]] = {}
    result = []
    for each, found in blobs.items():
        if LOCK not in found or PIPELINE not in found:
            continue
        pair = found[LOCK], found[PIPELINE]
        try:
            if pair not in known:
                known[pair] = outputs_in(text[pair[0]], stages[pair[1]], each)
        except Stop as problem:
            if unread is not None:
                unread.append(f"{each[:7]}: {str(problem).partition(';')[0]}")
            continue
        if paths.CURATED in known[pair]:
            result.append(Commit(each, dated[each], tags.get(each, []), known[pair]))
    return result


def times() -> Iterator[tuple[str, int]]:
    """All commits with their times, the newest first."""
    head = ["HEAD"] if repository.commit("HEAD") else []
    for line in repository.git("rev-list", "--timestamp", "--date-order", "--all", *head).decode().splitlines():
        time, commit = line.split()
        yield commit, int(time)


def tags_by_commit() -> dict[str, list[str]]:
    """The tags of each commit, releases first."""
    listed = repository.git("for-each-ref", "--format=%(objectname) %(*objectname) %(refname:strip=2)", "refs/tags")
    found = defaultdict(list)
    for line in listed.decode("utf-8", "replace").splitlines():
        tagged, commit, name = line.split(" ", 2)
        found[commit or tagged].append(name)
    return {
        commit: sorted(names, key=lambda name: (not name.startswith(version.RELEASE), name))
        for commit, names in found.items()
    }


def blobs_of(commits: Iterable[str], files: Iterable[str]) -> dict[str, dict[str, str]]:
    """The ids of files of the project, by commit: one process for all."""
    pairs = [(commit, file) for commit in commits for file in files]
    asked = b"".join(f"{commit}:./{file}\n".encode() for commit, file in pairs)
    listed = repository.git("cat-file", "--batch-check=%(objecttype) %(objectname)", given=asked).splitlines()
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for (commit, file), line in zip(pairs, listed, strict=True):
        if line.startswith(b"blob "):
            found[commit][file] = line[5:].decode()
    return found


def contents(blobs: Iterable[str]) -> dict[str, bytes]:
    """The bytes of blobs by their ids: one process for all."""
    wanted = sorted({*blobs})
    given, at, found = repository.git("cat-file", "--batch", given="\n".join([*wanted, ""]).encode()), 0, {}
    for blob in wanted:
        end = given.index(b"\n", at)
        size = int(given[at:end].split()[2])
        found[blob] = given[end + 1 : end + 1 + size]
        at = end + size + 2
    return found


def stage_names(pipeline: bytes) -> set[str] | Stop:
    """The stages of a dvc.yaml, or why it cannot be read."""
    try:
        return {str(name) for name in params.mapping(pipeline, PIPELINE).get("stages") or {}}
    except Stop as problem:
        return problem


def outputs_in(lock: bytes, stages: set[str] | Stop, commit: str) -> dict[str, str]:
    """What a lock names of each output, without the entries of stages that dvc.yaml has no more: DVC keeps them."""
    if isinstance(stages, Stop):
        raise stages
    if not lock.startswith(HEAD) or b"\n<<<<<<<" in lock:
        return parsed(lock, stages, commit)
    pieces = STAGE.split(lock.partition(b"stages:\n")[2])
    found: dict[str, str] = {}
    for name, entry in zip(pieces[1::2], pieces[2::2], strict=True):
        if name.partition(b"@")[0].decode("utf-8", "replace") in stages:
            listed = entry.partition(b"\n    outs:\n")[2]
            outs = OUTPUT.findall(listed)
            if len(outs) != len(ITEM.findall(listed)):
                return parsed(lock, stages, commit)
            found |= {path.decode("utf-8", "replace"): md5.decode("ascii", "replace") for path, md5 in outs}
    return found


def parsed(lock: bytes, stages: set[str], commit: str) -> dict[str, str]:
    """The same of a lock that was laid out by another hand."""
    entries: Any = params.mapping(lock, f"{commit[:7]}:{LOCK}").get("stages") or {}
    if not isinstance(entries, dict):
        raise stop(f"{commit[:7]}:{LOCK}: is not what DVC writes; look at it with git")
    living = (entry for name, entry in entries.items() if str(name).partition("@")[0] in stages)
    return {str(out["path"]): str(out["md5"]) for entry in living for out in entry.get("outs") or [] if "md5" in out}


def date_of(time: int) -> str:
    """A commit's time as a day, in UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"


def is_shallow() -> bool:
    """Whether older commits are missing here."""
    return repository.git("rev-parse", "--is-shallow-repository").strip() == b"true"
