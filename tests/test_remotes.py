"""Sharing over real servers on loopback: what arrives is what was sent, and what fails leaves nothing half-written."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lineage import verify
from lineage.repository import commit
from stages.contract import paths
from tests.cluster import until
from tests.conftest import GIT, git, run
from tests.servers import PASSWORD, USER, free_port, object_store, ssh_server

QUICK = {"AWS_MAX_ATTEMPTS": "1", "DVC_NO_ANALYTICS": "1"}
FILES, SIZE = 24, 400_000  # that are on their way when a server goes


class Remote:
    """A remote on a server: how it is named to DVC, where the server keeps it, and how the server is started."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind, self.port = folder, kind, free_port()
        self.kept = folder / ("served/bucket/data" if kind == "s3" else "served/data")

    def serving(self, *options: str) -> AbstractContextManager[Any]:
        if self.kind == "s3":
            return object_store(self.folder, port=self.port, options=options)
        return ssh_server(self.folder, self.port)

    def use(self, root: Path, password: str | None = None) -> None:
        """Name it in a clone as README says: the address for all, the credentials for oneself."""
        if self.kind == "s3":
            dvc(root, "remote", "add", "--force", "server", "s3://bucket/data")
            dvc(root, "remote", "modify", "server", "endpointurl", f"http://127.0.0.1:{self.port}")
            secrets = {"access_key_id": "reader", "secret_access_key": password or "secretsecret"}
        else:
            dvc(root, "remote", "add", "--force", "server", f"ssh://127.0.0.1:{self.port}/data")
            secrets = {"user": USER, "password": password or PASSWORD}
        for option, value in secrets.items():
            dvc(root, "remote", "modify", "--local", "server", option, value)


