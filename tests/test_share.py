"""Sharing with DVC and git for real: a run, a second run, a push, a clone, and a colleague without the sources."""

import json
import re
import shutil

import pytest
import yaml

from stages.contract import paths
from stages.contract.params import read_yaml
from tests.conftest import GIT, choose, clone, dvc, git, run, settings_of


def test_a_second_run_runs_nothing_and_leaves_git_clean(shared):
    assert "Running stage" not in (again := dvc(shared, "repro"))
    assert "Data and pipelines are up to date." in again
    assert git(shared, "status", "--porcelain") == ""


def test_a_moved_limit_runs_the_filter_also_where_a_run_is_remembered(shared):
    root = clone(shared, "limit")
    dvc(root, "pull", "--run-cache")
    for limit in (110, 60):
        choose(root, {"filter.length.max_reply_tokens": limit})
        assert "Running stage 'filter@support'" in dvc(root, "repro", "filter@support")


def test_another_profile_runs_the_stages_whose_values_change_and_no_others(shared):
    root = clone(shared, "profile")
    dvc(root, "pull")
    choose(
        root, {"profile": "starter-100", "judge.threshold": 3.5, "filter.length": settings_of(root)["filter"]["length"]}
    )
    assert list(json.loads(run("dvc", "status", "--json", cwd=root, PYTHONPATH="", **GIT).stdout)) == ["resolve"]
    assert ran(dvc(root, "repro")) == {"resolve", "split", "export", "report"}
    moved = re.findall(r"^reports/params.json +(\S+)", dvc(root, "params", "diff"), re.MULTILINE)
    assert moved == ["split.test", "split.validation"]
    (root / "params.yaml").write_text(f"# said\n{(root / 'params.yaml').read_text()}")
    assert ran(dvc(root, "repro")) == set()
    table = root / "stages/profiles.yaml"
    table.write_text(table.read_text().replace("starter-100: 0.2\n", "starter-100: 0.2 # A\n"))
    assert ran(dvc(root, "repro")) == {"resolve"}


def ran(said: str) -> set[str]:
    """The stages that DVC says it ran, or took from an earlier run."""
    return set(re.findall(r"(?:Running stage|^Stage) '([\w@]+)'(?:: *$| is cached)", said, re.MULTILINE))


def test_a_waiver_with_a_date_gets_through_dvc(shared):
    root = clone(shared, "waived")
    waiver = {"rule": "few poor scores", "reason": "a pilot", "who": "Ada", "until": "2999-12-31"}
    choose(root, {"gate.waivers": [waiver]})
    dvc(root, "pull")
    assert "Running stage 'report'" in dvc(root, "repro")
    assert "Data and pipelines are up to date." in dvc(root, "status")


def test_git_holds_no_text_of_a_record(shared):
    tracked = git(shared, "ls-files").split()
    own = ("data/sources", "data/eval", "data/packs", "data/rubrics")
    yours = (*own, paths.RATINGS, paths.FAILURES, paths.FACTS, paths.PINS)  # the last two hold ids and hashes
    built = [name for name in tracked if name.startswith(("data/", "reports/")) and not name.startswith(yours)]
    assert sorted(built) == [
        "reports/DATASET_CARD.md",
        "reports/calibration.json",
        "reports/gate.json",
        "reports/metrics.json",
        "reports/params.json",
    ]


def test_a_clone_pulls_and_has_nothing_to_run(shared):
    root = clone(shared, "second")
    dvc(root, "pull")
    assert "Running stage" not in dvc(root, "repro")
    assert git(root, "status", "--porcelain") == ""
    for name in ("train", "validation", "test", "index", "dropped"):
        path = f"data/curated/{name}.jsonl"
        assert (root / path).read_bytes() == (shared / path).read_bytes()


def test_a_colleague_without_the_sources_moves_a_threshold_and_shares_the_result(shared):
    root = clone(shared, "third")
    dvc(root, "pull")
    shutil.rmtree(root / "data/sources")
    choose(root, {"filter.length.max_reply_tokens": 110})
    ran = dvc(root, "repro", "--allow-missing")
    assert "Running stage 'filter@support'" in ran
    assert "Running stage 'collect" not in ran
    assert "Running stage 'measure" not in ran
    git(root, "checkout", "-q", "-b", "shorter")
    git(root, "add", "dvc.lock", "params.yaml", "reports")
    git(root, "commit", "-qm", "Shorter replies")
    dvc(root, "push")
    git(root, "push", "-q", "origin", "shorter")
    other = clone(shared, "fourth")
    git(other, "checkout", "-q", "shorter")
    dvc(other, "pull")
    assert "Running stage" not in dvc(other, "repro")
    assert (other / "data/curated/train.jsonl").read_bytes() == (root / "data/curated/train.jsonl").read_bytes()
    assert len((other / "data/curated/train.jsonl").read_bytes()) < len(
        (shared / "data/curated/train.jsonl").read_bytes()
    )


