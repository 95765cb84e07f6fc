"""A release is a commit, a manifest and a tag, or nothing at all; what it published can be proved and never moves."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import manifest, release, sample, schemas
from lineage.manifest import Manifest
from stages.contract import params, paths, pins
from tests.conftest import GIT, SAMPLE, choose, clone, dvc, git, json_lines, run

TAG = "dataset@v1.0.0"


@pytest.fixture(scope="module")
def released(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository and its remote, with a release."""
    root = shutil.copytree(shared.parent, tmp_path_factory.mktemp("released") / "team") / "first"
    dataset(root, "release", "1.0.0")
    return root


@pytest.fixture
def before(shared: Path, tmp_path: Path) -> Path:
    """A copy of the repository and its remote, not released yet."""
    return copied(shared, tmp_path)


@pytest.fixture
def after(released: Path, tmp_path: Path) -> Path:
    """A copy of the repository and its remote, with a release."""
    return copied(released, tmp_path)


def copied(root: Path, to: Path) -> Path:
    for name in ("first", "dataset-remote"):
        shutil.copytree(root.parent / name, to / name)
    return to / "first"


def dataset(root: Path, *words: str, code: int = 0, **env: str) -> str:
    done = run("dataset", *words, cwd=root, code=code, PYTHONPATH="", **(GIT | env))
    return done.stdout + done.stderr


def state(root: Path) -> tuple[str, ...]:
    return (git(root, "rev-parse", "HEAD"), git(root, "tag"), git(root, "status", "--porcelain"))


def of(root: Path, revision: str = "HEAD") -> Manifest:
    text = git(root, "show", f"{revision}:reports/manifest.json")
    return manifest.msgspec.json.decode(text, type=Manifest)


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


def commit(root: Path, message: str = "Edit") -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


# making one


def test_a_release_is_a_clean_commit_with_an_annotated_tag(released):
    assert git(released, "log", "--format=%s", "-1") == "Release dataset 1.0.0\n"
    assert git(released, "cat-file", "-t", TAG) == "tag\n"
    assert git(released, "rev-parse", f"{TAG}^{{commit}}") == git(released, "rev-parse", "HEAD")
    assert git(released, "status", "--porcelain") == ""
    assert "up to date" in dvc(released, "status")
    message = git(released, "tag", "--list", "--format=%(contents)", TAG)
    assert message.startswith("dataset 1.0.0\n\nThe first release: 6")
    assert "source support: new, CC0-1.0" in message


def test_gto_and_dvc_read_the_release(released, tmp_path):
    shown = json.loads(run("gto", "show", "dataset", "--json", cwd=released, **GIT).stdout)
    assert [(each["artifact"], each["version"], each["ref"]) for each in shown] == [("dataset", "v1.0.0", TAG)]
    dvc(tmp_path, "artifacts", "get", str(released), "dataset", "--rev", "v1.0.0", "-o", "got")
    assert (tmp_path / "got/train.jsonl").read_bytes() == (released / "data/curated/train.jsonl").read_bytes()


def test_the_manifest_names_every_file_by_its_sha256_and_fits_its_schema(released):
    text = (released / paths.MANIFEST).read_text()
    jsonschema.validate(json.loads(text), schemas.manifest())
    made = of(released)
    for path, file in made.files.items():
        assert hashlib.sha256((released / path).read_bytes()).hexdigest() == file.sha256
    assert {"data/curated/train.jsonl", "reports/gate.json", "data/sources/faq.csv", paths.PINS} <= made.files.keys()
    assert (
        made.counts["examples"] == len(json_lines(released / "data/curated/index.jsonl")) - made.counts["preferences"]
    )
    assert made.sources["faq"].licence == "CC0-1.0"
    assert made.tools["dvc"].startswith("3.")
    assert str(released) not in text
    assert os.uname().nodename not in text


def test_the_same_commit_gives_the_same_manifest(before, released):
    dataset(before, "release", "1.0.0")
    for path in (paths.MANIFEST, paths.PINS, "dvc.lock"):
        assert (before / path).read_bytes() == (released / path).read_bytes()