@pytest.fixture(params=["s3", "ssh"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    for variable, value in (QUICK | GIT | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(variable, value)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").symlink_to(tmp_path / "known_hosts")
    return Remote(tmp_path, request.param)


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of a small project that has its data."""
    return shutil.copytree(made, tmp_path / "first")


def dvc(root: Path, *words: str, code: int = 0) -> str:
    done = run("dvc", *words, cwd=root, code=code, PYTHONPATH="")
    return done.stdout + done.stderr


def checked(root: Path, monkeypatch: pytest.MonkeyPatch, name: str = "server") -> list[verify.Check]:
    monkeypatch.setattr(paths, "ROOT", root)
    return verify.verify(commit("HEAD"), name)


def verdicts(checks: list[verify.Check], place: str) -> set[str]:
    return {check.verdict for check in checks if check.place == place}


def a_clone(root: Path, name: str = "second") -> Path:
    git(root.parent, "clone", "-q", str(root), name)
    return root.parent / name


def test_what_is_pushed_arrives_in_a_fresh_clone_and_is_verified(remote, root, monkeypatch):
    with remote.serving():
        remote.use(root)
        dvc(root, "push", "-r", "server")
        assert ".dir" not in "".join(path.name for path in root.glob("*"))
        other = a_clone(root)
        remote.use(other)
        dvc(other, "pull", "-r", "server")
        checks = checked(other, monkeypatch)
    assert {check.verdict for check in checks} == {"verified"}
    for name in ("train", "test", "index"):
        path = f"data/curated/{name}.jsonl"
        assert (other / path).read_bytes() == (root / path).read_bytes()
    assert "secretsecret" not in (other / ".dvc/config").read_text()
    assert PASSWORD not in (other / ".dvc/config").read_text()


def test_a_tampered_object_on_the_server_is_named_and_mended(remote, root, monkeypatch):
    with remote.serving():
        remote.use(root)
        dvc(root, "push", "-r", "server")
        [stored] = [path for path in remote.kept.rglob("*") if path.is_file() and b'"two"' in path.read_bytes()]
        good = stored.read_bytes()
        stored.write_bytes(good.replace(b"two", b"2wo"))
        [found] = [check for check in checked(root, monkeypatch) if check.verdict == "failed"]
        assert (found.path, found.place) == ("data/curated", "remote server")
        assert found.damage[0].row_count == 1
        run("dataset", "verify", "HEAD", "--remote", "server", "--mend", cwd=root, HOME=os.environ["HOME"])
        assert stored.read_bytes() == good


def test_a_wrong_key_writes_nothing_and_says_so(remote, root):
    with remote.serving():
        remote.use(root, password="wrong")
        dvc(root, "push", "-r", "server", code=255)
        assert not [path for path in remote.kept.rglob("*") if path.is_file()]
        done = run("dataset", "verify", "HEAD", "--remote", "server", cwd=root, code=1)
        shown = done.stdout
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        assert "remote server   2 not checkable" in shown
        assert "not checkable, remote server: 2 (cannot be read" in shown
        said = run("dataset", "verify", "HEAD", "--remote", "server", "--mend", cwd=root, code=2).stderr
    assert "mend its address or the credentials" in said
    assert "Traceback" not in said


def test_a_server_that_is_not_there_is_tried_once(remote, root, monkeypatch):
    with remote.serving():
        remote.use(root)
    start = time.process_time()
    checks = checked(root, monkeypatch)
    assert verdicts(checks, "remote server") == {"not checkable"}
    assert verdicts(checks, "cache") == {"verified"}
    assert len({check.reason for check in checks if check.place == "remote server"}) == 1
    assert time.process_time() - start < 60


def with_large_files(root: Path) -> None:
    """A version that takes a while to move."""
    for number in range(FILES):
        (root / f"data/large/{number}").parent.mkdir(parents=True, exist_ok=True)
        (root / f"data/large/{number}").write_bytes(number.to_bytes(2, "big") * (SIZE // 2))
    dvc(root, "add", "-q", "data/large")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Large")


@contextmanager
def begun(root: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A DVC command under way."""
    process = subprocess.Popen(("dvc", *words), cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def arriving(folder: Path, before: int) -> Callable[[], bool]:
    return lambda: bytes_in(folder) > before


def gone_during(remote: Remote, root: Path, what: str, folder: Path) -> None:
    """Have the server go while DVC moves the large files; DVC must fail."""
    before = bytes_in(folder)
    with (
        remote.serving(*(["--bwlimit=3M"] if remote.kind == "s3" else [])),
        begun(root, what, "-r", "server") as process,
    ):
        until(arriving(folder, before + SIZE))
        moving = process.poll() is None
    assert moving, "it was over before the server went"
    assert bytes_in(folder) < FILES * SIZE


def test_a_server_that_goes_during_a_push_leaves_what_the_next_push_or_mend_completes(remote, root, monkeypatch):
    with_large_files(root)
    remote.use(root)
    gone_during(remote, root, "push", remote.folder / "served")
    with remote.serving():
        dvc(root, "push", "-r", "server")
        run("dataset", "verify", "HEAD", "--remote", "server", "--mend", cwd=root)
        assert {check.verdict for check in checked(root, monkeypatch)} == {"verified"}


def test_a_server_that_goes_during_a_pull_leaves_nothing_that_passes_for_data(remote, root, monkeypatch):
    with_large_files(root)
    remote.use(root)
    with remote.serving():
        dvc(root, "push", "-r", "server")
    other = a_clone(root)
    remote.use(other)
    (other / ".dvc/cache").mkdir(exist_ok=True)
    gone_during(remote, other, "pull", other / ".dvc/cache")
    with remote.serving():
        assert "failed" not in verdicts(checked(other, monkeypatch), "cache")
        dvc(other, "pull", "-r", "server")
        assert {check.verdict for check in checked(other, monkeypatch)} == {"verified"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk), check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield disk
    finally:
        subprocess.run(("umount", disk), check=True)


def grow(disk: Path) -> None:
    subprocess.run(("mount", "-o", "remount,size=64m", disk), check=True)


def test_a_full_disk_under_the_remote_leaves_nothing_half_written(root, small_disk, monkeypatch):
    with_large_files(root)
    dvc(root, "remote", "add", "server", str(small_disk / "remote"))
    assert "failed" in dvc(root, "push", "-r", "server", code=1)
    assert "failed" not in verdicts(checked(root, monkeypatch), "remote server")
    grow(small_disk)
    dvc(root, "push", "-r", "server")
    assert {check.verdict for check in checked(root, monkeypatch)} == {"verified"}


def test_a_full_disk_under_the_cache_leaves_nothing_half_written(root, small_disk, monkeypatch):
    with_large_files(root)
    dvc(root, "remote", "add", "server", str(root.parent / "other"))
    dvc(root, "push", "-r", "server")
    git(root, "commit", "-qam", "Remote")
    other = a_clone(root)
    dvc(other, "cache", "dir", "--local", str(small_disk / "cache"))
    run("dvc", "pull", "-r", "server", cwd=other, code=1)
    assert "failed" not in verdicts(checked(other, monkeypatch), "cache")
    grow(small_disk)
    dvc(other, "pull", "-r", "server")
    assert {check.verdict for check in checked(other, monkeypatch)} == {"verified"}