def test_an_experiment_sets_a_param(shared):
    if "generate:" not in (shared / "dvc.yaml").read_text():
        pytest.skip("this project has no stage generate")
    root = clone(shared, "fifth")
    dvc(root, "pull")
    dvc(root, "exp", "run", "-S", "generate.count=50")
    assert len((root / "data/sources/generated/examples.jsonl").read_bytes().splitlines()) == 50


def test_removing_a_source_leaves_the_pipeline_up_to_date(shared):
    root = clone(shared, "sixth")
    dvc(root, "pull")
    chosen = read_yaml(root / "params.yaml")
    del chosen["sources"]["faq"]
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
    dvc(root, "repro")
    assert not (root / "data/records/faq").exists()
    assert "up to date" in dvc(root, "status")


def test_a_tampered_remote_is_refused(shared):
    root = clone(shared, "seventh")
    remote = shared.parent / "dataset-remote"
    copy = shared.parent / "tampered"
    shutil.copytree(remote, copy)
    objects = (path for path in copy.rglob("*") if path.is_file() and path.suffix != ".dir")
    target = max(objects, key=lambda path: path.stat().st_size)
    target.chmod(0o644)
    target.write_bytes(target.read_bytes().replace(b"a", b"b", 1))
    dvc(root, "remote", "modify", "--local", "local", "url", str(copy))
    run("dvc", "pull", cwd=root, code=1, PYTHONPATH="", **GIT)


def test_the_plots_page_asks_nothing_of_the_network(shared):
    root = clone(shared, "eighth")
    dvc(root, "pull")
    run("python", "-m", "lineage.plots", cwd=root, PYTHONPATH="")
    dvc(root, "plots", "show")
    page = (root / "dvc_plots/index.html").read_text()
    assert "vegaEmbed" in page
    assert "<script src" not in page
    assert "<link" not in page


def test_a_record_is_shown_as_it_was_in_another_version(shared):
    root = clone(shared, "older")
    dvc(root, "pull")
    choose(root, {"balance.max_per_source": 5})
    dvc(root, "repro", "report")
    shown = ("dataset", "show", "--json")
    gone = json.loads(run(*shown, "--stage", "balance", "--source", "faq", "--limit", "1", cwd=root).stdout)
    before = json.loads(run(*shown, "--id", gone["id"], "--rev", "HEAD", cwd=root, **GIT).stdout)
    assert (gone["drop"]["reason"], "drop" in before) == ("source_over_cap", False)
    assert before["split"] in ("train", "validation", "test")
    assert before["record"] == gone["record"]
    count = [
        len(run(*shown, "--source", "faq", *rev, cwd=root, **GIT).stdout.splitlines())
        for rev in ((), ("--rev", "HEAD"))
    ]
    assert count[0] == 5 < 60 < count[1]


def test_a_model_is_audited_and_an_example_found_where_only_the_remote_has_the_bytes(shared):
    root = clone(shared, "audited")
    dvc(root, "pull", "data/curated")
    run("dataset", "link", "tiny", "--run", "one", "--data", "train", cwd=root, **GIT)
    for folder in (".dvc/cache", "data/curated"):
        shutil.rmtree(root / folder)
    found = json.loads(run("dataset", "audit", "tiny", "--json", cwd=root, **GIT).stdout)
    assert {line["verdict"] for line in found["lines"] if line["kind"] != "model"} == {"verified"}
    reasons = {line["name"]: line["reason"] for line in found["lines"]}
    assert (reasons["data/curated"], reasons["support"]) == ("in the remote local", "in git")
    assert not (root / "data/curated").exists()
    row = json.loads((shared / "data/curated/index.jsonl").read_text().splitlines()[0])
    asked = ("dataset", "audit", "--example", row["id"])
    assert "unread" in run(*asked, cwd=root, code=1, **GIT).stdout
    assert f"1 in {row['split']} of {row['source']}" in run(*asked, "--fetch", cwd=root, **GIT).stdout
    commits = {*git(root, "for-each-ref", "--format=%(objectname)", "refs/remotes").split()}
    locks = [yaml.safe_load(git(root, "show", f"{commit}:dvc.lock"))["stages"]["export"] for commit in commits]
    versions = {out["md5"] for lock in locks for out in lock["outs"] if out["path"] == "data/curated"}
    fetched = list((root / ".dvc/cache/files/md5").glob("??/*"))
    assert len(fetched) == 2 * len(versions)  # of each the list of files and the index