def test_the_pins_hold_hashes_and_splits_and_nothing_else(released):
    lines = (released / paths.PINS).read_bytes().splitlines()
    assert lines == sorted(lines)
    found = pins.read(lines)
    rows = json_lines(released / paths.OUTPUT["split"])
    assert {row["split"] for row in rows} == set(found.values())
    assert all(found[pins.pin(pins.PUBLISHED, row["id"])] == row["split"] for row in rows)


# refusing


def fail_the_gate(root: Path) -> None:
    choose(root, {"gate.rules": [{"name": "enough examples", "min": 20000}]})
    dvc(root, "repro")
    commit(root)


def own_source(root: Path) -> None:
    (root / "data/sources/faq.csv").write_bytes((root / "data/sources/faq.csv").read_bytes() + b"Who?,Nobody at all.\n")
    dvc(root, "repro")
    commit(root)
    dvc(root, "push")


def lose_an_object(root: Path) -> None:
    digest = next(file.md5 for path, file in of(root.parent / "first").files.items() if path.endswith("train.jsonl"))
    (root.parent / "dataset-remote/files/md5" / digest[:2] / digest[2:]).unlink()


def without_remote(root: Path) -> None:
    dvc(root, "remote", "default", "--unset")
    commit(root)


def remote_gone(root: Path) -> None:
    dvc(root, "remote", "modify", "local", "url", "http://127.0.0.1:9/nowhere")
    commit(root)


REFUSED = {
    "dirty": (lambda root: edit(root, "README.md", "#", "##"), "1 files are not committed: README.md"),
    "untracked": (lambda root: (root / "new.txt").write_text("x"), "1 files are not committed: new.txt"),
    "detached": (lambda root: git(root, "checkout", "-q", "--detach"), "no branch is checked out"),
    "stale": (
        lambda root: (choose(root, {"judge.threshold": 3.6}), commit(root)),
        "stages are stale",
    ),
    "gate": (fail_the_gate, "the gate FAILS: enough examples"),
    "public key": (own_source, "public key protects faq"),
    "not pushed": (lose_an_object, "not in the remote local: data/curated"),
    "no answer": (remote_gone, "not in the remote local"),
    "no remote": (without_remote, "there is no remote"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_stands_against_a_release_is_named_with_what_mends_it_and_nothing_is_written(after, why):
    spoil, says = REFUSED[why]
    spoil(after)
    was = state(after)
    said = dataset(after, "release", "1.1.0", code=1)
    assert says in said
    assert said.startswith("refused  ")
    assert state(after) == was


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("1.0", "is no version"),
        ("1.0.0; touch evil", "is no version"),
        ("01.0.0", "is no version"),
        ("$(touch evil)", "is no version"),
        ("1.0.0", "is released already"),
        ("v1.0.0", "is released already"),
        ("0.9.0", "is below 1.0.0"),
        ("1.0.0-rc.1", "is below 1.0.0"),
    ],
)
def test_a_version_that_cannot_be_is_misuse(released, number, says):
    was = state(released)
    said = dataset(released, "release", "--", number, code=2)
    assert says in said
    assert said.count("\n") == 1
    assert state(released) == was


def hook(root: Path) -> None:
    (root / ".git/hooks/pre-commit").write_text("#!/bin/sh\necho no today >&2\nexit 1\n")
    (root / ".git/hooks/pre-commit").chmod(0o755)


def no_key(root: Path) -> None:
    git(root, "config", "tag.gpgSign", "true")
    git(root, "config", "gpg.format", "ssh")
    git(root, "config", "user.signingKey", "/nowhere/key")


def wrong_name(root: Path) -> None:
    git(root, "update-ref", "refs/tags/dataset@v1.0.0/nested", "HEAD")


@pytest.mark.parametrize("spoil", [hook, no_key, wrong_name])
def test_a_step_that_fails_leaves_nothing_behind(before, spoil):
    spoil(before)
    was = state(before)
    assert "Traceback" not in dataset(before, "release", "1.0.0", code=2)
    assert state(before) == was
    assert "up to date" in dvc(before, "status")
    assert (before / paths.PINS).read_bytes() == b""


# afterwards


