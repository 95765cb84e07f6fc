"""`dataset try` and `dataset whatif` say what a run with other settings then does, and write nothing."""

import hashlib
import json
import os
import shutil

import pytest

from lineage import display, settings, trial
from stages.contract.params import Stop
from tests.conftest import choose, run, stage


def whole(root):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def dropped_by(root, name):
    paths = sorted((root / "data/dropped").glob(f"{name}/*.jsonl")) or [root / f"data/dropped/{name}.jsonl"]
    return {json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()}


def changed(built, tmp_path, path, value):
    """A copy of the built sample with another setting."""
    root = tmp_path / "changed"
    shutil.copytree(built, root)
    choose(root, {path: value})
    return root


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("filter.length.max_reply_tokens", 60),
        ("filter.language.allowed", ["de"]),
        ("filter.repetition.max_repeated", 1.0),
        ("filter.cut_off", "off"),
        ("profile", "permissive"),
    ],
)
def test_what_is_foretold_of_the_filter_is_what_a_run_does(at_built, tmp_path, path, value):
    found = trial.attempt("filter", {path: value}, 10_000) if path == "profile" else trial.what_if({path: value})
    root = changed(at_built, tmp_path, path, value)
    for source in ("faq", "generated", "preferences", "seeds", "support"):
        stage(root, "filter", source)
    assert found.after.keys() == dropped_by(root, "filter")
    assert found.before.keys() == dropped_by(at_built, "filter")
    assert {drop.id for drop in found.dropped} == found.after.keys() - found.before.keys()
    assert {drop.id for drop in found.released} == found.before.keys() - found.after.keys()
    assert found.looked_at == 705


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("dedup", "dedup.threshold", 0.7),
        ("judge", "judge.threshold", 5.0),
        ("judge", "profile", "permissive"),
        ("decontaminate", "decontaminate.words", 4),
        ("balance", "balance.max_per_topic", 20),
        ("split", "split.near", 0.75),
    ],
)
def test_what_is_foretold_of_a_stage_that_sees_all_is_what_a_run_does(at_built, tmp_path, name, path, value):
    found = trial.attempt(name, {path: value}, limit=10_000)
    root = changed(at_built, tmp_path, path, value)
    stage(root, name)
    assert found.after.keys() == dropped_by(root, name)
    assert found.before.keys() == dropped_by(at_built, name)


def test_what_a_cap_held_back_is_released_where_no_cap_is_left(built, tmp_path):
    root = changed(built, tmp_path, "balance.max_per_topic", 20)
    stage(root, "balance")
    found = json.loads(run("dataset", "try", "balance", "--set", "max_per_topic=null", "--json", cwd=root).stdout)
    assert {drop["id"] for drop in found["released"]} == dropped_by(root, "balance") != set()
    assert found["dropped"] == []


def test_the_judges_kept_scores_tell_the_same_as_scoring_again(at_built):
    change = {"judge.threshold": 4.5}
    assert trial.what_if(change).after == trial.attempt("judge", change, limit=10_000).after != {}


def test_what_dedup_would_drop_is_told_from_the_kept_signatures(at_built, tmp_path):
    found = trial.what_if({"dedup.threshold": 0.7})
    root = changed(at_built, tmp_path, "dedup.threshold", 0.7)
    stage(root, "dedup")
    assert found.after.keys() == dropped_by(root, "dedup") > dropped_by(at_built, "dedup")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dedup.threshold": 0.6}, r"dedup.floor: 0.7 is above the threshold 0.6; lower it"),
        ({"dedup.compare": "prompt"}, r"dedup.compare: is part of what `measure` keeps; set it in params.yaml"),
    ],
)
def test_what_the_kept_signatures_cannot_tell_is_refused(at_built, settings, said):
    with pytest.raises(Stop, match=said):
        trial.what_if(settings)


def test_the_split_says_how_many_records_would_move(at_built):
    found = trial.attempt("split", {"split.train": 0.7, "split.validation": 0.2})
    assert set(found.moved) == {"train to validation"}
    assert f"train to validation {found.moved['train to validation']}" in "\n".join(display.outcome(found, {}, 0))


def test_other_measuring_is_measured_now(at_built):
    english = trial.attempt("filter", {"measure.skip": ["language", "repetition"]}, limit=10_000)
    assert {drop.reason for drop in english.released} == {"wrong_language", "repetitive", "repeated_lines"}


def test_rows_of_the_sources_are_read_again_for_collect(at_built):
    found = trial.attempt("collect", {"collect.longest_row": 1_500}, limit=10_000)
    assert {drop.reason for drop in found.dropped} == {"too_long"}
    assert not found.released
    assert found.looked_at == 713


