"""Calling git and DVC: always with argument lists, never through a shell, always in the project's folder."""

import os
import subprocess
import sys
from pathlib import Path

from stages.contract import paths
from stages.contract.params import stop

STDERR = 2  # the file descriptor: what a program shows while it runs is no result


def run(*words: str, given: bytes | None = None, shown: bool = False) -> subprocess.CompletedProcess[bytes]:
    """Run a program; its output is caught, or goes on to stderr as it comes when `shown`."""
    # the stages call `python`: let it be this one; and a root that was relative to here is another one there
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return subprocess.run(
        words,
        cwd=paths.ROOT,
        env={key: value for key, value in os.environ.items() if key != "DATASET_ROOT"} | {"PATH": beside},
        input=given,
        stdout=STDERR if shown else subprocess.PIPE,
        stderr=None if shown else subprocess.PIPE,
        check=False,
    )


def git(*words: str, given: bytes | None = None) -> bytes:
    """What git prints; a failure stops with git's own words."""
    done = run("git", *words, given=given)
    if done.returncode:
        raise stop(f"git {words[0]}: {said(done)}; mend that and try again")
    return done.stdout


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a program that failed said, on one line."""
    return " ".join((done.stderr or done.stdout or b"failed").decode("utf-8", "replace").split())


def dvc(*words: str, shown: bool = False) -> subprocess.CompletedProcess[bytes]:
    """Run DVC with this Python."""
    return run(sys.executable, "-m", "dvc", *words, shown=shown)


def names(*words: str) -> list[str]:
    """The paths that a git command lists with `-z`."""
    return [os.fsdecode(name) for name in git(*words).split(b"\0") if name]


def commit(revision: str) -> str:
    """The full id of the commit a revision names, or nothing if there is none."""
    done = run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    return done.stdout.decode().strip()


def content(revision: str, path: str) -> bytes | None:
    """A file as a commit has it, or None if it has none."""
    done = run("git", "cat-file", "blob", f"{revision}:{path}")
    return None if done.returncode else done.stdout


def private(name: str) -> Path:
    """The path of one of git's own files."""
    return paths.ROOT / os.fsdecode(git("rev-parse", "--git-path", name).strip())
