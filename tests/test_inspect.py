"""`dataset inspect` shows what a file would become, and `dataset add` names it in params.yaml without touching the rest."""

import gzip
import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import edit, inspection
from lineage.commands.add import add_source
from stages.contract import params
from stages.contract.params import Stop
from tests.conftest import SAMPLE, json_lines, run, stage


@pytest.fixture
def here(project, monkeypatch):
    """The tests' sample as the project that this process is in."""
    monkeypatch.setattr(edit.paths, "ROOT", project)
    params.whole.cache_clear()
    yield project
    params.whole.cache_clear()


def written(root, name, text):
    path = root / "data/sources" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_two_columns_of_a_table_are_found_to_be_question_and_answer(here):
    seen = inspection.inspect(here / "data/sources/faq.csv", {})
    assert seen.suggested == {"topic_field": "topic", "fields": {"input": "question", "output": "answer"}}
    assert seen.shapes == {"input_output": 71}
    assert [(drop.drop.reason, drop.origin) for drop in seen.dropped] == [("wrong_columns", "data/sources/faq.csv:72")]
    assert seen.repairs == {"byte_order_mark": 1}


def test_a_log_declares_who_when_and_how_good(here):
    seen = inspection.inspect(here / "data/sources/support", {})
    assert seen.suggested == {
        "id_field": "conversation_id",
        "topic_field": "topic",
        "created_field": "date",
        "subject_field": "customer",
        "rating_field": "rating",
    }
    assert seen.copies == 3
    assert seen.redacted["email"] == 2
    assert sum(drop.drop.stage == "collect" for drop in seen.dropped) == 6


@pytest.mark.parametrize("path", ["faq.csv", "support", "preferences.jsonl", "seeds/examples.jsonl"])
def test_what_is_suggested_can_be_built_and_loses_what_was_foretold(here, path):
    if path.startswith("seeds"):
        shutil.move(here / "data/sources/seeds/examples.jsonl", here / "data/sources/examples.jsonl")
        path = "examples.jsonl"
    seen = inspection.inspect(here / "data/sources" / path, {})
    add_source("fresh", here / "data/sources" / path, "MIT", {})
    for name in ("collect", "measure", "filter"):
        stage(here, name, "fresh")
    drops = [
        *json_lines(here / "data/dropped/collect/fresh.jsonl"),
        *json_lines(here / "data/dropped/filter/fresh.jsonl"),
    ]
    assert sorted(drop["reason"] for drop in drops) == sorted(found.drop.reason for found in seen.dropped)


def test_a_field_that_repeats_is_no_id_and_a_word_is_no_rating(here):
    rows = [{"input": f"Question {n}?", "output": "Yes.", "id": "same", "score": "good"} for n in range(4)]
    path = written(here, "log.jsonl", "\n".join(map(json.dumps, rows)))
    assert inspection.inspect(path, {}).suggested == {}


def test_a_key_that_is_given_wins_and_null_takes_a_suggestion_out(here):
    seen = inspection.inspect(here / "data/sources/support", {"topic_field": None, "method": "log"})
    assert "topic_field" not in seen.suggested
    assert seen.suggested["method"] == "log"


def test_only_the_first_rows_are_read(here):
    path = here / "data/sources/many.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(
            json.dumps({"input": f"What is {n}?", "output": "It is a number, and so on."}) + "\n" for n in range(50)
        )
    seen = inspection.inspect(path, {}, limit=20)
    assert (seen.rows, seen.whole) == (20, False)