def test_what_would_be_generated_is_shown_as_records(at_built):
    found = trial.attempt("generate", {"generate.count": 3})
    assert len(found.made) == found.looked_at == 3
    assert "would write 3 rows" in (text := "\n".join(display.outcome(found, {}, 1)))
    assert "assistant" in text


def test_a_rule_that_was_not_measured_yet_is_not_said_to_change_nothing(at_built, monkeypatch):
    real = trial.scores_of

    def without_lengths(source, *only):
        rows = real(source, *only)
        return ((i, {name: value for name, value in row.items() if name != "length"}) for i, row in rows)

    monkeypatch.setattr(trial, "scores_of", without_lengths)
    with pytest.raises(Stop, match="was not measured yet; run `make run`"):
        trial.what_if({"filter.length.max_reply_tokens": 60})
    found = trial.attempt("filter", {"filter.length.max_reply_tokens": 60}, limit=10_000)
    assert "reply_too_long" in {drop.reason for drop in found.dropped}


def test_a_text_that_would_be_cleaned_otherwise_is_counted(at_built):
    found = trial.attempt("collect", {"collect.redact": ["email"]}, limit=10_000)
    assert found.moved == {"records with another text": 7}


def test_a_sample_is_part_of_the_whole(at_built):
    some, every = (trial.attempt("filter", {"filter.length.max_reply_tokens": 60}, limit) for limit in (100, 10_000))
    assert 40 < some.looked_at < 200
    assert some.after.items() <= every.after.items()


def test_the_settings_are_those_of_the_file_again_afterwards(at_built):
    before = dict(settings.now("dedup"))
    trial.attempt("dedup", {"dedup.threshold": 0.9})
    assert settings.now("dedup") == before
    with pytest.raises(Stop):
        trial.attempt("dedup", {"dedup.treshold": 0.9})
    assert settings.now("dedup") == before


def test_nothing_is_written(built):
    before = whole(built)
    for command in (
        ("try", "filter", "--set", "length.max_tokens=20"),
        ("try", "dedup", "--set", "dedup.threshold=0.9"),
        ("try", "collect"),
        ("try", "generate"),
        ("whatif", "judge.threshold=4"),
    ):
        run("dataset", *command, cwd=built)
    assert whole(built) == before


def test_the_command_says_what_changes_and_why(built):
    text = run("dataset", "whatif", "filter.length.max_reply_tokens=60", "--rows", "1", cwd=built).stdout
    assert text.startswith("filter with filter.length.max_reply_tokens=60 (now 4000)\n705 looked at: ")
    assert "newly dropped" in text
    assert "reply_too_long" in text
    listed = json.loads(run("dataset", "whatif", "filter.length.max_reply_tokens=60", "--json", cwd=built).stdout)
    assert f"and {len(listed['dropped']) - 1} more newly dropped" in text


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("whatif", "filter.size.max_reply_tokens=512"), "DVC does not see a change below a key of this name"),
        (("whatif", "filter.lenght.max_reply=512"), "stages/checks has no lenght.py"),
        (("whatif", "filter.length.max_reply_token=512"), "did you mean max_reply_tokens?"),
        (("whatif", "balance.max_per_topic=3"), "`dataset try STAGE --set KEY=VALUE`"),
        (("whatif", "filter.length.max_tokens=9", "judge.threshold=4"), "one at a time"),
        (("whatif", "dedpu.threshold=1"), "did you mean dedup?"),
        (("whatif", "judge.threshold"), "write KEY=VALUE"),
        (("whatif", "judge.threshold=[1"), "is not YAML"),
        (("try", "judge", "--set", "threshold=7"), "judge.threshold"),
    ],
)
def test_misuse_is_one_line_and_exit_2(built, command, said):
    error = run("dataset", *command, cwd=built, code=2).stderr
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_trial_needs_a_run_to_be_held_against(project):
    assert "run `make run`" in run("dataset", "whatif", "filter.length.max_tokens=9", cwd=project, code=2).stderr


@pytest.mark.parametrize("gone", ["data/scores/faq", "data/dropped/dedup.jsonl"])
def test_what_was_never_measured_or_decided_is_not_taken_for_nothing(built, tmp_path, gone):
    root = tmp_path / "half"
    shutil.copytree(built, root)
    (shutil.rmtree if (root / gone).is_dir() else os.remove)(root / gone)
    error = run("dataset", "try", "judge", "--set", "threshold=4", cwd=root, code=2).stderr
    assert error.startswith(f"{gone}: is not there; run `make run`")
