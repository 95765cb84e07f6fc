"""What tests share: records as literals, and projects built from the sample that the tests own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import settings

from stages.contract import params, paths
from stages.contract.record import Record, content_id

REPOSITORY = Path(__file__).parents[1]
SAMPLE = REPOSITORY / "tests/sample"
Build = Callable[..., Path]
NAMES = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
GIT = NAMES | {"GIT_CONFIG_GLOBAL": os.devnull}
SMALL = """\
stages:
  export:
    cmd: python write.py
    deps: [write.py, data/sources/rows.txt]
    outs: [data/curated, data/splits.jsonl]
  report:
    cmd: cp data/splits.jsonl metrics.json
    deps: [data/curated, data/splits.jsonl]
    outs: [metrics.json: {cache: false}]
"""
WRITE = """\
import hashlib, json, pathlib
folder = pathlib.Path("data/curated")
folder.mkdir(parents=True, exist_ok=True)
said = pathlib.Path("data/sources/rows.txt").read_text().split()
def line(row): return json.dumps(row, sort_keys=True, separators=(",", ":"))
def row(word): return line({"messages": word})
def ident(word): return hashlib.md5(word.encode()).hexdigest()
(folder / "train.jsonl").write_text("".join(row(word) + "\\n" for word in said))
(folder / "test.jsonl").write_text(row("other") + "\\n")
index = [{"digest": hashlib.blake2b(row(word).encode(), digest_size=16).hexdigest(), "id": ident(word), "kind": "example",
          "split": split} for word, split in [*((word, "train") for word in said), ("other", "test")]]
(folder / "index.jsonl").write_text("".join(line(each) + "\\n" for each in index))
pathlib.Path("data/splits.jsonl").write_text("".join(line({"id": ident(word), "split": "train"}) + "\\n" for word in said))
"""
"""A pipeline of two stages and four rows, with an index of data/curated as `export` writes it: quick to run and to share."""
settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
settings.load_profile("untimed")
OWN = ("DATASET_KEY", "DATASET_ENGINE", "DATASET_WORKERS", "DATASET_MAX_USD", "ANTHROPIC_API_KEY", "OPENAI_API_KEY")
for variable in OWN:
    os.environ.pop(variable, None)  # tests are about the sample, whatever its user has set


def record(
    asked: str = "How do I rename a list?", said: str = "Open its menu and choose Rename.", **more: Any
) -> Record:
    """A record of one exchange, or of the given `messages`; `meta` is merged into a licence."""
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    made = {
        "id": "0" * 32,
        "source": "sample",
        "messages": turns,
        **more,
        "meta": {"licence": "CC0-1.0"} | more.get("meta", {}),
    }
    result: Record = msgspec.convert(made, Record)
    if "id" not in more:
        result.id = content_id(result)
    return result


def run(*command: str, cwd: Path, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this Python first on the path, and check its exit code."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY)} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def stage(root: Path, name: str, source: str = "", code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one stage in a project, as DVC does."""
    return run("python", "-m", f"stages.{name}", *(["--source", source] if source else []), cwd=root, code=code, **env)


def git(root: Path, *words: str, code: int = 0) -> str:
    """Run git as somebody without settings of their own."""
    return run("git", *words, cwd=root, code=code, **GIT).stdout


def dvc(root: Path, *words: str) -> str:
    """Run DVC on a project's own code."""
    done = run("dvc", *words, cwd=root, PYTHONPATH="", DVC_NO_ANALYTICS="1", **GIT)
    return done.stdout + done.stderr


def code_of_the_project(root: Path) -> None:
    """Everything of this repository but its tests, its data, its params and what is built."""
    for name in run("git", "ls-files", "-co", "--exclude-standard", cwd=REPOSITORY).stdout.splitlines():
        own = name.startswith(("tests/", "data/", "reports/")) or name in ("dvc.lock", "dvc.yaml", "params.yaml")
        if not own and (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name)


