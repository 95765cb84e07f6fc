"""`dataset show`: records and drops are found by what is known of them, and shown so that nothing in them is obeyed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import browse, display
from lineage.browse import Found, Query
from stages.contract.params import Stop
from stages.contract.record import Drop, decode_record, encode
from tests.conftest import record, run

NAMES = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def text_of(found: Found) -> str:
    return "\n".join(display.shown(found))


def ids(query: Query) -> list[str]:
    return [found.id for found in browse.search(query)]


def test_what_is_shown_and_what_is_dropped_are_all_rows(at_built):
    kept, dropped = ids(Query()), ids(Query(dropped=True))
    metrics = json.loads((at_built / "reports/metrics.json").read_text())
    assert len({*kept, *dropped}) == len(kept) + len(dropped) == metrics["input"]["rows"]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_is_listed_whole(at_built, split):
    index = map(json.loads, (at_built / "data/curated/index.jsonl").read_text().splitlines())
    found = ids(Query(split=split))
    assert sorted(found) == sorted(row["id"] for row in index if row["split"] == split)
    assert all(browse.by_id(identifier)[0].split == split for identifier in found[:3])


@pytest.mark.parametrize("stage", browse.STAGES)
def test_after_a_stage_the_records_are_left_that_the_metrics_count(at_built, stage):
    counts = json.loads((at_built / "reports/metrics.json").read_text())["stages"]
    assert len(ids(Query(after=stage))) == counts[stage]["out"]
    assert len(ids(Query(stage=stage))) == counts[stage]["dropped"]


def test_a_reason_and_a_source_narrow_the_drops(at_built):
    found = list(browse.search(Query(reason="cut_off", source="support")))
    assert len(found) == 2
    assert all(each.drop and (each.drop.reason, each.source) == ("cut_off", "support") for each in found)
    assert not ids(Query(reason="cut_off", source="faq"))


def test_a_record_is_found_by_the_start_of_its_id_with_the_line_it_came_from(at_built):
    row = json.loads((at_built / "data/origins/faq/00000.jsonl").read_text().splitlines()[4])
    (found,) = browse.by_id(row["id"][:10])
    assert (found.id, found.origin, found.source) == (row["id"], row["origin"], "faq")
    assert found.score == 5.0
    assert row["origin"] in text_of(found)


def test_a_dropped_record_is_found_with_its_reason(at_built):
    drop = next(each for each in browse.search(Query(stage="dedup")))
    (found,) = browse.by_id(drop.id)
    assert found.drop == drop.drop
    assert found.split is None
    assert "survivor" in text_of(found)


def test_a_row_that_never_became_a_record_is_shown_without_its_text(at_built):
    (found,) = browse.search(Query(reason="broken_json"))
    assert found.record is None
    assert browse.by_id(found.id)[0].origin == found.origin
    assert "its text is only in the source" in text_of(found)


def test_an_id_in_an_argument_of_a_call_is_no_record(at_built, tmp_path, monkeypatch):
    shard = tmp_path / "data/records/sample/00000.jsonl"
    call = {"id": "abcdefabc", "name": "get", "arguments": {"id": "f" * 32}}
    turns = [{"role": "user", "content": "Get it."}, {"role": "assistant", "tool_calls": [call]}]
    line = json.dumps({"id": "a" * 32, "messages": turns, "meta": {"licence": "MIT"}, "source": "sample"})
    shard.parent.mkdir(parents=True)
    shard.write_text(line.replace(": ", ":").replace(", ", ",") + "\n")
    monkeypatch.setattr(browse.paths, "ROOT", tmp_path)
    origins = tmp_path / "data/origins/sample"
    origins.mkdir(parents=True)
    (origins / "dropped.jsonl").touch()
    assert list(browse.in_source("sample", "ffffff", None)) == []


def test_an_id_that_is_too_short_is_refused(at_built):
    with pytest.raises(Stop, match="too short"):
        browse.by_id("ab")


@given(st.text(max_size=200))
def test_no_text_of_a_record_steers_the_terminal(text):
    drop = Drop("0" * 32, "sample", "filter", "cut_off", {"a": text, "b": [text]})
    made = record(text or "?", f"{text}\x1b[2J\u202e\x07", meta={"topic": text or None})
    plain = display.click.unstyle(text_of(Found(made.id, "sample", f"{text}:1", record=made, drop=drop)))
    assert not [letter for letter in plain if letter != "\n" and (ord(letter) < 32 or letter in "\x7f\u202e")]


def test_indented_code_keeps_its_lines_and_its_indent():
    made = record(said="Try:\n\n    for a in b:\n\tprint(a)\n")
    lines = display.click.unstyle(text_of(Found(made.id, "sample", record=made))).splitlines()
    at = lines.index("assistant  Try:")
    assert lines[at : at + 4] == ["assistant  Try:", "", "               for a in b:", "                   print(a)"]


def test_a_call_and_its_result_are_shown_by_role():
    call = {"id": "abcdefabc", "name": "add_task", "arguments": {"title": "milk"}}
    turns = [
        {"role": "user", "content": "Add milk."},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "ok", "tool_call_id": "abcdefabc"},
        {"role": "assistant", "content": "Done."},
    ]
    lines = display.click.unstyle(text_of(Found("0" * 32, "sample", record=record(messages=turns)))).splitlines()
    assert [line.split()[0] for line in lines[2:] if line] == ["user", "assistant", "tool", "assistant"]
    assert 'add_task({"title": "milk"})' in lines[3]


def test_the_losing_ending_of_a_pair_is_told_from_the_winning_one(at_built):
    found = next(each for each in browse.search(Query(source="preferences")))
    lines = display.click.unstyle(text_of(found)).splitlines()
    assert [line.split()[0] for line in lines[1:] if line[:1].isalpha()] == ["user", "assistant", "losing"]


@given(
    st.dictionaries(st.text("0123456789abcdef", min_size=32, max_size=32), st.floats(1, 5), max_size=40), st.integers(0)
)
def test_a_value_is_found_by_halving_just_as_by_reading_all(scores, number):
    content = b"\n".join(encode({"id": i, "score": score}) for i, score in sorted(scores.items()))
    wanted = [*scores, f"{number:032x}"[-32:]]
    for end in (b"", b"\n"):
        assert [browse.value_in(content + end, i, "score") for i in wanted] == [scores.get(i) for i in wanted]


@pytest.mark.parametrize("name", ["split", "judge"])
def test_the_outputs_that_are_halved_are_sorted_by_id(built, name):
    rows = [json.loads(line)["id"] for line in (built / browse.paths.OUTPUT[name]).read_text().splitlines()]
    assert rows == sorted(rows) != []


# the command


def test_json_is_one_record_a_line(built):
    lines = run("dataset", "show", "--json", "--split", "test", "--limit", "3", cwd=built).stdout.splitlines()
    assert len([decode_record(json.dumps(json.loads(line)["record"])) for line in lines]) == 3


def test_nothing_found_is_a_finding(built):
    assert run("dataset", "show", "--reason", "too_deep", cwd=built, code=1).stderr == "Nothing is there.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "nobody"], "--source nobody: is no source"),
        (["--reason", "cut_of"], "did you mean cut_off?"),
        (["--id", ""], "too short"),
        (["--rev", "no-such-branch"], "no-such-branch: is no commit"),
        (["--rev", "--upload-pack=touch x"], "is no commit"),
        (["--after", "filter", "--dropped"], "leave out --dropped"),
        (["--id", "abc"], "too short"),
        (["--id", "abcdef", "--split", "test"], "leave the other options out"),
        (["--dropped", "--split", "test"], "is in no split"),
    ],
)
def test_misuse_is_one_line_and_exit_2(built, options, said):
    error = run("dataset", "show", *options, cwd=built, code=2).stderr
    assert said in error
    assert len(error.splitlines()) == 1


def test_an_unbuilt_project_is_told_to_build(project):
    assert "run `make run`" in run("dataset", "show", cwd=project, code=2).stderr


def test_help_names_every_command_with_what_it_does(built):
    text = run("dataset", "--help", cwd=built).stdout
    for name in ("add", "drill", "gate", "inspect", "show", "start", "status", "try", "whatif"):
        assert any(line.strip().startswith(name) and len(line.split()) > 3 for line in text.splitlines()), name