def test_an_entry_is_added_below_the_last_and_nothing_else_changes(here):
    before = (here / "params.yaml").read_text()
    add_source("again", here / "data/sources/faq.csv", "cc-by-4.0", {})
    after = (here / "params.yaml").read_text()
    start = next(n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    block = (
        "  again:\n    path: data/sources/faq.csv\n    licence: CC-BY-4.0\n    topic_field: topic\n"
        "    fields: {input: question, output: answer}\n"
    )
    assert len(after) == len(before) + len(block)
    assert after.replace(block, "") == before
    assert start > before.index("preferences:")


@pytest.mark.parametrize(
    ("name", "path", "licence", "options", "said"),
    [
        ("faq", "faq.csv", "MIT", {}, "is there already"),
        ("My-Log", "faq.csv", "MIT", {}, "use a-z, 0-9 and _"),
        ("log", "faq.csv", "free", {}, "is no SPDX identifier"),
        ("log", "nothing.csv", "MIT", {}, "is not there"),
        ("log", "faq.csv", "MIT", {"topic_feild": "x"}, "did you mean topic_field?"),
        ("log", "faq.csv", "MIT", {"topic_field": "intent"}, "no row has it; the rows have question, answer, topic"),
        ("log", "../packs/tasks.yaml", "MIT", {}, "none of its first"),
        ("log", "/etc/hostname", "MIT", {}, "is outside the project; copy it in first"),
    ],
)
def test_what_cannot_be_a_source_is_refused_and_nothing_is_written(here, name, path, licence, options, said):
    before = (here / "params.yaml").read_bytes()
    with pytest.raises(Stop, match=said.replace("?", r"\?")):
        add_source(name, here / "data/sources" / path, licence, options)
    assert (here / "params.yaml").read_bytes() == before


def test_nothing_is_written_by_looking(project):
    before = sorted(path for path in project.rglob("*"))
    run("dataset", "inspect", "data/sources/support", cwd=project)
    assert sorted(path for path in project.rglob("*")) == before


def test_the_command_shows_shape_drops_and_the_entry(project):
    text = run("dataset", "inspect", "data/sources/faq.csv", "--rows", "1", cwd=project).stdout
    for said in ("71 input_output", "collect.wrong_columns 1", "byte_order_mark 1", "question becomes the user's turn"):
        assert said in text
    assert text.endswith("    fields: {input: question, output: answer}\n")


def test_files_that_are_not_read_and_a_rule_that_most_rows_break_are_said_at_once(project):
    german = "Wie kann ich am besten eine neue Aufgabe in meinem Kalender anlegen?"
    rows = [
        {"instruction": f"{german} {n}", "output": f"Öffne bitte zuerst das Menü {n} und wähle dann „Neu“ aus."}
        for n in range(3)
    ]
    written(project, "log/a.jsonl", "\n".join(map(json.dumps, rows)))
    (project / "data/sources/log/more.parquet").write_bytes(b"PAR1\x15\x04")
    (project / "data/sources/log/README.md").write_text("Of whom it is.")
    text = " ".join(run("dataset", "inspect", "data/sources/log", cwd=project).stdout.split())
    assert "not read: data/sources/log/more.parquet; .jsonl, .json, .csv and .tsv are" in text
    assert "`filter` would drop 3 of 3 rows as wrong_language" in text
    assert "set filter: {language: {allowed: [en, de]}} in params.yaml" in text
    said = run("dataset", "add", "log", "data/sources/log", "--licence", "MIT", cwd=project).stdout
    assert said.count("Look: ") == 2
    assert "sources.log: not read: data/sources/log/more.parquet;" in run("dataset", "check", cwd=project).stdout


def test_a_long_reply_does_not_hide_what_follows(project):
    rows = [{"instruction": "Count for me, please.", "output": "\n".join(f"Line {n} of many." for n in range(500))}]
    written(project, "long.jsonl", json.dumps(rows[0]))
    lines = run("dataset", "inspect", "data/sources/long.jsonl", cwd=project).stdout.splitlines()
    assert len(lines) < 60
    assert "           … and 480 more lines" in lines
    assert "long.jsonl" in lines[-2]


def test_a_misspelt_command_is_answered_with_the_nearest(project):
    assert "No such command 'sumary'; did you mean summary?" in run("dataset", "sumary", cwd=project, code=2).stderr
    assert "No such command 'xyz'." in run("dataset", "xyz", cwd=project, code=2).stderr


def test_a_file_of_no_known_shape_is_a_finding_with_the_way_out(project):
    written(project, "words.csv", "utterance,intent\nhello to all of you there,greet the user back\n")
    look = ("dataset", "inspect", "data/sources/words.csv")
    assert "--set 'fields={input: utterance, output: COLUMN}'" in run(*look, cwd=project, code=1).stdout
    fields = ("--set", "fields={input: utterance, output: intent}")
    assert "hello to all of you there" in run(*look, *fields, cwd=project).stdout
    add = ("dataset", "add", "words", "data/sources/words.csv", "--licence", "MIT")
    assert "none of its first 1 rows" in run(*add, cwd=project, code=2).stderr
    assert "sources.words" in run(*add, *fields, cwd=project).stdout


# changes to YAML as text


YAML = """\
# first
a: 1 # one
b:
  # inside
  c: [1, 2]
  d:
    - x
    - y # last

# between
e: {}
f: |
  two
  lines

g: "text"
"""
VALUES = st.sampled_from(["5", "null", "[a, b]", '"quoted: text"', "{}", "word"])


@pytest.mark.parametrize("path", ["a", "b", "b.c", "b.d", "e", "f", "g"])
@given(value=VALUES)
def test_a_new_value_changes_only_its_key(path, value):
    before = params.mapping(YAML.encode(), "t")
    *outer, last = path.split(".")
    inner = before[outer[0]] if outer else before
    inner[last] = params.yaml_value(value.encode(), "t")
    text = edit.with_value(path, value).text(YAML)
    assert params.mapping(text.encode(), "t") == before
    kept = [line for line in YAML.splitlines() if line.startswith("#")]
    assert [line for line in text.splitlines() if line.startswith("#")] == kept


@pytest.mark.parametrize("path", ["a", "b", "b.c", "b.d", "e", "f", "g"])
def test_a_key_is_taken_out_alone(path):
    before = params.mapping(YAML.encode(), "t")
    *outer, last = path.split(".")
    del (before[outer[0]] if outer else before)[last]
    assert params.mapping(edit.without(path).text(YAML).encode(), "t") == before
    assert edit.without("nothing.here").text(YAML) == YAML


@pytest.mark.parametrize("path", ["b", "e"])
def test_an_entry_is_added_to_a_mapping(path):
    before = params.mapping(YAML.encode(), "t")
    before[path]["new"] = {"k": 1, "l": [2]}
    assert params.mapping(edit.with_entry(path, "new", "k: 1\nl: [2]").text(YAML).encode(), "t") == before


def test_a_mapping_in_braces_is_not_written_into():
    with pytest.raises(Stop, match="is not one key a line"):
        edit.with_entry("a", "new", "k: 1").text("a: {b: 1}\n")


def test_the_samples_own_params_come_through_an_edit():
    text = (SAMPLE / "params.yaml").read_text()
    assert edit.with_value("seed", "42").text(text) == text


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("base: &d\n  path: x\nsources: *d\n", edit.with_entry("sources", "new", "path: y")),
        ("base: &d\n  path: x\nsources: *d\nseed: 1\n", edit.with_value("sources", "{}")),
    ],
)
def test_a_layout_that_a_change_would_harm_is_left_to_people(here, text, change):
    (here / "params.yaml").write_text(text)
    with pytest.raises(Stop, match=r"edit it by hand|is not one key a line"):
        edit.edit("params.yaml", change)
    assert (here / "params.yaml").read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n",
        "base: &d\n  path: x\nsources:\n  a: *d\n",
        "sources: # none yet\nseed: 1\n",
        "note: |\n  a: \n  b\nsources: {} # none\n",
        "sources:\n  a:\n    path: >-\n      x",
        '\ufeffsources:\r\n  "a": {path: x} # old\r\nseed: 1\r\n',
        "sources: ~\nseed: 1",
        "seed: 1\nsources:\n    a:\n        path: x\n\n# the end\n",
    ],
)
def test_an_entry_fits_into_any_layout_and_keeps_comments_and_line_ends(here, text):
    (here / "params.yaml").write_bytes(text.encode())
    edit.edit("params.yaml", edit.with_entry("sources", "new", "path: y\nlicence: MIT"))
    after = (here / "params.yaml").read_bytes().decode()
    said = params.mapping(after.encode(), "t")
    assert said["sources"]["new"] == {"path": "y", "licence": "MIT"}
    assert list(said["sources"])[-1] == "new"
    assert after.count("#") == text.count("#")
    assert ("\r\n" in after, after.count("\n") == after.count("\r\n")) == (("\r\n" in text,) * 2)


