"""The whole pipeline on the sample: nothing lost, the same bytes anywhere, every planted fault found, a kill survived."""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from stages.contract import paths
from stages.contract.params import read_yaml
from stages.contract.record import decode_record
from tests.conftest import (
    REPOSITORY,
    SAMPLE,
    build,
    choose,
    is_the_sample,
    json_lines,
    run,
    sample_project,
    settings_of,
    stage,
    without_generation,
)

HOSTILE = "<script>alert(2)</script>"
PLANTED = json.loads((SAMPLE / "planted.json").read_text())
RAW = [
    "marta.kowalczyk@posteo.example",
    "+44 20 7946 0958",
    "4539 1488 0343 6467",
    "DE89 3704 0044 0532 0130 00",
    "219-09-9998",
    "14 March 1984",
    "529.982.247-25",
    "203.0.113.77",
    "2001:db8:85a3::8a2e:370:7334",
    "sk-proj-Zx81LmQpT0vWc93KdhRe77ab",
    "customer-042",
]


def outputs(root: Path, below: str = "") -> dict[str, str]:
    """The digest of every file that a run wrote."""
    found = [*root.glob("data/**/*"), *root.glob("reports/**/*")]
    names = {path.relative_to(root).as_posix(): path for path in found if path.is_file()}
    kept = {
        name: path for name, path in names.items() if not name.startswith(("data/eval", "data/.lock")) and below in name
    }
    own = {name: path for name, path in kept.items() if "data/sources" not in name or "generated" in name}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(own.items())}


# nothing is lost