def test_the_next_version_keeps_what_is_published_and_its_tag_says_what_changed(after):
    first = {row["id"]: row["split"] for row in json_lines(after / paths.OUTPUT["split"])}
    choose(after, {"split": {"train": 0.1, "validation": 0.1, "test": 0.8}, "balance.max_per_source": 100})
    dvc(after, "repro")
    later = {row["id"]: row["split"] for row in json_lines(after / paths.OUTPUT["split"])}
    assert later == {identifier: first[identifier] for identifier in later}
    commit(after)
    dvc(after, "push")
    dataset(after, "release", "v1.1.0")
    message = git(after, "tag", "--list", "--format=%(contents)", "dataset@v1.1.0")
    assert "\ndataset@v1.0.0 -> dataset@v1.1.0\n" in message
    assert f"{len(first)} rows, then {len(later)}: {len(first) - len(later)} removed; {len(later)} unchanged" in message
    assert "balance.max_per_source" in message
    assert of(after).previous == TAG
    known = pins.read((after / paths.PINS).read_bytes().splitlines())
    assert set(pins.read(git(after, "show", f"{TAG}:{paths.PINS}").encode().splitlines())) <= set(known)
    listed = [json.loads(line) for line in dataset(after, "versions", "--json").splitlines()]
    assert [(each["version"], each["signed"]) for each in listed] == [("1.1.0", False), ("1.0.0", False)]
    assert [each["counts"]["examples"] for each in listed] == [
        of(after).counts["examples"],
        of(after, TAG).counts["examples"],
    ]
    dataset(after, "verify", "--release", "1.0.0")


def test_what_changed_is_told_from_the_manifests_where_the_bytes_are_gone():
    def made(rows: int, licence: str, threshold: float, **more: manifest.Origin) -> Manifest:
        origins = {"faq": manifest.Origin("faq.csv", licence, "human", rows, rows, rows, 0), **more}
        settings = {"judge": {"threshold": threshold}, "sources": {"faq": licence}}
        return Manifest("1.0.0", None, "0", {}, {"rows": rows, "examples": rows}, {}, origins, {}, settings, {})

    new = manifest.Origin("log", "MIT", "log", 5, 4, 3, 2)
    assert list(manifest.differences(made(10, "MIT", 3.5, log=new), made(12, "CC0-1.0", 4.0))) == [
        "rows: 12 (+2)",
        "examples: 12 (+2)",
        "source faq: 10 -> 12 rows, 10 -> 12 curated, MIT -> CC0-1.0",
        "source log: taken out",
        "param judge.threshold: 3.5 -> 4.0",
        "files: 0, 0 of them other than before",
    ]
    assert next(manifest.differences(None, made(2, "MIT", 1))) == "The first release: 2 examples of 2 rows."


def test_tags_of_strange_names_are_no_releases(after):
    for name in ("-x", "dataset@vX", "dataset@v1.2", "dataset@v9;touch", "other@v2.0.0"):
        git(after, "update-ref", f"refs/tags/{name}", "HEAD")
    assert [line.split()[0] for line in dataset(after, "versions").splitlines()] == ["1.0.0"]
    assert not (after / "touch").exists()


def test_a_project_without_a_release_says_so(shared):
    assert "There is no release yet" in dataset(shared, "versions", code=1)
    assert "there is no release yet" in dataset(shared, "verify", "--release", code=2)


@given(
    st.lists(
        st.sampled_from(
            [
                "1.0.0",
                "1.0.0-rc.1",
                "1.0.0-rc.2",
                "1.0.0-rc.10",
                "1.0.1",
                "1.10.0",
                "1.9.0",
                "0.9.9",
                "1.0.0-alpha",
                "1.0.0-1",
            ]
        )
    )
)
def test_versions_are_ordered_as_semver_orders_them(numbers):
    right = [
        "0.9.9",
        "1.0.0-1",
        "1.0.0-alpha",
        "1.0.0-rc.1",
        "1.0.0-rc.2",
        "1.0.0-rc.10",
        "1.0.0",
        "1.0.1",
        "1.9.0",
        "1.10.0",
    ]
    assert sorted(numbers, key=release.rank) == sorted(numbers, key=right.index)


# proving it


def checks(root: Path, *words: str, code: int = 0, **env: str) -> dict[tuple[str, str], dict]:
    rows = [
        json.loads(row) for row in dataset(root, "verify", "--release", *words, "--json", code=code, **env).splitlines()
    ]
    return {(row["path"], row["place"]): row for row in rows}


