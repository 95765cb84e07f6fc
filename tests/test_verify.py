"""Hashing again what dvc.lock names: both cases of tampering that DVC lets pass, and each other way bytes go wrong."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import verify
from lineage.damage import Damage
from lineage.project import outputs
from lineage.repository import commit
from stages.contract import paths
from tests.conftest import GIT, dvc, git, run

TWO = "b8a9f715dbb64fd5c56e7783c6820a61"  # MD5 of the word two


@pytest.fixture
def at(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it with a remote of its own, as the project that this process is in."""
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path / "made")
    return tmp_path / "made"


def objects(root: Path) -> dict[str, str]:
    """Where the object of every file lies, below a store: files of data/curated by their names."""
    outs = {out.path: out.digest for out in outputs() if out.cached}
    listing = json.loads((root / ".dvc/cache/files/md5" / at_digest(outs["data/curated"])).read_bytes())
    files = {f"data/curated/{each['relpath']}": each["md5"] for each in listing}
    return {path: f"files/md5/{at_digest(digest)}" for path, digest in (outs | files).items()}


def at_digest(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"


def tamper(path: Path, old: bytes = b"two", new: bytes = b"2wo") -> None:
    """Put other bytes into a file and hide it: the same size, the same time."""
    before = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def failed(revision: str | None = None) -> list[tuple[str, str, list[Damage]]]:
    checks = verify.verify(commit(revision) if revision else None)
    return [(each.path, each.place, each.damage) for each in checks if each.verdict == "failed"]


def test_what_nobody_touched_is_verified_everywhere(at):
    checks = verify.verify()
    assert {each.verdict for each in checks} == {"verified"}
    assert {each.place for each in checks if each.path == "data/curated"} == {"cache", "remote local", "workspace"}
    assert not verify.finding(checks)
    assert {each.place for each in verify.verify(commit("HEAD"))} == {"cache", "remote local", "git"}


def test_a_tampered_remote_that_dvc_pulls_without_a_word_is_found_with_its_row(at):
    tamper(at.parent / "remote" / objects(at)["data/curated/train.jsonl"])
    shutil.rmtree(at / ".dvc/cache")
    shutil.rmtree(at / "data/curated")
    dvc(at, "pull")
    assert "2wo" in (at / "data/curated/train.jsonl").read_text()
    assert "up to date" in dvc(at, "status")
    found = failed()
    assert [(path, place) for path, place, _ in found] == [
        ("data/curated", place) for place in ("cache", "remote local", "workspace")
    ]
    for _, _, [damage] in found:
        assert (damage.path, damage.rows, damage.row_count) == ("data/curated/train.jsonl", [TWO], 1)


def test_a_tampered_cache_of_the_same_size_and_time_is_found_with_its_row(at):
    shutil.rmtree(at / ".dvc/cache")
    dvc(at, "pull")  # now DVC remembers when it hashed each object
    tamper(at / ".dvc/cache" / objects(at)["data/curated/train.jsonl"])
    shutil.rmtree(at / "data/curated")
    dvc(at, "checkout")
    assert "2wo" in (at / "data/curated/train.jsonl").read_text()
    assert "up to date" in dvc(at, "status")
    assert [(path, place, damage.rows) for path, place, [damage] in failed()] == [
        ("data/curated", "cache", [TWO]),
        ("data/curated", "workspace", [TWO]),
    ]
    assert [(path, place) for path, place, _ in failed("HEAD")] == [("data/curated", "cache")]


def test_rows_of_a_plain_file_are_named_from_an_intact_copy(at):
    tamper(at / "data/splits.jsonl", TWO.encode(), TWO[::-1].encode())
    [(path, place, [damage])] = failed()
    assert (path, place, damage.path, damage.rows) == ("data/splits.jsonl", "workspace", "data/splits.jsonl", [TWO])


@pytest.mark.parametrize("kept", [0, 40])
def test_a_cut_file_is_found_with_the_rows_it_lost(at, kept):
    store = at / ".dvc/cache" / objects(at)["data/splits.jsonl"]
    store.chmod(0o644)
    store.write_bytes(store.read_bytes()[:kept])
    [(path, place, [damage])] = failed("HEAD")
    assert (path, place, damage.row_count) == ("data/splits.jsonl", "cache", 4)
    assert "cut short" in damage.reason


def test_two_objects_that_changed_places_are_told_by_each_others_names(at):
    train, test = (at / ".dvc/cache" / objects(at)[f"data/curated/{name}.jsonl"] for name in ("train", "test"))
    aside = train.rename(train.with_suffix(".aside"))
    test.rename(train)
    aside.rename(test)
    [(_, _, damage)] = failed("HEAD")
    assert {each.path: each.reason.partition(",")[0] for each in damage} == {
        "data/curated/test.jsonl": "holds the bytes of train.jsonl",
        "data/curated/train.jsonl": "holds the bytes of test.jsonl",
    }


def test_a_file_too_many_and_one_too_few_are_named(at):
    (at / "data/curated/test.jsonl").rename(at / "data/curated/other.jsonl")
    [(_, _, damage)] = failed()
    assert [(each.path, each.reason) for each in damage] == [
        ("data/curated/test.jsonl", "is not there"),
        ("data/curated/other.jsonl", "is none of its files"),
    ]


def test_a_damaged_listing_of_a_folder_is_read_from_elsewhere(at):
    store = at / ".dvc/cache" / objects(at)["data/curated"]
    tamper(store, b"train", b"trAin")
    [(path, place, [damage])] = failed("HEAD")
    assert (path, place, damage.object) == ("data/curated", "cache", str(store))


def edit_lock(root: Path, old: str, new: str, count: int = 1) -> None:
    text = (root / "dvc.lock").read_text()
    assert old in text
    (root / "dvc.lock").write_text(text.replace(old, new, count))


def test_an_edited_lock_is_found_when_it_names_other_bytes_that_exist(at):
    outs = {out.path: out.digest for out in outputs()}
    metrics = outs["data/splits.jsonl"]
    (at / "data/sources/rows.txt").write_text("one 2wo three four\n")
    dvc(at, "repro")
    other = {out.path: out.digest for out in outputs()}["data/splits.jsonl"]
    git(at, "checkout", "dvc.lock", "data/sources", "metrics.json")
    dvc(at, "checkout")
    edit_lock(
        at,
        f"path: data/splits.jsonl\n      hash: md5\n      md5: {metrics}",
        "path: data/splits.jsonl\n      hash: md5\n      md5: " + other,
    )
    found = failed()
    assert ("data/splits.jsonl", "workspace") in [(path, place) for path, place, _ in found]
    assert ("dvc.lock", "settings") in [(path, place) for path, place, _ in found]


def test_an_edited_size_in_the_lock_is_found(at):
    size = next(out.size for out in outputs() if out.path == "data/curated")
    edit_lock(at, f"size: {size}", f"size: {size + 1}", -1)
    assert {(path, place) for path, place, _ in failed()} == {
        ("data/curated", place) for place in ("cache", "remote local", "workspace")
    }


def test_an_input_that_changed_after_the_run_is_found(at):
    (at / "data/sources/rows.txt").write_text("one two three four \n")
    assert [(path, place) for path, place, _ in failed()] == [("data/sources/rows.txt", "workspace")]
    git(at, "commit", "-qam", "Not run")
    assert [(path, place) for path, place, _ in failed("HEAD")] == [("data/sources/rows.txt", "git")]
    assert failed("HEAD~1") == []


def test_deleting_an_object_changes_what_is_said_of_its_output_there_and_nothing_else(at):
    before = {(each.path, each.place): each.verdict for each in verify.verify(commit("HEAD"))}
    for path, place in objects(at).items():
        store = at / ".dvc/cache" / place
        content = store.read_bytes()
        store.chmod(0o644)
        store.unlink()
        now = {(each.path, each.place): each.verdict for each in verify.verify(commit("HEAD"))}
        output = "data/curated" if path.startswith("data/curated") else path
        assert {key: now[key] for key in now if now[key] != before[key]} == {(output, "cache"): "not checkable"}
        store.write_bytes(content)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_any_object_is_found(at, data):
    path = data.draw(st.sampled_from(sorted(objects(at))))
    base = at / data.draw(st.sampled_from([".dvc/cache", "../remote"]))
    store = base / objects(at)[path]
    content = store.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    store.chmod(0o644)
    store.write_bytes(changed)
    try:
        [(output, where, damage)] = failed("HEAD")
    finally:
        store.write_bytes(content)
    assert output == ("data/curated" if path.startswith("data/curated") else path)
    assert where == ("cache" if base.name == "cache" else "remote local")
    assert path in [each.path for each in damage]


def test_a_file_that_only_gained_a_row_names_none_as_lost(at):
    store = at / ".dvc/cache" / objects(at)["data/curated/train.jsonl"]
    content = store.read_bytes()
    store.chmod(0o644)
    store.write_bytes(content + b"x\n")
    said = run("dataset", "verify", cwd=at, code=1, **GIT).stdout
    store.write_bytes(content)
    assert "has other bytes, 1 row more than it should have" in said
    assert "1 row differs, and none is lost\n" in said


def test_the_command_names_the_damage_and_what_mends_it(at):
    store = at / ".dvc/cache" / objects(at)["data/curated/train.jsonl"]
    tamper(store)
    said = run("dataset", "verify", cwd=at, code=1, **GIT).stdout
    assert f"1 row differs: {TWO}" in said
    assert "`dataset verify --mend` replaces it by the copy in the remote local" in said
    run("dataset", "verify", "--mend", cwd=at, **GIT)
    assert store.stat().st_mode & 0o222 == 0
    rows = run("dataset", "verify", "--json", cwd=at, **GIT).stdout.splitlines()
    assert {json.loads(row)["verdict"] for row in rows} == {"verified"}


def test_a_remote_that_was_asked_for_must_have_everything(at):
    (at.parent / "remote" / objects(at)["data/splits.jsonl"]).unlink()
    run("dataset", "verify", "HEAD", cwd=at, **GIT)
    words = ("dataset", "verify", "HEAD", "--remote", "local")
    assert "is not in the remote local" in run(*words, cwd=at, code=1, **GIT).stdout


def test_an_object_that_dvc_takes_for_pushed_is_put_back(at):
    dvc(at, "push")
    gone = at.parent / "remote" / objects(at)["data/curated/train.jsonl"]
    gone.unlink()
    assert "up to date" in dvc(at, "push")
    assert not gone.exists()
    done = run("dataset", "verify", "HEAD", "--mend", "--remote", "local", cwd=at, **GIT)
    assert done.stderr == f"mended  remote local: {gone}\n"
    assert gone.read_bytes() == (at / "data/curated/train.jsonl").read_bytes()


def test_nothing_is_mended_with_a_damaged_copy(at):
    name = objects(at)["data/curated/train.jsonl"]
    for store in (at / ".dvc/cache", at.parent / "remote"):
        tamper(store / name)
    assert run("dataset", "verify", "HEAD", "--mend", cwd=at, code=1, **GIT).stderr == ""
    run("dataset", "verify", "--mend", cwd=at, **GIT)  # the workspace has it
    assert failed("HEAD") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--", "-x"], "-x: "),
        (["$(touch evil)"], "$(touch evil): "),
        (["--remote", "nowhere"], "nowhere"),
        (["HEAD~9"], "HEAD~9: "),
    ],
)
def test_what_does_not_exist_is_misuse(at, words, says):
    done = run("dataset", "verify", *words, cwd=at, code=2, **GIT)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert git(at, "status", "--porcelain") == ""


def test_a_commit_before_the_pipeline_is_misuse(at):
    git(at, "checkout", "-q", "--orphan", "empty")
    git(at, "rm", "-rq", "--cached", ".")
    git(at, "commit", "-qm", "Nothing", "--allow-empty")
    assert "has no DVC project" in run("dataset", "verify", "HEAD", cwd=at, code=2, **GIT).stderr
