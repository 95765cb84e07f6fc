"""Every record that stays goes out once, in a form that trainers read, and what a format cannot hold is counted."""

from collections import Counter
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import export
from stages.contract.record import Record, decode, digest, encode, key_of_text
from stages.contract.run import Shard
from stages.export import Params, exported, exports, written
from tests.conftest import json_lines, record, stage

SHAPES = ("alpaca", "sharegpt")
SPLITS = ("train", "validation", "test")
TOOL = {
    "type": "function",
    "function": {"name": "add_task", "parameters": {"type": "object", "properties": {"title": {"type": "string"}}}},
}
USER = {"role": "user", "content": "Add milk."}
SYSTEM = {"role": "system", "content": "You manage tasks."}
SAID = {"role": "assistant", "content": "Done."}
LOST = {"role": "assistant", "content": "No."}


def call(identifier: str) -> dict[str, Any]:
    """A call of the tool."""
    return {"id": identifier, "name": "add_task", "arguments": {"title": "milk", "due": {"day": 3}}}


def result(identifier: str) -> dict[str, Any]:
    """What the tool answers."""
    return {"role": "tool", "tool_call_id": identifier, "content": "{}"}


CALLS = {"role": "assistant", "tool_calls": [call("aaaaaaaaa")]}
BOTH = {"role": "assistant", "tool_calls": [call("aaaaaaaaa"), call("bbbbbbbbb")]}
TURNS: dict[str, list[dict[str, Any]]] = {
    "plain": [USER, SAID],
    "system": [SYSTEM, USER, SAID],
    "turns": [USER, SAID, USER, SAID],
    "call": [USER, CALLS, result("aaaaaaaaa"), SAID],
    "parallel": [USER, BOTH, result("aaaaaaaaa"), result("bbbbbbbbb"), SAID],
    "text beside a call": [USER, CALLS | {"content": "Adding."}, result("aaaaaaaaa"), SAID],
    "weight 0": [USER, SAID | {"weight": 0}],
    "weight 1": [USER, SAID | {"weight": 1}],
    "two systems": [SYSTEM, SYSTEM, USER, SAID],
    "two users": [USER, USER, SAID],
}


def made(name: str, **more: Any) -> Record:
    """A record of one of the kinds of turns, with the tool if it calls it."""
    turns = TURNS[name]
    tools = [TOOL] if any("tool_calls" in turn for turn in turns) else []
    return record(messages=turns, tools=tools, source="faq", **more)


