"""What the README says is so: its commands exist, its tables and its tree name what is there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from lineage.commands import Commands, dataset
from stages.contract import params, paths
from stages.contract.record import Meta
from tests.conftest import REPOSITORY, SAMPLE, is_the_sample

README = (REPOSITORY / "README.md").read_text()
COMMANDS = {
    command.strip()
    for block in re.findall(r"`((?:make|dvc|dataset) [^`]+)`", README)
    + re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    for command in line.split("#")[0].split(" && ")
}


def test_the_first_command_stands_by_line_ten():
    assert next(number for number, line in enumerate(README.splitlines(), 1) if line.startswith("make ")) <= 10


def test_the_table_of_stages_is_in_the_order_of_the_pipeline():
    assert re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE) == list(paths.STAGES)


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if command.startswith("make ")))
def test_a_make_target_is_there(command):
    assert re.search(rf"^{command.split()[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if command.startswith("dataset ")))
def test_a_command_is_there(command):
    assert isinstance(dataset, Commands)
    assert command.split()[1] in dataset.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if command.startswith("dvc ")))
def test_dvc_knows_the_command_and_its_options(command):
    words = command.replace("…", "").split()[1:]
    nested = words[0] in ("artifacts", "exp", "metrics", "params", "plots", "remote")
    names = [word for word in words if re.fullmatch(r"[a-z]+", word)][: 2 if nested else 1]
    text = subprocess.run(["dvc", *names, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in text for option in words if option.startswith("-"))


def test_the_param_of_the_experiment_is_there():
    sample = params.read_yaml(SAMPLE / "params.yaml")
    for key in re.findall(r"-S ([\w.]+)=", README):
        value = sample
        for part in key.split("."):
            value = value[part]


def test_every_path_that_is_named_is_there_or_built():
    stanzas = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].values()
    built = [str(Path(out)) for stanza in stanzas for out in outs(stanza)]
    known = [*built, "reports/manifest.json", "data/sources/log", "data/curated", "data/origins", "data/dropped"]
    for name in re.findall(r"`((?:data|reports|stages|schemas|tests|lineage)/[\w./]*)", README):
        assert (REPOSITORY / name).exists() or any(name.startswith(out) for out in known), name


def outs(stanza):
    found = stanza.get("do", stanza)["outs"]
    return [next(iter(out)) if isinstance(out, dict) else out for out in found]


def test_the_tree_names_every_folder_and_file_it_shows():
    block = README.split("## The tree")[1].split("```")[1]
    parent = ""
    for line in block.strip().splitlines():
        name = line.split()[0]
        path = parent + name if line.startswith("  ") else name
        parent = name if not line.startswith("  ") else parent
        assert (REPOSITORY / path).exists(), path
    shown = {line.split()[0].rstrip("/") for line in block.splitlines() if line.startswith("  ")}
    assert shown == {
        path.name for path in (REPOSITORY / "stages").iterdir() if path.is_dir() and path.name != "__pycache__"
    }


def test_every_key_of_a_source_is_named():
    for field in (*params.Source.__struct_fields__,):
        assert f"`{field}`" in README or field in ("external",), field


def test_the_methods_are_those_of_the_record():
    methods = re.search(r"`method` \(([^)]+)\)", README)
    known = Meta.__annotations__["method"].__args__
    assert methods is not None
    assert re.findall(r"\w+", methods[1].replace(" or ", " ")) == list(known)


def test_the_shown_summary_is_the_samples():
    summary = re.search(r"(\d+) rows in, (\d+) examples out", README)
    metrics = params.read_yaml(REPOSITORY / "reports/metrics.json")
    if not is_the_sample():
        pytest.skip("this project has data of its own")
    assert summary is not None
    assert (int(summary[1]), int(summary[2])) == (metrics["input"]["rows"], metrics["dataset"]["examples"])