def wrong(root: Path, **env: str) -> dict[tuple[str, str], list[str]]:
    found = checks(root, code=1, **env)
    return {
        where: [damage["path"] for damage in row["damage"]]
        for where, row in found.items()
        if row["verdict"] == "failed"
    }


def test_a_release_is_verified_in_a_fresh_clone_and_says_what_that_proves(released):
    root = clone(released, "verifying")
    dvc(root, "pull")
    found = checks(root)
    assert {where: row["verdict"] for where, row in found.items() if row["verdict"] != "verified"} == {
        (TAG, "signature"): "not checkable"
    }
    assert "against accident only" in found[TAG, "signature"]["reason"]
    assert {place for path, place in found if path == "data/curated"} == {"cache", "remote local", "workspace"}


@pytest.mark.parametrize("name", ["v1.0.0", "1.0.0", TAG])
def test_a_release_goes_by_every_name(released, name):
    assert (TAG, "signature") in checks(released, name)


def test_bytes_of_the_right_md5_and_another_sha256_are_found(after):
    edit(after, paths.MANIFEST, (sha := str(of(after).files["data/curated/train.jsonl"].sha256)), sha[::-1])
    commit(after)
    git(after, "tag", "--force", "--annotate", "-m", "moved", TAG)
    places = ("cache", "remote local", "workspace")
    assert wrong(after) == {("data/curated", place): ["data/curated/train.jsonl"] for place in places}


def test_a_lock_that_was_edited_after_the_release_is_found(after):
    edit(after, "dvc.lock", "schema: '2.0'", "schema: '2.0'\n# edited")
    commit(after)
    git(after, "tag", "--force", "--annotate", "-m", "moved", TAG)
    assert wrong(after) == {("dvc.lock", "git"): ["dvc.lock"]}


def test_files_that_were_built_since_the_release_are_not_taken_for_its_own(after):
    edit(after, "dvc.lock", "schema: '2.0'", "schema: '2.0'\n# built again")
    found = {where: row["verdict"] for where, row in checks(after).items() if where[1] == "workspace"}
    assert found == {("dvc.lock", "workspace"): "not checkable"}


def key(folder: Path, name: str) -> Path:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name), cwd=folder)
    return folder / name


def test_the_signature_is_checked_against_the_keys_that_the_user_trusts(before, tmp_path):
    ada, eve = key(tmp_path, "ada"), key(tmp_path, "eve")
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(ada))):
        git(before, "config", name, value)
    dataset(before, "release", "1.0.0", "--sign")
    assert json.loads(dataset(before, "versions", "--json"))["signed"]
    where = (TAG, "signature")
    assert "allowedSignersFile" in checks(before)[where]["reason"]
    signers = tmp_path / "signers"
    git(before, "config", "gpg.ssh.allowedSignersFile", str(signers))
    for who, verdict, code in ((eve, "failed", 1), (ada, "verified", 0)):
        signers.write_text(f"{who.name}@example.org {who.with_suffix('.pub').read_text()}")
        found = checks(before, code=code)[where]
        assert (found["verdict"], "ada" in found["reason"]) == (verdict, verdict == "verified")
    forged = tmp_path / "tag"
    forged.write_text(git(before, "cat-file", "tag", TAG).replace("628 examples", "629 examples"))
    git(before, "update-ref", f"refs/tags/{TAG}", git(before, "hash-object", "-t", "tag", "-w", str(forged)).strip())
    assert "signature is not good" in checks(before, code=1)[where]["reason"]


def test_the_public_key_is_refused_for_every_source_that_is_not_the_samples():
    assert sample.FILE.read_text() == sample.text()  # `make docs` writes it
    known = sample.digests()
    sources = params.read_yaml(SAMPLE / "params.yaml")["sources"]
    assert set(known) | {"generated"} == set(sources)
    for name, digest in known.items():
        path = sources[name]["path"]
        locked = {f"collect@{name}": {"deps": [{"path": path, "md5": digest}]}}
        assert sample.shipped(name, path, locked, known)
        assert not sample.shipped(name, path, {}, known)
        assert not sample.shipped("other", path, locked, known)
        assert not sample.shipped(name, path, locked, known | {name: "another"})
