"""`dataset audit`: from a model to the bytes it was made from, and from an example to every version, run and model."""

import json
import shutil
from datetime import date

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lineage import audit, audit_page, exposure, history, lookup, metadata, training, version
from lineage.commands.audit import audit as command
from lineage.runs import Dataset, Model, Run
from stages.contract import params, paths
from stages.contract.params import Stop
from stages.contract.record import digest, encode
from stages.reporting.gate import Result, Waiver
from tests import repositories
from tests.conftest import REPOSITORY, choose, git
from tests.repositories import example


def a_run(name="one", model="tiny", **more):
    return Run(name, Model(model), Dataset(None), metadata.now(), **more)


def link(name, *data, revision=None, artefact="", model="tiny"):
    return training.link(a_run(name, model), artefact, data, revision)


def save(root, message="Runs"):
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with three versions: record 1 is in all, 2 leaves, 3 comes and moves to test, 4 comes late."""
    root = repositories.project(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.setattr(paths, "ROOT", root)
    params.whole.cache_clear()
    params.project_key.cache_clear()
    held = [{1: "train", 2: "train"}, {1: "train", 3: "train"}, {1: "train", 3: "test", 4: "train"}]
    for number, rows in enumerate(held):
        subject = digest("subject", "zoe", key=params.SAMPLE_KEY)
        made = [
            (example(n, "faq" if n == 4 else "log", subject=subject if n == 3 else None), at) for n, at in rows.items()
        ]
        repositories.commit(
            root, made, f"Version {number}", **({"log": "MIT"} | ({"faq": "CC0-1.0"} if 4 in rows else {}))
        )
        git(root, "tag", "-a", f"dataset@v1.{number}.0", "-m", "A release")
    yield root
    params.whole.cache_clear()
    params.project_key.cache_clear()


def identifier(number):
    return f"{number:08x}" * 4


# the history, from git alone


def test_the_commits_are_the_newest_first_with_their_tags_and_what_their_locks_name(project):
    found = history.commits()
    assert [each.tags for each in found] == [[f"dataset@v1.{number}.0"] for number in (2, 1, 0)]
    for each in found:
        assert each.outputs == {path: out.md5 for path, out in version.outputs(each.id).items()}


def test_entries_of_stages_that_are_gone_count_in_neither_layout():
    lock = repositories.lock({"old": [("data/curated", "a" * 32)], "export": [("data/curated", "b" * 32)]}, [])
    by_hand = yaml.safe_dump(yaml.safe_load(lock), sort_keys=True)
    for text in (
        lock,
        by_hand,
        lock.replace("a" * 32, f"'{'a' * 32}'"),
        lock.replace("data/curated", "'data/curated'"),
    ):
        assert history.outputs_in(text.encode(), {"export"}, "a" * 40) == {"data/curated": "b" * 32}
        assert history.outputs_in(text.encode(), {"old"}, "a" * 40) == {"data/curated": "a" * 32}


def test_a_lock_is_read_as_yaml_reads_it():
    content = (REPOSITORY / "dvc.lock").read_bytes()
    stages = history.stage_names((REPOSITORY / "dvc.yaml").read_bytes())
    assert content.startswith(history.HEAD)
    assert history.outputs_in(content, stages, "") == history.parsed(content, stages, "")


def test_what_is_made_here_is_what_dvc_makes(project):
    from dvc.repo import Repo

    found = {str(out): out.hash_info.value for out in Repo(str(project)).index.outs}
    assert found == history.commits()[0].outputs
    assert Repo(str(project)).data_status().get("uncommitted", {}) == {}


# bisecting

IDS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), unique=True).map(sorted)


@given(IDS, st.text("0123456789abcdef", max_size=4))
def test_halving_finds_what_looking_at_every_line_finds(names, start):
    lines = [encode({"a": "x" * (int(name, 16) % 7), "id": name, "z": "é"}) for name in names]
    content = b"".join(line + b"\n" for line in lines)
    expected = [line for line, name in zip(lines, names, strict=True) if name.startswith(start)]
    assert list(lookup.lines_with(content, "id", start)) == expected
    assert list(lookup.lines_with(content.removesuffix(b"\n"), "id", start)) == expected


# from an example to the models


def test_an_example_is_told_by_version_split_and_the_runs_that_read_its_file(project):
    link("trained-on-all", "train", "test")
    link("trained-on-train", "train", model="small")
    link("older", "train", revision="v1.1.0", model="old")
    save(project)
    found = exposure.of_example(identifier(3))
    assert found.looked_at == 4
    assert [(each.tags, [row.split for row in each.rows]) for each in found.versions] == [
        (["dataset@v1.2.0"], ["test"]),
        (["dataset@v1.1.0"], ["train"]),
    ]
    assert len(found.versions[0].commits) == 2
    assert {each.run: (each.records, each.files) for each in found.runs} == {
        "trained-on-all": (1, ["data/curated/test.jsonl"]),
        "trained-on-train": (0, []),
        "older": (1, ["data/curated/train.jsonl"]),
    }
    assert found.models == ["old", "tiny"]
    assert exposure.of_example(identifier(2)).models == []
    assert exposure.of_example("00000002").ids == [identifier(2)]


def test_a_model_made_from_one_that_read_it_is_named_too(project):
    for name, base in (("sft", None), ("dpo", "sft"), ("merged", "dpo"), ("other", "llama")):
        record = a_run(name, name)
        record.model.base = base
        training.link(record, data=["train" if name == "sft" else "validation"])
    found = exposure.of_example(identifier(4))
    assert found.models == ["dpo", "merged", "sft"]
    assert {each.run: each.through for each in found.runs if each.through} == {"dpo": "sft", "merged": "dpo"}


def test_nothing_is_checked_out_no_text_is_read_and_nothing_is_written(project):
    for name in ("train.jsonl", "test.jsonl", "validation.jsonl", "dropped.jsonl"):
        for commit in history.commits():
            listed = version.within(version.Stored(commit.outputs[paths.CURATED]))
            version.object_of(listed[name]).unlink(missing_ok=True)
    shutil.rmtree(project / "data/curated")
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    assert len(exposure.of_example(identifier(1)).versions) == 3
    assert len(exposure.of_text("What is 3?").versions) == 2
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()} == before


def test_a_text_is_found_by_any_whole_turn_and_by_what_is_left_when_personal_data_is_replaced(project):
    assert exposure.of_text("  what IS 3? ").ids == [identifier(3)]
    assert exposure.of_text("A number, the one after 3.").ids == [identifier(4)]
    assert exposure.of_text("What is").versions == []
    repositories.commit(project, [(repositories.said(9, "Write to [EMAIL]."), "train")], log="MIT")
    assert exposure.of_text("Write to jo@example.org.").ids == [identifier(9)]


def test_a_person_is_found_by_name_with_the_key_and_by_hash_without(project, monkeypatch):
    link("one", "train", revision="v1.1.0")
    save(project)
    found = exposure.of_subject("zoe")
    assert (found.ids, found.models) == ([identifier(3)], ["tiny"])
    assert "zoe" not in encode(found).decode()
    assert exposure.of_subject(digest("subject", "zoe", key=params.SAMPLE_KEY)).ids == [identifier(3)]
    assert exposure.of_subject("bob").versions == []
    monkeypatch.setenv("DATASET_KEY", "another key than this project has")
    params.project_key.cache_clear()
    with pytest.raises(Stop, match="project_key"):
        exposure.of_subject("zoe")


def test_a_source_and_a_licence_are_counted_from_the_reports_in_git(project):
    link("late", "train")
    link("early", "train", revision="v1.0.0", model="old")
    save(project)
    shutil.rmtree(project / ".dvc/cache")
    found = exposure.of_source("faq")
    assert [(each.tags, each.count) for each in found.versions] == [(["dataset@v1.2.0"], 1)]
    assert [(each.run, each.records) for each in found.runs] == [("late", 1)]
    assert exposure.of_licence("MIT").models == ["old", "tiny"]
    assert exposure.of_licence("CC0-1.0").models == ["tiny"]
    with pytest.raises(Stop, match="--source fqa: no version has it; did you mean faq"):
        exposure.of_source("fqa")


def test_an_index_that_is_not_here_leaves_its_version_open_and_the_rest_told(project):
    commit = history.commits()[1]
    version.object_of(commit.outputs[paths.CURATED]).unlink()
    version.listing.cache_clear()
    found = exposure.of_example(identifier(1))
    assert len(found.versions) == 2
    assert found.unread == ["dataset@v1.1.0: the list of its files, or an intact one, is not in the cache"]
    assert CliRunner().invoke(command, ["--example", identifier(1)]).exit_code == 1


@pytest.mark.parametrize("file", ["dvc.yaml", "dvc.lock"])
def test_a_commit_with_marks_of_a_merge_leaves_itself_open_and_the_rest_told(project, file):
    before = exposure.of_example(identifier(1))
    broken = project / file
    whole = broken.read_bytes()
    broken.write_bytes(whole + b"<<<<<<< ours\n")
    save(project, "A merge in haste")
    commit = git(project, "rev-parse", "HEAD").strip()
    broken.write_bytes(whole)
    save(project, "Mended")
    found = exposure.of_example(identifier(1))
    assert [each.md5 for each in found.versions] == [each.md5 for each in before.versions]
    assert len(found.unread) == 1
    assert found.unread[0].startswith(f"{commit[:7]}")


def test_the_data_of_a_run_whose_commit_was_rewritten_is_still_looked_at(project):
    link("one", "train")
    save(project)
    git(project, "tag", "-d", "dataset@v1.2.0")
    git(project, "checkout", "-q", "--orphan", "new", "dataset@v1.1.0")
    git(project, "checkout", "-q", "main", "--", "data/runs")
    save(project)
    git(project, "branch", "-q", "-D", "main")
    found = exposure.of_example(identifier(4))
    assert ([each.commits for each in found.versions], found.models) == ([[]], ["tiny"])


def test_a_shallow_clone_says_what_it_cannot_know(project, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", "--depth", "1", project.as_uri(), "shallow")
    shutil.copytree(project / ".dvc/cache", tmp_path / "shallow/.dvc/cache")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "shallow")
    found = exposure.of_example(identifier(1))
    assert (found.looked_at, len(found.versions)) == (1, 1)
    assert found.unread[-1].startswith("older commits: this clone is shallow")


def test_an_id_that_is_short_ambiguous_or_none_is_refused(project):
    with pytest.raises(Stop, match="--example 00000: is no id; give 6"):
        exposure.of_example("00000")
    with pytest.raises(Stop, match="4 records begin so"):
        exposure.of_example("000000")
    with pytest.raises(Stop, match=r"--example \.\./x: is no id"):
        exposure.of_example("../x")
    assert exposure.of_example("abcdef").versions == []


# from a model to the bytes


def lines(found):
    return {(line.kind, line.name): (line.verdict, line.reason) for line in found.lines}


def test_an_audit_is_clean_where_everything_is_as_the_run_read_it(project):
    (project / "model.bin").write_bytes(b"weights")
    run = link("one", "train", artefact="model.bin")
    (project / "model.bin").unlink()
    save(project)
    (project / "model.bin").write_bytes(b"weights")
    found = audit.audit("tiny")
    assert {verdict for verdict, _ in lines(found).values()} == {"verified"}
    assert (found.findings, found.commit, found.tags) == ([], run.dataset.commit, ["dataset@v1.2.0"])
    assert found.read_licences == {"CC0-1.0": 1, "MIT": 1}
    assert {kind for kind, _ in lines(found)} == {"output", "source", "code", "model"}
    assert CliRunner().invoke(command, ["one"]).exit_code == 0


@pytest.mark.parametrize(
    ("until", "said"), [("2999-12-31", "passes; waived: enough examples"), ("2020-01-01", "FAILS: enough examples")]
)
def test_a_rule_that_is_waived_today_does_not_fail_the_gate_of_an_audit(project, until, said):
    waiver = Waiver("enough examples", "a pilot", "Ada", date.fromisoformat(until))
    rule = Result("enough examples", "dataset.examples", 1, "at least 2", "error", False, "add a source", waiver)
    held = json.loads(msgspec.json.encode({"passed": False, "rules": [rule]}))
    link("one", "train")
    assert dict(audit_page.facts(msgspec.structs.replace(audit.audit("one"), gate=held)))["gate"] == said


def test_each_object_that_is_deleted_changes_exactly_the_line_of_what_it_is_part_of(project):
    run = link("one", "train")
    shutil.rmtree(project / "data/curated")
    (project / "data/lookup.jsonl").unlink()
    before = audit.audit("one")
    for md5, owner in owners(run.dataset.commit).items():
        place = version.object_of(md5)
        kept = place.read_bytes()
        for damage, verdict in ((None, "not checkable"), (b"x" + kept[1:] or b"x", "failed")):
            place.unlink()
            if damage is not None:
                place.write_bytes(damage)
            after = audit.audit("one")
            changed = {key for key, line in lines(after).items() if lines(before)[key] != line}
            assert changed == {("output", owner)}
            assert {lines(after)[key][0] for key in changed} == {verdict}
            assert (after.read, after.sources, after.licences) == (before.read, before.sources, before.licences)
            place.touch()
            place.write_bytes(kept)
    assert audit.audit("one").lines == before.lines


def owners(commit):
    """The output that each object of a version belongs to."""
    found = {}
    for path, out in version.outputs(commit).items():
        if not path.startswith("reports/"):
            found |= {
                md5: path for md5 in [out.md5, *(version.within(out) or {}).values()] if md5 != digest_of_nothing()
            }
    return found


def digest_of_nothing():
    return "d41d8cd98f00b204e9800998ecf8427e"  # of the empty files, which are several


def test_bytes_that_are_gone_from_the_cache_are_verified_in_the_workspace_or_the_remote(project):
    run = link("one", "train")
    target = version.object_of(version.within(version.Stored(run.dataset.md5))["train.jsonl"])
    shutil.copytree(project / ".dvc/cache", project.parent / "remote")
    (project / ".dvc/config.local").write_text(
        f"[core]\n remote = r\n['remote \"r\"']\n url = {project.parent / 'remote'}\n"
    )
    target.unlink()
    assert lines(audit.audit("one"))["output", "data/curated"] == ("verified", "in the workspace")
    (project / "data/curated/train.jsonl").write_text("{}\n")
    assert lines(audit.audit("one"))["output", "data/curated"] == ("verified", "in the remote r")
    target.write_bytes(b"other")
    verdict, reason = lines(audit.audit("one"))["output", "data/curated"]
    assert verdict == "failed"
    assert "train.jsonl" in reason
    assert "intact in the remote r" in reason


def test_a_run_that_read_other_bytes_than_its_commit_names_fails_that_output(project):
    (project / "data/curated/train.jsonl").write_text("{}\n")
    training.link(a_run(), data=["train"], force=True)
    found = audit.audit("one")
    verdict, reason = lines(found)["output", "data/curated"]
    assert (verdict, "the run read other bytes of data/curated/train.jsonl" in reason) == ("failed", True)
    assert any("record of the run: data/curated/train.jsonl" in each for each in found.findings)


def test_a_model_that_changed_fails_and_one_that_is_elsewhere_cannot_be_checked(project):
    (project / "model.bin").write_bytes(b"weights")
    link("one", "train", artefact="model.bin")
    (project / "model.bin").write_bytes(b"others")
    assert lines(audit.audit("one"))["model", "tiny"] == ("failed", "model.bin has other bytes than the run left")
    assert audit.audit("one").findings != []
    (project / "model.bin").unlink()
    assert lines(audit.audit("one"))["model", "tiny"] == ("not checkable", "model.bin is not here")
    link("two", "train", artefact="hf://org/small", model="small")
    assert lines(audit.audit("small"))["model", "small"][1] == "only its address is recorded: hf://org/small"


def test_models_that_settings_name_cannot_be_checked_and_say_so(project):
    own = {"judge": {"provider": "anthropic", "model": "some-model"}}
    choose(project, {"models": {"stages": own}, "dedup": {"semantic": {"vectors": "lexical"}}})
    save(project, "A judge")
    link("one", "train")
    found = lines(audit.audit("one"))
    name = "models.stages.judge.model: some-model"
    assert found["model", name] == ("not checkable", "its maker keeps it; what it gave is in the outputs of judge")
    assert found["model", "dedup.semantic.vectors: lexical"][0] == "verified"
    assert ("model", "judge: local scorer") not in found


def test_a_commit_that_a_rebase_removed_is_named_with_one_that_has_the_same_data(project):
    run = link("one", "train")
    save(project)
    git(project, "tag", "-d", "dataset@v1.2.0")
    git(project, "reset", "-q", "--soft", "HEAD~2")
    git(project, "commit", "-qm", "All in one")
    git(project, "reflog", "expire", "--expire=now", "--all")
    git(project, "gc", "-q", "--prune=now")
    now = git(project, "rev-parse", "HEAD").strip()
    with pytest.raises(Stop, match=f"its commit {run.dataset.commit[:7]} is not here.*{now[:7]} has the same data"):
        audit.audit("one")
    assert audit.audit("one", now).commit == now
    with pytest.raises(Stop, match=r"v1\.0\.0: its data/curated is not what one read"):
        audit.audit("one", "v1.0.0")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "takes MODEL or one of"),
        (["one", "--example", "abcdef"], "takes MODEL or one of"),
        (["nothing"], "nothing: no run has this id or made this model"),
        (["--source", "log", "--format", "html"], "leave them out"),
        (["--example", "x"], "is no id"),
    ],
)
def test_misuse_is_one_line_and_writes_nothing(project, words, problem):
    before = git(project, "status", "--porcelain", "--ignored")
    found = CliRunner().invoke(command, words).exception
    assert isinstance(found, Stop)
    assert (problem in str(found), "\n" in str(found)) == (True, False)
    assert git(project, "status", "--porcelain", "--ignored") == before


# how it is shown


def test_the_three_formats_say_the_same_and_the_page_asks_nothing_and_runs_nothing(project):
    link("one", "train", model="<script>alert(1)</script>\x1b[31m")
    text, data, page = (
        CliRunner().invoke(command, ["one", "--format", form]).output for form in ("text", "json", "html")
    )
    found = json.loads(data)
    for line in found["lines"]:
        assert all(line["name"] in shown for shown in (text, page) if line["kind"] != "model")
    assert "\x1b" not in text + page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert audit_page.summary(audit.audit("one")) in text
    assert found["run"]["run"] == "one"