def keys(value: Any) -> set[str]:
    """All keys of a JSON value, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for each in value.values() for key in keys(each)}
    return {key for each in value for key in keys(each)} if isinstance(value, list) else set()


def project_with(root: Path, records: list[Record], drops: list[dict[str, Any]], **given_params: Any) -> Path:
    """A project of the sample with these records, turn about in each split, and these drops of balance."""
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["export"] |= given_params
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    files: dict[str, list[Any]] = {
        f"data/dropped/{stage_}/{name}.jsonl": [] for stage_ in ("collect", "filter") for name in content["sources"]
    }
    files |= {f"data/dropped/{name}.jsonl": [] for name in ("dedup", "decontaminate", "judge", "split")}
    gone = {drop["id"] for drop in drops}
    files["data/dropped/balance.jsonl"] = drops
    files["data/splits.jsonl"] = [
        {"id": each.id, "split": SPLITS[n % 3], "group": each.id}
        for n, each in enumerate(records)
        if each.id not in gone
    ]
    files["data/records/faq/00000.jsonl"] = records
    for place, rows in files.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    return root


def everything() -> list[Record]:
    """One record of every kind of turns, two pairs and two labelled answers."""
    return [
        *(made(name) for name in TURNS),
        made("plain", rejected=[LOST]),
        made("call", rejected=[LOST]),
        made("plain", label=True),
        made("system", label=False),
    ]


def outgoing(records: list[Record]) -> list[export.Written]:
    """The records in their outgoing forms, as a worker makes them."""
    with TemporaryDirectory() as folder:
        shard = Path(folder) / "00000.jsonl"
        shard.write_bytes(b"".join(encode(each) + b"\n" for each in records))
        return written(Shard(shard, set()), Params(formats=SHAPES))


def test_curated_rows_hold_messages_and_tools_and_nothing_else(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    rows = [row for name in SPLITS for row in json_lines(project / f"data/curated/{name}.jsonl")]
    assert len(rows) == len(TURNS)
    assert {frozenset(row) for row in rows} == {frozenset({"messages"}), frozenset({"messages", "tools"})}
    of_messages = {
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "weight",
        "id",
        "type",
        "function",
        "name",
        "arguments",
    }
    assert keys([row["messages"] for row in rows]) == of_messages


def test_arguments_are_the_json_text_of_an_object(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    rows = [row for name in SPLITS for row in json_lines(project / f"data/curated/{name}.jsonl")]
    calls = [each for row in rows for message in row["messages"] for each in message.get("tool_calls", [])]
    assert len(calls) == 4
    for each in calls:
        assert each.keys() == {"id", "type", "function"}
        assert isinstance(each["function"]["arguments"], str)
        assert decode(each["function"]["arguments"]) == {"title": "milk", "due": {"day": 3}}


def test_only_a_turn_that_calls_may_have_no_content(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    for name in SPLITS:
        for row in json_lines(project / f"data/curated/{name}.jsonl"):
            for message in row["messages"]:
                assert "content" in message
                assert isinstance(message["content"], str) or "tool_calls" in message


def test_pairs_go_out_in_the_form_of_openai_and_apart(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    rows = [row for name in SPLITS for row in json_lines(project / f"data/curated/preferences/{name}.jsonl")]
    assert len(rows) == 2
    for row in rows:
        assert row.keys() == {"input", "preferred_output", "non_preferred_output"}
        assert row["input"].keys() in ({"messages"}, {"messages", "tools"})
        assert row["input"]["messages"] == [{"content": "Add milk.", "role": "user"}]
        assert row["non_preferred_output"] == [{"content": "No.", "role": "assistant"}]
        assert row["preferred_output"][-1] == {"content": "Done.", "role": "assistant"}


def test_labelled_answers_go_out_as_prompt_and_completion_and_apart(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    rows = [row for name in SPLITS for row in json_lines(project / f"data/curated/labelled/{name}.jsonl")]
    assert {frozenset(row) for row in rows} == {frozenset({"prompt", "completion", "label"})}
    assert sorted(row["label"] for row in rows) == [False, True]
    assert {message["role"] for row in rows for message in row["completion"]} == {"assistant"}


def test_without_pairs_and_labels_there_are_no_such_folders(project: Path) -> None:
    stage(project_with(project, [made("plain")], []), "export")
    assert not (project / "data/curated/preferences").exists()
    assert not (project / "data/curated/labelled").exists()
    assert (project / "data/curated/test.jsonl").read_bytes() == b""


def test_every_example_is_written_or_counted_in_each_export(project: Path) -> None:
    stage(project_with(project, everything(), []), "export")
    losses = decode((project / "data/exports/losses.json").read_bytes())
    assert losses.keys() == set(SHAPES)
    for shape, counted in losses.items():
        rows = [row for name in SPLITS for row in json_lines(project / f"data/exports/{shape}/{name}.jsonl")]
        assert len(rows) == counted["rows"]
        assert counted["rows"] + sum(counted["left_out"].values()) == len(TURNS)
    assert losses["alpaca"] == {"rows": 2, "left_out": {"tools": 3, "turns": 2, "system": 2, "weight": 1}}
    assert losses["sharegpt"] == {
        "rows": 5,
        "left_out": {
            "parallel_calls": 1,
            "text_beside_a_call": 1,
            "weight": 1,
            "several_system_turns": 1,
            "turns_that_do_not_alternate": 1,
        },
    }


def test_a_format_that_is_not_asked_for_is_not_written(project: Path) -> None:
    (project / "data/exports/sharegpt").mkdir(parents=True)
    (project / "data/exports/sharegpt/train.jsonl").write_text("{}\n")
    stage(project_with(project, [made("plain")], [], formats=["alpaca"]), "export")
    assert sorted(entry.name for entry in (project / "data/exports").iterdir()) == ["alpaca", "losses.json"]


def test_an_unknown_format_stops_the_run(project: Path) -> None:
    done = stage(project_with(project, [made("plain")], [], formats=["alpacca"]), "export", code=2)
    assert done.stderr.startswith("params.yaml: export.formats[0]")
    assert "Traceback" not in done.stderr


def test_the_index_says_where_each_record_went_and_the_digest_of_its_line(project: Path) -> None:
    records = everything()
    stage(project_with(project, records, []), "export")
    index = {row["id"]: row for row in json_lines(project / "data/curated/index.jsonl")}
    assert sorted(index) == sorted(each.id for each in records)
    assert {each.id: index[each.id]["split"] for each in records} == {
        each.id: SPLITS[n % 3] for n, each in enumerate(records)
    }
    places = {"example": "", "preference": "preferences/", "labelled": "labelled/"}
    for kind, place in places.items():
        for name in SPLITS:
            lines = (project / f"data/curated/{place}{name}.jsonl").read_bytes().splitlines()
            rows = [row for row in index.values() if (row["kind"], row["split"]) == (kind, name)]
            assert [row["digest"] for row in rows] == [blake2b(line, digest_size=16).hexdigest() for line in lines]
    assert list(index) == sorted(index)


def test_a_dropped_record_goes_into_no_file_but_the_list_of_drops(project: Path) -> None:
    gone, stays = made("plain"), made("system")
    drop = {"id": gone.id, "source": "faq", "stage": "balance", "reason": "source_over_cap", "evidence": {"cap": 1}}
    stage(project_with(project, [gone, stays], [drop]), "export")
    assert json_lines(project / "data/curated/dropped.jsonl") == [drop]
    assert [row["id"] for row in json_lines(project / "data/curated/index.jsonl")] == [stays.id]
    assert sum(len(json_lines(project / f"data/curated/{name}.jsonl")) for name in SPLITS) == 1


def test_running_again_writes_the_same_and_clears_what_was_left(project: Path) -> None:
    def content() -> dict[str, bytes]:
        return {
            str(file): file.read_bytes()
            for at in ("curated", "exports")
            for file in (project / "data" / at).rglob("*.*")
        }

    stage(project_with(project, everything(), []), "export")
    before = content()
    (project / "data/curated/stale.jsonl").write_text("{}\n")
    stage(project, "export")
    assert content() == before


@pytest.mark.parametrize(
    ("name", "alpaca", "sharegpt"),
    [
        ("plain", None, None),
        ("weight 1", None, None),
        ("weight 0", "weight", "weight"),
        ("system", "system", None),
        ("turns", "turns", None),
        ("call", "tools", None),
        ("parallel", "tools", "parallel_calls"),
    ],
)
def test_a_loss_names_what_the_format_cannot_hold(name: str, alpaca: str | None, sharegpt: str | None) -> None:
    found = exported(made(name), SHAPES)
    assert {shape: line if isinstance(line, str) else None for shape, line in found.items()} == {
        "alpaca": alpaca,
        "sharegpt": sharegpt,
    }


@pytest.mark.parametrize("more", [{"rejected": [LOST]}, {"label": True}, {"label": False}])
def test_pairs_and_labelled_answers_stay_out_of_the_other_formats(more: dict[str, Any]) -> None:
    assert exported(made("plain", **more), SHAPES) == {}


RECORDS = st.lists(
    st.tuples(st.sampled_from(sorted(TURNS)), st.sampled_from([{}, {"rejected": [LOST]}, {"label": True}])), max_size=12
)


@given(RECORDS)
@settings(derandomize=True, max_examples=50)
def test_nothing_is_lost_between_records_and_exports(found: list[tuple[str, dict[str, Any]]]) -> None:
    records = [made(name, id=digest("record", n), **more) for n, (name, more) in enumerate(found)]
    split = {each.id: SPLITS[n % 3] for n, each in enumerate(records)}
    going = outgoing(records)
    assert [each.id for each in going] == [each.id for each in records]
    files = exports(going, split, Params(SHAPES))
    [line] = files["data/exports/losses.json"]
    examples = Counter(split[each.id] for each, (_, more) in zip(records, found, strict=True) if not more)
    for shape, counted in decode(line).items():
        rows = {name: len(files[f"data/exports/{shape}/{name}.jsonl"]) for name in SPLITS}
        assert sum(rows.values()) == counted["rows"]
        assert counted["rows"] + sum(counted["left_out"].values()) == examples.total()
        assert all(rows[name] <= examples[name] for name in SPLITS)


@given(st.permutations(range(14)))
@settings(derandomize=True, max_examples=10)
def test_what_one_record_becomes_does_not_depend_on_the_others(order: list[int]) -> None:
    records = everything()
    alone = {each.id: outgoing([each])[0] for each in records}
    assert all(each == alone[each.id] for each in outgoing([records[place] for place in order]))


def test_the_lookup_names_the_record_of_every_turn_whatever_its_case_and_of_every_person(built):
    found = json_lines(built / "data/lookup.jsonl")
    assert found == sorted(found, key=lambda row: (row["key"], row["id"]))
    assert len({len(line) for line in (built / "data/lookup.jsonl").read_bytes().splitlines()}) == 1
    pairs = {(row["key"], row["id"]) for row in found}
    kept = {row["id"] for row in json_lines(built / "data/curated/index.jsonl")}
    records = [json_lines(path) for path in built.glob("data/records/*/*.jsonl")]
    records = [each for rows in records for each in rows if each["id"] in kept]
    for each in records:
        turns = [turn for turn in each["messages"] if turn["role"] in ("user", "assistant") and turn.get("content")]
        assert all((key_of_text(f" {turn['content'].upper()}\n"), each["id"]) in pairs for turn in turns)
        assert "subject" not in each["meta"] or (each["meta"]["subject"][:16], each["id"]) in pairs
    assert {row["id"] for row in found} == {each["id"] for each in records} == kept