def test_what_the_filter_would_take_is_told_from_what_cannot_be_read(project):
    rows = [{"prompt": f"Wie lösche ich die Liste Nummer {n} wieder?", "completion": GERMAN} for n in range(4)]
    written(project, "de.jsonl", "\n".join(map(json.dumps, rows)))
    text = run("dataset", "inspect", "data/sources/de.jsonl", cwd=project).stdout
    assert "the rules of `filter` would drop them all" in text
    run("dataset", "add", "de", "data/sources/de.jsonl", "--licence", "MIT", cwd=project)


GERMAN = "Öffnen Sie die Liste, wählen Sie das Menü oben rechts und drücken Sie dort auf Löschen."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "path=/etc/hostname"], "leave them out of --set"),
        (["--set", "licence=free"], "leave them out of --set"),
        (["--set", "shape=nosuch"], "'nosuch' is unknown"),
        (["--set", "match='*.tsv'"], "has no file that matches *.tsv"),
    ],
)
def test_a_key_that_cannot_be_is_refused(project, options, said):
    before = (project / "params.yaml").read_bytes()
    error = run(
        "dataset", "add", "log", "data/sources/support", "--licence", "MIT", *options, cwd=project, code=2
    ).stderr
    assert said in error
    assert (project / "params.yaml").read_bytes() == before


def test_the_project_itself_is_no_source(project):
    assert "holds the project itself" in run("dataset", "inspect", ".", cwd=project, code=2).stderr


def test_a_field_whose_values_never_come_again_is_no_topic(here):
    rows = [{"input": f"What is {n}?", "output": "A number.", "task": f"sentence {n}"} for n in range(9)]
    path = written(here, "log.jsonl", "\n".join(map(json.dumps, rows)))
    assert inspection.inspect(path, {}).suggested == {}
