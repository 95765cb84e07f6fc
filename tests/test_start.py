"""`dataset start` leaves a working project without the sample, and `dataset status` says what it needs next."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import code_of_the_project, dvc, git, run, sample_project


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A fresh clone of the project with the tests' sample, not built."""
    root = tmp_path_factory.mktemp("template")
    code_of_the_project(root)
    sample_project(root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "The template")
    return root


@pytest.fixture(scope="module")
def started(template):
    """The clone after `dataset start`, with what the command said."""
    said = dataset(template, "start", "--yes").stdout
    return template, said


def dataset(root, *words, code=0, **env):
    return run("dataset", *words, cwd=root, code=code, PYTHONPATH=str(root), **env)


def test_nothing_is_deleted_before_yes(template):
    before = git(template, "status", "--porcelain")
    assert "Go on?" in dataset(template, "start", code=1).stdout
    assert git(template, "status", "--porcelain") == before == ""


def test_what_git_could_not_bring_back_stops_the_start(template):
    (template / "data/sources/mine.jsonl").write_text("{}\n")
    assert "data/sources/mine.jsonl: is not committed" in dataset(template, "start", "--yes", code=2).stderr
    (template / "data/sources/mine.jsonl").unlink()


def test_what_no_commit_holds_stays(template):
    kept = [template / name for name in ("data/mine/labels.csv", "reports/notes.md", "data/sources/hand.xlsx")]
    (template / ".git/info/exclude").write_text("*.xlsx\n")
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    copy = template.parent / "copy"
    shutil.copytree(template, copy)
    dataset(copy, "start", "--yes")
    assert [path.read_text() for path in (copy / path.relative_to(template) for path in kept)] == ["mine"] * 3
    shutil.rmtree(template / "data/mine")
    for path in kept[1:]:
        path.unlink()


def files(root: Path) -> list[Path]:
    """All that is there but git's own and DVC's lock."""
    return sorted(path for path in root.rglob("*") if not {".git", "tmp"} & {*path.relative_to(root).parts})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "reports/metrics.json").write_text("{}"), "reports/metrics.json: is not committed"),
        (lambda root: shutil.rmtree(root / ".git"), "not a git repository"),
        (lambda root: (root / ".dataset-key").write_text("short"), "which can be guessed"),
    ],
)
def test_a_start_that_cannot_end_well_deletes_nothing(template, tmp_path, spoil, said):
    root = tmp_path / "spoilt"
    shutil.copytree(template, root)
    spoil(root)
    before = files(root)
    own = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    assert said in dataset(root, "start", "--yes", code=2, **own).stderr
    assert files(root) == before


def test_a_key_in_the_environment_is_the_projects(template, tmp_path):
    root = tmp_path / "keyed"
    shutil.copytree(template, root)
    own = {"DATASET_KEY": "0123456789abcdef0123"}
    dataset(root, "start", "--yes", **own)
    chosen = yaml.safe_load((root / "params.yaml").read_text())
    assert chosen["project_key"] == dataset(root, "key", **own).stdout.strip()
    assert not (root / ".dataset-key").exists()


def test_the_sample_is_gone_and_the_comments_stay(started):
    root, said = started
    assert [path.name for path in (root / "data/sources").iterdir()] == [".gitkeep"]
    assert (root / "data/eval/gold.jsonl").read_bytes() == b""
    assert [path.name for path in (root / "data/ratings").iterdir()] == [".gitkeep"]
    assert (root / "reports/calibration.json").read_bytes() == b"{}\n"
    chosen = yaml.safe_load((root / "params.yaml").read_text())
    assert chosen["sources"] == {}
    assert "generate" not in chosen
    assert "generate" not in yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    assert "# beside data/curated" in (root / "params.yaml").read_text()
    assert "dataset add NAME PATH --licence SPDX" in said


def test_the_key_is_new_and_git_does_not_see_it(started):
    root, _ = started
    chosen = yaml.safe_load((root / "params.yaml").read_text())
    assert chosen["project_key"] == dataset(root, "key").stdout.strip() != "80a8a84fd815b71e"
    assert ".dataset-key" not in git(root, "status", "--porcelain", "--ignored=no")


def test_a_second_start_is_refused(started):
    assert "has been started" in dataset(started[0], "start", "--yes", code=2).stderr


def test_without_data_the_check_says_how_to_add_some(started):
    error = dataset(started[0], "check", code=2).stderr
    assert "add one with `dataset add NAME PATH --licence SPDX`" in error


def test_data_of_ones_own_runs_at_once_and_the_status_leads_on(started):
    root, _ = started
    rows = (
        {"question": f"What is {n} times {n}?", "answer": f"It is {n * n}, since {n} is taken {n} times."}
        for n in range(40)
    )
    (root / "data/sources/sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset(root, "add", "sums", "data/sources/sums.jsonl", "--licence", "MIT")
    assert "next     build what is stale: make run" in dataset(root, "status", code=1).stdout
    assert "Running stage 'report'" in dvc(root, "repro")
    text = dataset(root, "status", code=1).stdout
    assert "40 records   MIT   data/sources/sums.jsonl" in text
    assert "stages   up to date" in text
    assert "put 200 rows or more that are never trained on into data/eval/gold.jsonl" in text
    assert "the gate fails: `dataset gate` says why" in text
    state = json.loads(dataset(root, "status", "--json", code=1).stdout)
    assert (state["sources"]["sums"]["rows"], state["stale"], state["gate"]) == (40, [], False)


def test_the_status_counts_new_files_and_shows_the_remote_as_seen_from_here(started):
    root, _ = started
    (root / "data/sources/new.jsonl").write_text("{}\n")
    state = json.loads(dataset(root, "status", "--json", code=1).stdout)
    (root / "data/sources/new.jsonl").unlink()
    assert "?? data/sources/new.jsonl" in state["changed"]
    assert state["remote"] == "local (../dataset-remote)"


def test_the_remote_is_shown_without_its_password(started):
    root, _ = started
    (root / ".dvc/config.local").write_text("['remote \"local\"']\n    url = https://ada:secret@store.example/data\n")
    assert "remote   local (store.example/data)" in dataset(root, "status", code=1).stdout
    (root / ".dvc/config.local").unlink()
