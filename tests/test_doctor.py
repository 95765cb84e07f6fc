"""What is wrong around the data is found, one thing at a time, and each finding says what mends it."""

import json
import shutil
from pathlib import Path

import pytest

from lineage import doctor, project
from stages.contract import params, paths
from tests.conftest import GIT, choose, dvc, git, run


@pytest.fixture
def at(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the repository and its remote, as the project that this process is in."""
    for name in ("first", "dataset-remote"):
        shutil.copytree(shared.parent / name, tmp_path / name)
    monkeypatch.setattr(paths, "ROOT", tmp_path / "first")
    for variable, value in GIT.items():
        monkeypatch.setenv(variable, value)
    params.whole.cache_clear()
    yield tmp_path / "first"
    params.whole.cache_clear()


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))


def add(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    git(root, "add", "--force", name)


def lose(root: Path, store: str, path: str) -> None:
    output = next(out for out in project.outputs() if out.path == path)
    where = root / store / "files/md5" / output.digest[:2] / output.digest[2:]
    where.chmod(0o644)
    where.unlink()


def told(check: str) -> list[str]:
    return [f"{each.what} | {each.do}" for each in doctor.guarded(getattr(doctor, check))]


def test_a_project_in_order_has_no_findings(at):
    assert {name: found for name, found in doctor.examine().items() if found} == {}
    done = run("dataset", "doctor", "--json", cwd=at, **GIT)
    assert set(json.loads(done.stdout)) == {check.__name__.replace("_", " ") for check in doctor.CHECKS}


CASES = {
    "another version of a library": (
        "libraries",
        lambda root: edit(root, "requirements.lock", "\ndvc==3.", "\ndvc==4."),
        "dvc 3.67.1 (the lock has 4.67.1) | make run",
    ),
    "a lock behind pyproject": (
        "lock_file",
        lambda root: edit(root, "pyproject.toml", '"click>=8.1', '"click>=8.999'),
        "click<9,>=8.999 | make lock",
    ),
    "a misspelt setting": (
        "settings",
        lambda root: choose(root, {"judge.treshold": 3.5}),
        "did you mean threshold?",
    ),
    "a stage that would run": (
        "pipeline",
        lambda root: choose(root, {"judge.threshold": 3.6}),
        "resolve | dvc repro",
    ),
    "a stage that is gone": (
        "pipeline",
        lambda root: edit(root, "dvc.lock", "stages:\n", "stages:\n  gone:\n    cmd: gone\n"),
        "gone | rm dvc.lock && dvc repro",
    ),
    "a lost object": (
        "cache",
        lambda root: lose(root, ".dvc/cache", "data/splits.jsonl"),
        "data/splits.jsonl | dvc fetch",
    ),
    "a lost listing": ("cache", lambda root: lose(root, ".dvc/cache", "data/curated"), "data/curated | dvc fetch"),
    "an object that is not pushed": (
        "remote",
        lambda root: lose(root, "../dataset-remote", "data/splits.jsonl"),
        "data/splits.jsonl | dvc push",
    ),
    "a remote that is believed": (
        "remote",
        lambda root: edit(root, ".dvc/config", "verify = true", "verify = false"),
        "dvc remote modify local verify true",
    ),
    "no remote": ("remote", lambda root: dvc(root, "remote", "remove", "local"), "dvc remote add -d NAME URL"),
    "a password": (
        "secrets",
        lambda root: dvc(root, "remote", "modify", "local", "--quiet", "url", "ssh://ada:hunter2@example.org/x"),
        ".dvc/config:8: looks like a secret",
    ),
    "a key of a remote": (
        "secrets",
        lambda root: edit(root, ".dvc/config", "[plots]", "    secret_access_key = 123\n[plots]"),
        "secret_access_key of local is in git | dvc remote modify --unset local secret_access_key",
    ),
    "a token in a script": (
        "secrets",
        lambda root: add(root, "ci/push.sh", "export X=ghp_" + "a1B2" * 9 + "\n"),
        "ci/push.sh:1: looks like a secret",
    ),
    "the project key": (
        "secrets",
        lambda root: add(root, ".dataset-key", "0123456789abcdef"),
        ".dataset-key: is in git",
    ),
    "another key than the params name": (
        "project_key",
        lambda root: (root / ".dataset-key").write_text("0123456789abcdef"),
        "put the team's key into DATASET_KEY",
    ),
    "a source without a licence": (
        "licences",
        lambda root: edit(root, "params.yaml", "licence: CC0-1.0", "licence: none"),
        "sources.seeds: none is no licence",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_thing_that_is_wrong_is_one_finding(at, case):
    check, spoil, says = CASES[case]
    spoil(at)
    params.whole.cache_clear()
    [found] = told(check)
    assert all(part in found for part in says.split(", | ")), found


def test_rows_of_ones_own_under_the_public_key_are_found(at):
    with (at / "data/sources/faq.csv").open("a") as file:
        file.write("Who?,Nobody at all.\n")
    edit(
        at,
        "dvc.lock",
        "path: data/sources/faq.csv\n      hash: md5\n      md5: ",
        "path: data/sources/faq.csv\n      hash: md5\n      md5: 0",
    )
    assert "public key protects faq" in told("project_key")[0]


def test_a_release_whose_bytes_are_in_one_place_or_in_none_is_found(at):
    git(at, "tag", "-a", "-m", "one", "dataset@v1.0.0")
    assert told("releases") == []
    lose(at, "../dataset-remote", "data/splits.jsonl")
    assert "dataset@v1.0.0: 1 objects are only in this cache" in told("releases")[0]
    lose(at, ".dvc/cache", "data/splits.jsonl")
    assert "neither in the cache nor in the remote" in told("releases")[0]


@pytest.mark.parametrize(
    ("command", "findings"),
    [
        ("dvc gc -w --force", 1),
        ("dvc gc --workspace", 1),
        ("dvc gc --all-tags", 0),
        ("dvc gc -aT -f", 0),
        ("dvc gc -A", 0),
    ],
)
def test_a_gc_in_a_script_that_would_delete_releases_is_found(at, command, findings):
    git(at, "tag", "-a", "-m", "one", "dataset@v1.0.0")
    add(at, "ci/clean.sh", f"#!/bin/sh\n{command}\n")
    assert [each.partition(":2:")[0] for each in told("releases")] == ["ci/clean.sh"] * findings


def test_a_shallow_clone_is_found(at, monkeypatch):
    git(at, "commit", "--allow-empty", "-qm", "second")
    git(at.parent, "clone", "-q", "--depth", "1", f"file://{at}", "shallow")
    monkeypatch.setattr(paths, "ROOT", at.parent / "shallow")
    assert "git fetch --unshallow --tags" in told("history")[0]


def test_a_remote_that_does_not_answer_is_a_finding_and_not_a_traceback(at):
    dvc(at, "remote", "modify", "local", "url", "ssh://127.0.0.1:9/nowhere")
    done = run("dataset", "doctor", cwd=at, code=1, **GIT)
    assert "Traceback" not in done.stderr
