"""A rule of one's own is one file and one key, as the README shows it; everything else stays as it is, and green."""

import json
import re
import shutil

import pytest

from tests.conftest import REPOSITORY, code_of_the_project, git, run, sample_project, stage

SHOWN = re.search(
    r"```python\n(\"\"\"Replies that shout.*?)```\n.*?```yaml\n(.*?)```",
    (REPOSITORY / "README.md").read_text(),
    re.DOTALL,
)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory):
    """A copy of this repository with the README's rule in it."""
    assert SHOWN is not None
    root = tmp_path_factory.mktemp("ruled")
    code_of_the_project(root)
    sample_project(root)
    shutil.copytree(REPOSITORY / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "reports", root / "reports", dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "dvc.lock", root)
    (root / "stages/checks/shouting.py").write_text(SHOWN[1])
    params = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(f"{params}\n{SHOWN[2]}")
    git(root, "init", "-q")
    git(root, "add", "-A")
    return root


def test_the_readme_shows_it_in_fifteen_lines():
    assert SHOWN is not None
    assert len([line for line in SHOWN[1].splitlines() if line]) + len(SHOWN[2].splitlines()) - 1 <= 15


def test_a_record_that_breaks_the_rule_is_dropped_and_says_why(ruled):
    own = {"PYTHONPATH": str(ruled)}
    rows = [("What is this?", "THIS IS A LIST, AND IT IS ALL YOURS."), ("What is that?", "That is another list.")]
    lines = (json.dumps({"input": asked, "output": said}) for asked, said in rows)
    (ruled / "data/sources/loud.jsonl").write_text("\n".join(lines))
    run("dataset", "add", "loud", "data/sources/loud.jsonl", "--licence", "MIT", cwd=ruled, **own)
    for name in ("collect", "measure", "filter"):
        stage(ruled, name, "loud", **own)
    (drop,) = map(json.loads, (ruled / "data/dropped/filter/loud.jsonl").read_text().splitlines())
    assert (drop["reason"], drop["evidence"]) == ("shouting", {"shouting": 1.0})


def test_a_misspelt_limit_of_the_rule_is_found(ruled):
    text = (ruled / "params.yaml").read_text()
    (ruled / "params.yaml").write_text(text.replace("max_capitals", "max_capital"))
    error = run("dataset", "check", cwd=ruled, code=2, PYTHONPATH=str(ruled)).stderr
    (ruled / "params.yaml").write_text(text)
    assert "filter.shouting" in error
    assert "did you mean max_capitals?" in error


def test_the_tests_stay_green(ruled):
    own = {"PYTHONPATH": str(ruled)}
    run("python", "-m", "lineage.schemas", cwd=ruled, **own)  # `make run` does it
    done = run(
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        "tests/test_contract.py",
        "tests/test_checks.py",
        cwd=ruled,
        **own,
    )
    assert "failed" not in done.stdout
    run("ruff", "check", "stages/checks", cwd=ruled)
    run("ruff", "format", "--check", "stages/checks", cwd=ruled)
