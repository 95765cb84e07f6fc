"""The record of a training run: what it says, what it refuses, and how it is found again."""

import json
import re
import subprocess

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineage
from lineage import composition, digests, metadata, runs, schemas, training
from lineage.runs import Dataset, Model, Run
from lineage.training import Refused
from stages.contract import paths
from stages.contract.params import Stop
from tests import repositories
from tests.conftest import git
from tests.repositories import example


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with one version, and the process in its folder."""
    root = repositories.project(tmp_path / "project")
    held = [(example(number, "log" if number % 2 else "faq"), "train" if number < 6 else "test") for number in range(8)]
    repositories.commit(root, held)
    monkeypatch.chdir(root)
    monkeypatch.setattr(paths, "ROOT", root)
    return root


def a_run(name="one", model="tiny", **more):
    return Run(name, Model(model), Dataset(None), metadata.now(), **more)


def written(root):
    return sorted(path.name for path in (root / "data/runs").glob("*"))


# what a record says


def test_a_record_names_the_commit_the_files_read_and_their_records_by_source(project):
    with lineage.training_run(model="tiny", params={"lr": 2e-5}, run="one", base="tiny-base") as run:
        path = run.data("train")
        run.log(loss=0.5)
        run.log(loss=0.25)
    found = runs.named("one")
    assert path == project / "data/curated/train.jsonl"
    assert found.dataset.commit == git(project, "rev-parse", "HEAD").strip()
    assert found.dataset.files == {"data/curated/train.jsonl": digests.of_file(path)}
    assert found.dataset.rows == {"data/curated/train.jsonl": {"faq": 3, "log": 3}}
    assert (found.status, found.params, found.metrics, found.doubts) == ("finished", {"lr": 2e-5}, {"loss": 0.25}, [])
    assert "msgspec" in found.environment.packages
    record = json.loads((project / "data/runs/one.json").read_text())
    jsonschema.Draft202012Validator(schemas.run()).validate(record)


def test_without_a_file_asked_for_all_training_data_is_recorded(project):
    with lineage.training_run(model="tiny", run="one"):
        pass
    assert list(runs.named("one").dataset.files) == [
        f"data/curated/{name}.jsonl" for name in ("test", "train", "validation")
    ]


def test_a_record_is_there_from_the_start_so_that_a_killed_run_leaves_one(project):
    with lineage.training_run(model="tiny", run="one"):
        assert runs.named("one").status == "running"


def test_a_training_that_fails_is_recorded_and_its_error_goes_on(project):
    with pytest.raises(ZeroDivisionError), lineage.training_run(model="tiny", run="one"):
        1 / 0  # noqa: B018
    assert (runs.named("one").status, runs.named("one").doubts) == ("failed", ["the run ended with ZeroDivisionError"])


def test_a_file_that_is_written_to_during_the_run_is_noted(project):
    with lineage.training_run(model="tiny", run="one") as run:
        run.data("train").write_text("{}\n")
    assert runs.named("one").doubts == ["data/curated/train.jsonl: was written to during the run"]


def test_the_run_may_be_begun_below_the_projects_folder_and_leave_it(project, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", paths.Path())
    monkeypatch.chdir(project / "data/curated")
    with lineage.training_run(model="tiny", run="one"):
        monkeypatch.chdir(tmp_path)
    assert written(project) == ["one.json"]
    with (
        pytest.raises(Refused, match="is no dataset, nor below one"),
        lineage.training_run(model="tiny", project=tmp_path),
    ):
        pass


def test_a_secret_or_a_password_is_left_out(project):
    with lineage.training_run(model="tiny", params={"hub_token": "hf_1", "max_tokens": 5}, run="one") as run:
        run.artefact("s3://key:secret@bucket/model?X-Signature=abc")
    found = runs.named("one")
    assert found.params == {"hub_token": "<left out>", "max_tokens": 5}
    assert found.model.uri == "s3://bucket/model"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(JSON)
def test_any_hyperparameter_becomes_json_and_stays_what_it_was_if_it_is(value):
    found = metadata.plain({"value": value})["value"]
    json.dumps(found)
    if isinstance(value, str | int | float | bool | None):
        assert found == value


# what is refused


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ("params.yaml", "git: not committed: params.yaml; commit it"),
        ("stages.py", "git: not committed: stages.py; commit it"),
        ("data/curated/train.jsonl", "data/curated/train.jsonl: is not what the dvc.lock of"),
    ],
)
def test_what_the_commit_does_not_describe_is_refused_or_recorded(project, change, doubt):
    with (project / change).open("a") as file:
        file.write("# more\n")
    with pytest.raises(Refused, match=re.escape(doubt)), lineage.training_run(model="tiny"):
        raise AssertionError("trained")
    assert not (project / "data/runs").exists()
    with lineage.training_run(model="tiny", run="one", force=True):
        pass
    assert runs.named("one").doubts[0].startswith(doubt)


def test_the_records_of_other_runs_and_the_model_itself_make_no_tree_dirty(project):
    (project / "out").mkdir()
    (project / "out/model.bin").write_bytes(b"weights")
    with lineage.training_run(model="tiny", run="one", project=project, force=True):
        pass
    git(project, "clean", "-q", "-f", "-d", "out")
    with lineage.training_run(model="tiny", run="two"):
        (project / "out").mkdir()
        (project / "out/model.bin").write_bytes(b"weights")
    training.link(a_run("three"), "out")
    assert (runs.named("three").doubts, runs.named("three").model.path) == ([], "out")


def test_a_file_that_no_version_names_is_refused_or_recorded(project):
    (project / "data/curated/mine.jsonl").write_text("{}\n")
    with (
        pytest.raises(Refused, match=r"is no file that the dvc\.lock of"),
        lineage.training_run(model="tiny", run="one") as run,
    ):
        run.data("mine")
    with lineage.training_run(model="tiny", run="two", force=True) as run:
        run.data("mine")
    assert list(runs.named("two").dataset.files) == ["data/curated/mine.jsonl"]
    assert "data/curated/mine.jsonl: is no file" in runs.named("two").doubts[0]


def test_data_that_is_not_pulled_and_a_name_that_is_none_are_refused(project):
    with pytest.raises(Refused, match="trian: is no file of the dataset"), lineage.training_run(model="tiny") as run:
        run.data("trian")
    for file in (project / "data/curated").iterdir():
        file.unlink()
    with (
        pytest.raises(Refused, match="data/curated: is not here; `dvc pull data/curated`"),
        lineage.training_run(model="tiny"),
    ):
        pass


def test_a_commit_without_a_dataset_is_refused(project):
    (project / "dvc.lock").unlink()
    git(project, "commit", "-qam", "No data")
    with (
        pytest.raises(Refused, match=r"data/curated: is not what the dvc\.lock of"),
        lineage.training_run(model="tiny"),
    ):
        pass


def test_no_commit_at_all_is_refused(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(Refused, match="git: "), lineage.training_run(model="tiny", project=tmp_path):
        pass


@pytest.mark.parametrize("name", ["../one", "a b", "", "-x", "x" * 130])
def test_an_id_that_is_none_is_refused(project, name):
    with pytest.raises(Stop, match="is no id of a run"):
        runs.check_free(name)


def test_a_second_run_of_one_id_is_refused_and_the_first_stays(project):
    training.link(a_run(params={"lr": 1}))
    before = (project / "data/runs/one.json").read_bytes()
    with (
        pytest.raises(Refused, match="there is a run with this id already"),
        lineage.training_run(model="tiny", run="one"),
    ):
        raise AssertionError("trained")
    with pytest.raises(Stop, match="there is a run with this id already"):
        runs.claim(a_run())
    assert (project / "data/runs/one.json").read_bytes() == before


# a run that is over


def test_a_run_of_an_older_version_is_linked_without_its_files(project):
    old = git(project, "rev-parse", "HEAD").strip()
    repositories.commit(project, [(example(9), "train")])
    (project / "params.yaml").write_text("seed: 1\n")
    found = training.link(a_run(), data=["train"], revision=old[:8])
    assert found.dataset.rows == {"data/curated/train.jsonl": {"faq": 3, "log": 3}}
    assert found.dataset.commit == old
    with pytest.raises(Stop, match="valid: is no file of the dataset"):
        training.link(a_run("two"), data=["valid"], revision=old)
    with pytest.raises(Stop, match="v9: is no commit, tag or branch here"):
        training.link(a_run("two"), revision="v9")
    assert written(project) == ["one.json"]


def test_an_export_that_left_records_out_counts_its_lines(project):
    export = project / "data/exports/alpaca/train.jsonl"
    export.parent.mkdir(parents=True)
    for lines, counted in ((6, {"faq": 3, "log": 3}), (5, {"unknown": 5})):
        export.write_text("{}\n" * lines)
        assert composition.rows_in({"data/exports/alpaca/train.jsonl": export}, project / paths.INDEX) == {
            "data/exports/alpaca/train.jsonl": counted
        }


# digests


def test_the_digest_of_a_folder_is_what_sha256sum_says(tmp_path):
    for name in ("b/c", "a.bin", "b/ä", "Z", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a.bin")
    command = r"find . -xtype f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert digests.of_artefact(tmp_path)[:2] == (done.stdout.split()[0], 6)


PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=4)
FILES = st.dictionaries(st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.binary().map(digests.md5_of_bytes))


@given(FILES)
def test_the_md5_of_a_folder_is_what_dvc_calls_it(files):
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    tree = Tree()
    for name, md5 in files.items():
        tree.add(tuple(name.split("/")), None, HashInfo("md5", md5))
    tree.digest()
    assert digests.md5_of_folder(files) == tree.hash_info.value


# finding runs again


def test_a_run_is_found_by_its_id_and_its_model_by_name_address_path_and_digest(project):
    (project / "model.bin").write_bytes(b"weights")
    one = training.link(a_run("one", "tiny"), "model.bin")
    two = training.link(a_run("two", "small"), "hf://org/small", force=True)
    for name in ("one", "tiny", "model.bin", one.model.sha256, f"sha256:{one.model.sha256[:12]}"):
        assert runs.named(name) == one
    assert runs.named("hf://org/small") == two
    (project / "elsewhere.bin").write_bytes(b"weights")
    assert runs.named("elsewhere.bin") == one


def test_a_model_of_two_runs_or_of_none_is_refused_with_what_there_is(project):
    with pytest.raises(Stop, match="tiny: no run has this id or made this model; there are none"):
        runs.named("tiny")
    for name in ("one", "two"):
        training.link(a_run(name))
    with pytest.raises(Stop, match="tiny: 2 runs made it: one, two; name one of them"):
        runs.named("tiny")
    with pytest.raises(Stop, match="small: no run has this id or made this model; known are one, two"):
        runs.named("small")


def test_runs_of_other_branches_are_found_and_two_of_one_id_are_refused(project):
    for name, rate in (("ours", 1), ("theirs", 2)):
        git(project, "checkout", "-q", "-b", name, "main")
        runs.claim(a_run("same", params={"lr": rate}))  # as two clones do that know nothing of each other
        training.link(a_run(f"of-{name}"))
        git(project, "add", "-A")
        git(project, "commit", "-qm", name)
    git(project, "checkout", "-q", "main")
    assert runs.named("of-ours").run == "of-ours"
    with pytest.raises(Stop, match="two branches have different runs with this id"):
        runs.named("same")
    with pytest.raises(Stop, match="there is a run with this id already"):
        runs.check_free("same")
    git(project, "checkout", "-q", "theirs")
    assert runs.named("same").params == {"lr": 2}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "data/runs/two.json: "),
        (b'{"run":"two"}', "data/runs/two.json: .*missing required field"),
        (None, "data/runs/two.json: says that it is the run one, so two files may have one id"),
    ],
)
def test_a_record_that_is_none_is_named(project, content, problem):
    training.link(a_run("one"))
    (project / "data/runs/two.json").write_bytes(content or (project / "data/runs/one.json").read_bytes())
    with pytest.raises(Stop, match=problem):
        runs.named("one")