def test_every_row_is_a_record_or_a_drop_and_every_record_is_curated_or_dropped_once(built):
    dropped = json_lines(built / "data/curated/dropped.jsonl")
    kept = [row["id"] for row in json_lines(built / "data/curated/index.jsonl")]
    records = [
        json.loads(line)["id"]
        for path in built.glob("data/records/*/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    rows = sum(json.loads(path.read_text())["rows"] for path in built.glob("data/origins/*/source.json"))
    early = [drop["id"] for drop in dropped if drop["stage"] == "collect"]
    late = [drop["id"] for drop in dropped if drop["stage"] != "collect"]
    assert len(records) == len(set(records))
    assert rows == len(records) + len(early)
    assert Counter(kept + late) == Counter(records)
    assert {
        json.loads(line)["id"]
        for path in built.glob("data/origins/*/*.jsonl")
        for line in path.read_text().splitlines()
    } == set(records + early)


def test_the_rows_counted_are_the_rows_of_the_files(built):
    lines = sum(len(path.read_bytes().splitlines()) for path in built.glob("data/sources/support/*.jsonl"))
    assert json.loads((built / "data/origins/support/source.json").read_text())["rows"] == lines


def test_every_planted_fault_is_found_by_its_own_stage_for_its_own_reason(built):
    found = {(drop["id"], drop["stage"], drop["reason"]) for drop in json_lines(built / "data/curated/dropped.jsonl")}
    expected = {(plant["id"], plant["stage"], plant["reason"]) for plant in PLANTED if plant["effect"] == "dropped"}
    assert found == expected  # no clean record is among the drops, the hard negatives included


def test_exactly_the_planted_personal_data_is_replaced(built):
    records = [
        decode_record(line) for path in built.glob("data/records/*/*.jsonl") for line in path.read_bytes().splitlines()
    ]
    found = {(record.id, kind) for record in records for kind in record.meta.redacted}
    assert found == {(plant["id"], plant["reason"]) for plant in PLANTED if plant["effect"] == "redacted"}


def test_no_planted_personal_data_is_in_any_output(built):
    for name in outputs(built):
        text = (built / name).read_bytes()
        assert [value for value in RAW if value.encode() in text] == [], name


def test_planted_html_is_kept_as_data_and_stands_in_no_report_as_html(built):
    (planted,) = (plant["id"] for plant in PLANTED if plant["effect"] == "inert")
    curated = [line for path in built.glob("data/curated/*.jsonl") for line in path.read_text().splitlines()]
    assert sum(HOSTILE in line for line in curated) == 1
    assert sum(planted in line for line in curated) == 1  # in the index
    assert [path.name for path in built.glob("reports/*.*") if HOSTILE in path.read_text()] == []


def test_every_planted_kind_of_fault_has_its_row(built):
    assert {plant["stage"] for plant in PLANTED} == {*paths.PER_SOURCE, *paths.GLOBAL, "report"} - {"balance"}
    modes = settings_of(SAMPLE)["collect"]["redact"]
    replaced = {kind for kind, mode in modes.items() if mode != "keep"}
    assert {plant["reason"] for plant in PLANTED if plant["effect"] == "redacted"} == replaced


def test_the_ledger_beside_the_origins_says_of_every_record_what_was_replaced_in_it(built):
    rows = [row for path in built.glob("data/origins/*/[0-9]*.jsonl") for row in json_lines(path)]
    records = [
        decode_record(line) for path in built.glob("data/records/*/*.jsonl") for line in path.read_bytes().splitlines()
    ]
    ledger = {row["id"]: row.get("redacted", {}) for row in rows}
    assert ledger == {record.id: record.meta.redacted for record in records}
    assert any(ledger.values())


def test_every_float_is_written_with_at_most_three_decimals(built):
    for path in [*built.glob("data/**/*.json*"), *built.glob("reports/**/*.json")]:
        if "data/sources" not in str(path):
            text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', path.read_text())
            assert not re.search(r"\d\.\d{4}", text), path


def test_a_drop_says_why(built):
    for drop in json_lines(built / "data/curated/dropped.jsonl"):
        assert set(drop) == {"id", "source", "stage", "reason", "evidence"}
        assert drop["evidence"] or drop["reason"] in ("empty_file", "too_long"), drop


# the same input, the same bytes


@pytest.mark.parametrize(
    "env",
    [
        {"DATASET_ENGINE": "serial", "PYTHONHASHSEED": "1"},
        {"DATASET_ENGINE": "local", "DATASET_WORKERS": "3", "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    ],
)
def test_another_folder_engine_hash_seed_and_time_zone_give_the_same_bytes(built, tmp_path, env):
    assert outputs(build(sample_project(tmp_path), **env)) == outputs(built)


def test_shuffled_source_lines_give_the_same_curated_data(built, tmp_path):
    root = sample_project(tmp_path)
    for path in [*root.glob("data/sources/**/*.jsonl")]:
        lines = path.read_bytes().splitlines(keepends=True)
        random.Random(7).shuffle(lines)
        path.write_bytes(b"".join(lines))
    build(root)
    assert outputs(root, "data/curated") == outputs(built, "data/curated")
    assert outputs(root, "data/origins") != outputs(built, "data/origins")


def test_many_workers_on_many_shards_give_the_bytes_of_one(tmp_path):
    made = [wide_project(tmp_path / name) for name in ("one", "many")]
    for root, env in zip(made, ({"DATASET_ENGINE": "serial"}, {"DATASET_WORKERS": "3"}), strict=True):
        for name, source in (("collect", "log"), ("measure", "log"), ("filter", "log"), ("dedup", ""), ("judge", "")):
            (root / "data/dropped").mkdir(parents=True, exist_ok=True)
            if name == "judge":
                (root / "data/dropped/decontaminate.jsonl").touch()
            stage(root, name, source, **env)
    assert outputs(made[0]) == outputs(made[1])
    assert len(list((made[0] / "data/records/log").iterdir())) > 2


def wide_project(root: Path, rows: int = 9_000) -> Path:
    """A project with one source that fills several shards; its last rows repeat its first ones."""
    root.mkdir(parents=True)
    chosen = read_yaml(SAMPLE / "params.yaml")
    del chosen["generate"]
    chosen["sources"] = {"log": {"path": "log.jsonl", "licence": "CC0-1.0"}}
    (root / "params.yaml").write_text(yaml.safe_dump(chosen))
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    words = [f"{start}{end}" for start in ("list", "task", "due", "plan", "board") for end in range(40)]
    chance = random.Random(3)
    said = [" ".join(chance.choices(words, k=9)) + f" {number % (rows - 500)}" for number in range(rows)]
    said[-500:] = said[:500]
    lines = (json.dumps({"input": f"What about {text}?", "output": f"This is what {text} is about."}) for text in said)
    (root / "log.jsonl").write_text("\n".join(lines))
    return root


# sources come and go


def test_a_removed_and_a_renamed_source_leave_nothing_behind(built, tmp_path):
    used, clean = tmp_path / "used", tmp_path / "clean"
    shutil.copytree(built, used)
    sample_project(clean)
    for root in (used, clean):
        chosen = read_yaml(root / "params.yaml")
        del chosen["sources"]["preferences"]
        chosen["sources"]["questions"] = chosen["sources"].pop("faq")
        (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
        build(root)
    assert outputs(used) == outputs(clean)


def test_the_project_works_without_generation(tmp_path):
    root = build(without_generation(sample_project(tmp_path)))
    assert run("dataset", "gate", cwd=root).returncode == 0


def test_measuring_again_takes_over_the_shards_that_did_not_change(tmp_path):
    root = wide_project(tmp_path / "p")
    stage(root, "collect", "log")
    stage(root, "measure", "log")
    before = {path.name: path.stat().st_ino for path in (root / "data/scores/log").iterdir()}
    with (root / "log.jsonl").open("a") as file:
        file.write('\n{"input": "And what about the new row?", "output": "The new row is in the last shard."}\n')
    stage(root, "collect", "log")
    stage(root, "measure", "log")
    after = {path.name: path.stat().st_ino for path in (root / "data/scores/log").iterdir()}
    assert [name for name in before if before[name] != after[name]] == [max(before)]


def test_a_shard_of_scores_that_is_not_what_was_written_is_measured_again(tmp_path):
    root = wide_project(tmp_path / "p", rows=3_000)
    for name in ("collect", "measure"):
        stage(root, name, "log")
    before = outputs(root)
    scores, signed = (root / f"data/{kind}" for kind in ("scores/log/00000.jsonl", "signatures/log/00000.npy"))
    for path, content in (
        (scores, scores.read_bytes().replace(b"0", b"1", 1)),
        (signed, b"nothing"),
        (scores, b"no json"),
    ):
        path.write_bytes(content)
        stage(root, "measure", "log")
        assert outputs(root) == before


# killed at any moment


def test_a_stage_killed_at_any_moment_leaves_whole_outputs(tmp_path):
    root = wide_project(tmp_path / "p", rows=6_000)
    for name in ("collect", "measure"):
        stage(root, name, "log")
    old = outputs(root)
    (root / "log.jsonl").write_text((root / "log.jsonl").read_text().replace("This is what", "That is what"))
    for name in ("collect", "measure"):
        started = time.monotonic()
        stage(root, name, "log")
        took, new = time.monotonic() - started, outputs(root)
        chance = random.Random(name)
        for _ in range(10):
            process = subprocess.Popen(
                [sys.executable, "-m", f"stages.{name}", "--source", "log"],
                cwd=root,
                env=child_environment(),
                start_new_session=True,
            )
            time.sleep(chance.random() * took)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert whole(root, old, outputs(root), new)
        stage(root, name, "log")
    assert not list(root.glob("data/**/*.tmp"))


def child_environment() -> dict[str, str]:
    """The environment of a stage that is started by hand."""
    return dict(os.environ) | {"PYTHONPATH": str(REPOSITORY), "DATASET_ENGINE": "serial"}


def whole(root: Path, old: dict[str, str], now: dict[str, str], new: dict[str, str]) -> bool:
    """Every folder is the old one, the new one or not there; none is a mixture, and no file is half written."""
    for folder in ("data/records/log", "data/origins/log", "data/scores/log", "data/signatures/log"):
        found = {name: value for name, value in now.items() if name.startswith(f"{folder}/")}
        before = {name: value for name, value in old.items() if name.startswith(f"{folder}/")}
        after = {name: value for name, value in new.items() if name.startswith(f"{folder}/")}
        if found and found not in (before, after):
            return False
    return all(json_lines(path) is not None for path in root.glob("data/records/log/*.jsonl"))


# the sample itself


def test_the_gate_passes_on_the_sample(built):
    assert "The gate passes." in run("dataset", "gate", cwd=built).stdout


def test_a_failing_rule_makes_the_gate_exit_1_with_its_remedy(built, tmp_path):
    root = tmp_path / "strict"
    shutil.copytree(built, root)
    choose(root, {"gate.rules": [{"name": "enough examples", "min": 2000}]})
    done = run("dataset", "gate", cwd=root, code=1)
    assert "FAIL   enough examples: dataset.examples is" in done.stdout
    assert "with the stage generate, raise its count" in done.stdout


def test_the_summary_shows_every_stage(built):
    text = run("dataset", "summary", cwd=built).stdout
    assert all(name in text for name in ("collect", "filter", "dedup", "decontaminate", "judge", "balance", "split"))


def test_a_changed_evaluation_set_stops_the_pipeline_until_it_is_frozen_again(built, tmp_path):
    root = tmp_path / "changed"
    shutil.copytree(built, root)
    with (root / "data/eval/gold.jsonl").open("a") as file:
        said = [{"role": "user", "content": "A new question, is it?"}, {"role": "assistant", "content": "It is."}]
        file.write(json.dumps({"messages": said}) + "\n")
    assert "has changed" in stage(root, "decontaminate", code=2).stderr
    comments = [line for line in (root / "params.yaml").read_text().splitlines() if "#" in line]
    assert "216 rows, what changed is not told" in run("dataset", "freeze", cwd=root).stdout  # there is no git here
    assert [line for line in (root / "params.yaml").read_text().splitlines() if "#" in line] == comments
    stage(root, "decontaminate")
    assert "pinned already" in run("dataset", "freeze", cwd=root).stdout


def test_check_names_every_evaluation_set_that_is_not_what_is_pinned_and_exits_1(project):
    gold = project / "data/eval/gold.jsonl"
    before, row = gold.read_bytes(), gold.read_bytes().splitlines()[0]
    (project / "data/eval/extra.jsonl").write_bytes(row + b"\n")
    gold.write_bytes(before + row + b"\n")
    said = run("dataset", "check", cwd=project, code=1).stdout.splitlines()
    assert said[0].startswith("data/eval/extra.jsonl: is not pinned")
    assert said[1].startswith(
        f"data/eval/gold.jsonl: has changed (sha256 {hashlib.sha256(gold.read_bytes()).hexdigest()[:12]}…"
    )
    assert "is fine" not in " ".join(said)
    gold.unlink()
    assert "data/eval/gold.jsonl: is not there" in run("dataset", "check", cwd=project, code=1).stdout
    gold.write_bytes(before)
    (project / "data/eval/extra.jsonl").unlink()
    assert "1 evaluation set as pinned" in run("dataset", "check", cwd=project).stdout


@pytest.mark.parametrize(
    "row",
    [
        '{"title": "a", "body": "b"}',
        '{"messages": [{"role": "bot"}]}',
        '{"messages": []}',
        '{"messages": [{"role": "user", "content": "What is it?"}]}',
        "5",
        "",
    ],
)
def test_an_evaluation_set_that_is_none_is_not_frozen(project, row):
    (project / "data/eval/gold.jsonl").write_text(f"{row}\n")
    done = run("dataset", "freeze", cwd=project, code=2)
    assert done.stderr.startswith("data/eval/gold.jsonl:" if row else "data/eval/gold.jsonl: has no row")
    assert len(done.stderr.splitlines()) == 1


def test_check_finds_a_mistake_before_the_run(project):
    assert "params.yaml is fine" in run("dataset", "check", cwd=project).stdout
    text = (project / "params.yaml").read_text()
    for old, new, said in (
        (
            "path: data/sources/faq.csv",
            "path: data/sources/faqs.csv",
            "sources.faq.path: data/sources/faqs.csv is not there",
        ),
        ("\nseed:", "\ndedup: {treshold: 0.8}\nseed:", "did you mean threshold?"),
        ("\nseed:", "\ngate: {rules: [{name: enough examples, minimum: 9}]}\nseed:", "unknown field `minimum`"),
        ("profile: lesson-200", "profile: lesson-100", "there is no profile 'lesson-100'; did you mean lesson-200"),
        ("\nseed:", "\nfilter: {cutoff: off}\nseed:", "stages/checks has no cutoff.py; did you mean cut_off?"),
        ("\nseed: 42", '\nseed: "42"', "seed: expected `int`, got `str`"),
        ("\nseed:", "\nsplit: {train: 0.9}\nseed:", "split: train, validation and test do not add up to 1"),
        ("\nseed:", "\nsplit: {near: 0.5}\nseed:", "split.near: 0.5 is below dedup.floor"),
        ("\nseed:", "\nfilter: {language: {allowed: [zho]}}\nseed:", "allowed: 'zho' is not among measure.language"),
        ("path: data/sources/faq.csv", "path: data/sources/faq.csv\n    shape: alpca", "faq.shape: 'alpca' is unknown"),
        ("path: data/sources/faq.csv", "path: data/curated", "sources.faq.path: the pipeline writes data/curated"),
        ("path: data/sources/faq.csv", "path: data", "sources.faq.path: the pipeline writes data/"),
        ("\nseed:", "\nfilter: {cut_off: }\nseed:", "filter.cut_off: says nothing; write on, off"),
    ):
        (project / "params.yaml").write_text(text.replace(old, new))
        assert said in run("dataset", "check", cwd=project, code=2).stderr


def test_the_key_command_prints_what_the_params_want(project):
    key = "thirty-two characters of a secret"
    made = run("dataset", "key", cwd=project, DATASET_KEY=key).stdout.strip()
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace(run("dataset", "key", cwd=project).stdout.strip(), made))
    stage(project, "collect", "faq", DATASET_KEY=key)
    assert "can be guessed" in stage(project, "collect", "faq", code=2, DATASET_KEY="short").stderr


def test_the_evaluation_set_is_never_trained_on(built):
    gold = {
        json.dumps(json.loads(line)["messages"]) for line in (SAMPLE / "data/eval/gold.jsonl").read_text().splitlines()
    }
    curated = {
        json.dumps(json.loads(line)["messages"])
        for path in built.glob("data/curated/*.jsonl")
        for line in path.read_text().splitlines()
        if "messages" in json.loads(line)
    }
    assert len(gold) >= 200
    assert not gold & curated


def test_the_sample_is_small_and_varied():
    files = [path for path in (SAMPLE / "data").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    replies: Counter[str] = Counter()
    for path in (SAMPLE / "data/sources/support").iterdir():
        for line in path.read_text().splitlines():
            try:
                messages = json.loads(line)["messages"]
            except ValueError:
                continue
            replies.update(
                m["content"] for m in messages if isinstance(m, dict) and m["role"] == "assistant" and m["content"]
            )
    assert max(replies.values()) <= 5


def test_no_two_rows_of_the_evaluation_set_share_eight_words_in_a_row():
    seen: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(json_lines(SAMPLE / "data/eval/gold.jsonl")):
        for message in row["messages"]:
            words = re.findall(r"\w+", message["content"].lower())
            for place in range(len(words) - 7):
                assert seen.setdefault(tuple(words[place : place + 8]), number) == number


def test_the_shipped_sample_is_the_one_the_tests_own():
    if not is_the_sample():
        pytest.skip("this project has data of its own")
    for path in (*(SAMPLE / "data").rglob("*"), *(SAMPLE / "reports").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (REPOSITORY / path.relative_to(SAMPLE)).read_bytes(), path