def instances(root: Path) -> Iterator[tuple[str, str]]:
    """The stage instances of a project in an order that satisfies their dependencies."""
    chosen = params.read_yaml(root / "params.yaml")
    sources = chosen["sources"]
    if "generated" in sources:
        seeds = chosen["generate"]["seeds"]
        yield from ((name, seeds) for name in ("collect", "measure", "filter"))
        yield "generate", ""
        sources = {name: at for name, at in sources.items() if name != seeds}
    yield from ((name, source) for source in sources for name in ("collect", "measure", "filter"))
    yield from ((name, "") for name in ("dedup", "decontaminate", "judge", "balance", "split", "export", "report"))


def build(root: Path, **env: str) -> Path:
    """Run every stage of a project in order."""
    for name, source in instances(root):
        stage(root, name, source, **env)
    return root


def sample_project(root: Path) -> Path:
    """A project with the tests' sample, not built yet."""
    for folder in ("data", "reports"):
        shutil.copytree(SAMPLE / folder, root / folder)
    shutil.copy(SAMPLE / "params.yaml", root)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    return root


def settings_of(root: Path) -> dict[str, Any]:
    """Every setting of a project: its params.yaml over its profile."""
    return params.settled(params.read_yaml(root / "params.yaml"))


def choose(root: Path, changes: dict[str, Any]) -> None:
    """Have a project's params.yaml say this, by dotted paths."""
    chosen = params.read_yaml(root / "params.yaml")
    for path, value in changes.items():
        *sections, last = path.split(".")
        inner = chosen
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))


def without_generation(root: Path) -> Path:
    """The project without the stage `generate` and its source, both of which may be deleted."""
    chosen = params.read_yaml(root / "params.yaml")
    chosen.pop("generate", None)
    chosen["sources"].pop("generated", None)
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
    stanzas = yaml.safe_load((root / "dvc.yaml").read_text())
    stanzas["stages"].pop("generate", None)
    (root / "dvc.yaml").write_text(yaml.safe_dump(stanzas, sort_keys=False))
    return root


@pytest.fixture(autouse=True)
def _the_samples_params(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that are called in this process see the sample's params and key, not those of this repository's user."""
    monkeypatch.setattr(paths, "ROOT", SAMPLE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the test's own with the sample, not built yet."""
    return sample_project(tmp_path)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' sample, built once for all tests that only look at it."""
    return build(sample_project(tmp_path_factory.mktemp("built")))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the tests' sample, run once with DVC, committed and pushed to the remote beside it."""
    root = tmp_path_factory.mktemp("team") / "first"
    code_of_the_project(root)
    sample_project(root)
    if "generate:" not in (root / "dvc.yaml").read_text():
        without_generation(root)
    git(root, "init", "-q", "-b", "main")
    assert "Running stage 'report'" in dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "First version")
    dvc(root, "push")
    return root


def clone(shared: Path, name: str) -> Path:
    """A colleague's clone beside the repository, without its data."""
    git(shared.parent, "clone", "-q", "first", name)
    return shared.parent / name


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with an index of its rows, run, committed and pushed."""
    root = tmp_path_factory.mktemp("versions") / "made"
    (root / "data/sources").mkdir(parents=True)
    (root / "data/sources/rows.txt").write_text("one two three four\n")
    (root / "write.py").write_text(WRITE)
    (root / "dvc.yaml").write_text(SMALL)
    (root / "params.yaml").write_text("limit: 4\n")
    (root / ".gitignore").write_text("/data/curated\n/data/splits.jsonl\n")
    git(root, "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    dvc(root, "config", "core.autostage", "false")
    dvc(root, "remote", "add", "-d", "local", "../remote")
    dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "One")
    dvc(root, "push")
    return root


@pytest.fixture
def at_built(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The built sample as the project that this process is in."""
    monkeypatch.setattr(paths, "ROOT", built)
    params.whole.cache_clear()
    return built


@pytest.fixture
def use_params(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Give the stages these params instead of those of params.yaml."""
    return lambda given: monkeypatch.setattr(params, "whole", lambda: given)


def is_the_sample() -> bool:
    """Whether this repository still builds the sample as shipped, and not data or settings of its user's."""
    return (REPOSITORY / "params.yaml").read_bytes() == (SAMPLE / "params.yaml").read_bytes()


def json_lines(path: Path) -> list[Any]:
    """The JSON value of each line of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def calls(task: Callable[[Any], Any], given: Any) -> int:
    """How many functions a task calls, and how often generators go on."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        task(given)
    finally:
        sys.setprofile(None)
    return count
