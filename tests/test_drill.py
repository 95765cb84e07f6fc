"""The drill plants faults in a copy of a project's data; one that is not caught is a finding."""

import json

import yaml

from stages.contract import params
from tests.conftest import choose, run

WHOLE = {
    "exact duplicate", "near-duplicate", "leaked evaluation row", "email", "phone", "card", "iban", "secret",
    "wrong language", "loop", "empty reply", "cut off", "prompt injection", "boilerplate", "broken JSON",
    "bad tool arguments", "hostile HTML",
}  # fmt: skip


def drilled(root, code=0):
    return {
        row["fault"]: row
        for row in json.loads(run("dataset", "drill", "--rows", "40", "--json", cwd=root, code=code).stdout)
    }


def test_every_fault_is_caught_in_the_sample_and_the_project_is_left_alone(project):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    found = drilled(project)
    assert {name: row["verdict"] for name, row in found.items()} == dict.fromkeys(WHOLE, "caught")
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_what_is_not_caught_is_a_finding_and_what_is_not_looked_for_is_said(project):
    modes = {"phone": "keep", "card": "drop", "email": "surrogate"}
    rules = {"repetition": {"max_repeated": 1.0}, "cut_off": "off", "language": {"allowed": ["en", "de"]}}
    choose(project, {"filter": rules, "collect.redact": modes, "dedup.threshold": 0.99})
    found = drilled(project, code=1)
    verdicts = {name: row["verdict"] for name, row in found.items()}
    assert verdicts == dict.fromkeys(WHOLE, "caught") | {
        "loop": "missed", "near-duplicate": "missed", "cut off": "off", "phone": "off",
    }  # fmt: skip
    assert found["near-duplicate"]["how"] == "is in the dataset"
    assert found["card"]["how"] == "collect: personal_data (card 1)"
    assert found["cut off"]["how"] == "filter.cut_off is off"


def test_a_project_without_enough_data_is_told(project):
    for name in ("support", "generated", "seeds", "preferences"):
        chosen = params.read_yaml(project / "params.yaml")
        chosen["sources"].pop(name)
        (project / "params.yaml").write_text(yaml.safe_dump(chosen))
    (project / "data/sources/faq.csv").write_text("question,answer,topic\nHow do I add one?,Press the plus.,add\n")
    error = run("dataset", "drill", cwd=project, code=2).stderr
    assert error == "drill: 0 records are long enough to plant faults in, 6 are needed; add data\n"


def test_a_folder_that_is_there_is_not_built_over(project):
    assert "is there already" in run("dataset", "drill", "--keep", "data", cwd=project, code=2).stderr


def test_a_kept_copy_is_built_with_the_projects_own_key_and_holds_no_secret(project):
    secret, kept = "a key that nobody may guess 7281", project / "kept"
    (project / ".dataset-key").write_text(f"{secret}\n")
    choose(project, {"project_key": run("dataset", "key", cwd=project).stdout.strip()})
    run("dataset", "drill", "--rows", "40", "--keep", "kept", cwd=project)
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert kept / "reports/metrics.json" in files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    assert not (kept / ".dataset-key").exists()
