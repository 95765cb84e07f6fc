import csv
import gzip
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import collect
from stages.contract import intake, params
from stages.contract import source as rows_of
from stages.contract.params import Source, Stop
from stages.contract.record import Record, decode_record, encode
from stages.text.personal_data import KINDS
from tests.conftest import REPOSITORY, SAMPLE, json_lines, stage

EMAIL = "alice.smith@example.org"


@pytest.fixture(autouse=True)
def the_sample_key(use_params: Any) -> None:
    use_params({"project_key": params.fingerprint(params.SAMPLE_KEY)})


def row(asked: Any = "How do I rename a list?", said: Any = "Open its menu.", **more: Any) -> bytes:
    """A row of JSON Lines in the shape input_output."""
    return json.dumps({"input": asked, "output": said, **more}).encode() + b"\n"


def put(folder: Path, name: str, content: bytes) -> Path:
    """A file with the content, packed if its name says so."""
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def taken(path: Path, given: collect.Params | None = None, **source: Any) -> tuple[list[intake.Read], intake.Taken]:
    """Every row of the source as the stage takes it in, and what it counts meanwhile."""
    declared, found = Source(path=str(path), licence="CC0-1.0", **source), intake.Taken()
    files = rows_of.files(path, declared.match)
    return list(
        intake.read_all(
            collect, "sample", declared, files, given or collect.Params(longest_row=1_000, redact=REFUSED), found
        )
    ), found


def read(path: Path, given: collect.Params | None = None, **source: Any) -> list[Record | str]:
    """The record of each row, or the reason why it became none."""
    return [each.drop.reason if each.drop else decode_record(each.line) for each in taken(path, given, **source)[0]]


def texts(found: list[Record | str]) -> list[str]:
    """The last message of each record, or the reason."""
    return [each if isinstance(each, str) else each.messages[-1].content for each in found]


def chat(*calls: dict[str, Any], **more: Any) -> bytes:
    """A row in OpenAI's shape whose assistant makes the calls."""
    turns = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": list(calls)}]
    return json.dumps({"messages": turns, **more}).encode() + b"\n"


JSON_FAULTS = {
    "broken_json": b'{"input": "%s", "output": ' % EMAIL.encode(),
    "broken_json after a value": row()[:-1] + b" " + EMAIL.encode(),
    "broken_json NaN": b'{"input": "%s", "output": "b", "score": NaN}' % EMAIL.encode(),
    "broken_json Infinity": b'{"input": "%s", "output": "b", "score": -Infinity}' % EMAIL.encode(),
    "not_utf8": b'{"input": "%s", "output": "caf\xe9"}' % EMAIL.encode(),
    "duplicate_key": b'{"input": "a", "output": "%s", "output": "b"}' % EMAIL.encode(),
    "number_too_large": b'{"input": "%s", "output": "b", "n": %s}' % (EMAIL.encode(), b"1" * 40),
    "number_too_large negative": b'{"input": "a", "output": "b", "n": -9223372036854775809}',
    "number_too_large by one": b'{"input": "a", "output": "b", "n": 18446744073709551616}',
    "number_too_large float": b'{"input": "a", "output": "b", "n": 1e999}',
    "too_long": row("a" * 1_000, EMAIL),
    "too_deep": b'{"input": "a", "output": "b", "n": ' + b"[" * 100 + b"]" * 100 + b"}",
    "wrong_type": row(system={"text": EMAIL}),
    "unknown_shape": json.dumps({"question": EMAIL}).encode(),
    "unknown_shape bare text": json.dumps(EMAIL).encode(),
    "unknown_shape null": b"null",
    "unknown_shape number as text": row(said=3),
}
CHAT_FAULTS = {
    "unknown_role": json.dumps({"messages": [{"role": EMAIL, "content": "Hi"}]}).encode(),
    "bad_arguments": chat({"function": {"name": "f", "arguments": f'{{"to": "{EMAIL}"'}}),
    "bad_arguments list": chat({"function": {"name": "f", "arguments": [EMAIL]}}),
    "bad_arguments twice": chat({"function": {"name": "f", "arguments": '{"a": 1, "a": 2}'}}),
    "not_text": json.dumps(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": EMAIL}}]}]}
    ).encode(),
    "wrong_type call": chat(EMAIL),  # type: ignore[arg-type]
    "wrong_type content": json.dumps({"messages": [{"role": "user", "content": {"a": EMAIL}}]}).encode(),
    "wrong_type weight": json.dumps({"messages": [{"role": "user", "content": "Hi", "weight": 2}]}).encode(),
    "wrong_type weight true": json.dumps({"messages": [{"role": "user", "content": EMAIL, "weight": True}]}).encode(),
    "wrong_type label": chat(label=EMAIL),
    "wrong_type tools": chat(tools=[EMAIL]),
}
PAIR_FAULTS = {
    "endings_with_questions": json.dumps(
        {
            name: [{"role": role, "content": f"{name} {role}"} for role in ("user", "assistant")]
            for name in ("chosen", "rejected")
        }
    ).encode(),
    "same_endings": json.dumps({"prompt": EMAIL, "chosen": "Yes.", "rejected": "Yes."}).encode(),
    "missing_ending": json.dumps({"prompt": EMAIL, "chosen": "Yes.", "rejected": []}).encode(),
    "missing_ending equal": json.dumps(
        {name: [{"role": "user", "content": EMAIL}] for name in ("chosen", "rejected")}
    ).encode(),
    "wrong_type": json.dumps({"prompt": EMAIL, "chosen": None, "rejected": "No."}).encode(),
}
PAIR = json.dumps({"prompt": "Hi", "chosen": "Hello.", "rejected": "What?"}).encode() + b"\n"
MAIL = {"type": "object", "properties": {"to": {"type": "string", "pattern": "@example[.]org$"}}}
CLEANING_FAULTS = {
    "personal_data": row(said=f"My number is 219-09-9998, my address {EMAIL}"),
    "unfit_redaction": chat(
        {"function": {"name": "mail", "arguments": {"to": EMAIL}}},
        tools=[{"type": "function", "function": {"name": "mail", "parameters": MAIL}}],
    ),
}
REFUSED = {"ssn": "drop", "email": "placeholder"}
"""What is done with personal data where these tables are read."""
FAULTS = [
    *((name, content, row()) for name, content in JSON_FAULTS.items()),
    *((name, content, chat()) for name, content in CHAT_FAULTS.items()),
    *((name, content, PAIR) for name, content in PAIR_FAULTS.items()),
    *((name, content, row()) for name, content in CLEANING_FAULTS.items()),
]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(("fault", "content", "good"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_a_faulty_row_becomes_a_drop_with_its_reason_and_its_neighbours_stay(
    tmp_path: Path, fault: str, content: bytes, good: bytes, packed: str
) -> None:
    path = put(tmp_path, f"rows.jsonl{packed}", good + content.strip() + b"\n" + good)
    first, middle, last = taken(path)[0]
    assert first.line
    assert last.line == first.line
    assert middle.drop
    assert middle.drop.reason == fault.split()[0]
    assert middle.origin == f"rows.jsonl{packed}:2"
    assert middle.drop.reason in collect.REASONS
    assert EMAIL.encode() not in encode(middle.drop)
    assert b"alice" not in encode(middle.drop)


def test_the_tables_plant_every_reason_that_a_row_of_json_can_have() -> None:
    planted = {fault.split()[0] for fault, _, _ in FAULTS}
    assert planted == set(collect.REASONS) - {"broken_csv", "wrong_columns", "empty_file"}


NOT_FAULTS = {
    "largest integer": b'{"input": "a", "output": "b", "n": 18446744073709551615}',
    "smallest integer": b'{"input": "a", "output": "b", "n": -9223372036854775808}',
    "small float": b'{"input": "a", "output": "b", "n": 1e-999}',
    "NaN in words": row(said="NaN is not a number"),
    "one key in two objects": b'{"input": "a", "output": "b", "meta": {"input": "c"}}',
    "deep but not too deep": b'{"input": "a", "output": "b", "n": ' + b"[" * 99 + b"]" * 99 + b"}",
    "brackets in a text": row(said="[" * 200),
    "exactly the longest": row("a" * (1_000 - len(row("")) + 1)),
    "an empty system": row(system=""),
    "null beside": row(system=None),
    "white space around": b"  \t" + row()[:-1] + b"  ",
}


@pytest.mark.parametrize("content", NOT_FAULTS.values(), ids=NOT_FAULTS)
def test_what_looks_like_a_fault_and_is_none_becomes_a_record(tmp_path: Path, content: bytes) -> None:
    assert isinstance(read(put(tmp_path, "rows.jsonl", content))[0], Record)


def test_a_row_nested_beyond_the_interpreters_own_limit_is_a_drop(tmp_path: Path) -> None:
    deep = b'{"input": "a", "output": "b", "n": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert read(put(tmp_path, "rows.jsonl", deep + b"\n" + row()), collect.Params())[0] == "too_deep"


def test_a_row_one_byte_over_the_limit_is_too_long_even_across_the_pieces_it_is_read_in(tmp_path: Path) -> None:
    limits = collect.Params(longest_row=rows_of.PIECE + 10)
    rows = row("a" * rows_of.PIECE * 2) + row("b" * (limits.longest_row - len(row("")) + 1)) + row()
    found = read(put(tmp_path, "rows.jsonl", rows), limits)
    assert [each if isinstance(each, str) else "record" for each in found] == ["too_long", "record", "record"]


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_byte_order_mark_crlf_and_nul_bytes_are_repaired_and_counted(tmp_path: Path, packed: str) -> None:
    content = b"\xef\xbb\xbf" + row(said="One")[:-1] + b"\r\n" + row(said="T~~wo").replace(b"~", b"\0") + row()
    found, counts = taken(put(tmp_path, f"rows.jsonl{packed}", content))
    assert [decode_record(each.line).messages[1].content for each in found] == ["One", "Two", "Open its menu."]
    assert counts.repairs == {"byte_order_mark": 1, "crlf": 1, "nul_bytes": 2}


@pytest.mark.parametrize("name", ["rows.json", "rows.json.gz"])
def test_an_array_is_repaired_and_counted_like_lines(tmp_path: Path, name: str) -> None:
    content = b"\xef\xbb\xbf[\r\n" + row(said="T~wo").replace(b"~", b"\0") + b"]"
    found, counts = taken(put(tmp_path, name, content))
    assert decode_record(found[0].line).messages[1].content == "Two"
    assert counts.repairs == {"byte_order_mark": 1, "crlf": 1, "nul_bytes": 1}


def test_whole_text_is_not_counted_as_repaired(tmp_path: Path) -> None:
    _, counts = taken(put(tmp_path, "rows.jsonl", row(said="a\r\nb \ufeff")))
    assert not +counts.repairs


@pytest.mark.parametrize(
    "content",
    [
        rb'{"input": "a\ud800", "output": "b\udfff", "\udc00": "x", "id": "k\ud800", "who": "\ud800"}',
        rb'{"messages": [{"role": "user", "content": "a", "name": "n\ud800"}, {"role": "tool", "tool_call_id": "\ud800"}]}',
        rb'{"messages": [{"role": "assistant", "tool_calls": [{"id": "\ud800", "function":'
        rb' {"name": "f\ud800", "arguments": {"\udc00": ["\ud800"]}}}]}], "tools": [{"name": "\ud800"}]}',
        rb'{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments":'
        rb' "{\"a\": \"\\ud800\"}"}}]}]}',
    ],
    ids=["texts and declared fields", "names", "objects", "arguments as text"],
)
def test_an_escaped_half_of_a_surrogate_pair_is_left_out_wherever_it_stands(tmp_path: Path, content: bytes) -> None:
    (found,) = read(put(tmp_path, "rows.jsonl", content), id_field="id", subject_field="who")
    assert isinstance(found, Record)
    encode(found).decode("utf-8")


def test_an_escaped_surrogate_pair_is_the_letter_it_stands_for(tmp_path: Path) -> None:
    content = rb'{"input": "a", "output": "\ud83d\ude00"}'
    assert texts(read(put(tmp_path, "rows.jsonl", content))) == ["\U0001f600"]


def test_keys_that_differ_only_by_a_half_surrogate_are_a_duplicate(tmp_path: Path) -> None:
    assert read(put(tmp_path, "rows.jsonl", rb'{"input": "a", "output": "b", "output\ud800": "c"}')) == [
        "duplicate_key"
    ]


CSV_ROWS = {
    "a quoted line end": (b'q,"one\ntwo"\n', ["one\ntwo"]),
    "a quoted CRLF": (b'q,"one\r\ntwo"\r\n', ["one\ntwo"]),
    "a quoted comma and quote": (b'q,"one, ""two"""\n', ['one, "two"']),
    "too few columns": (b"q\nq,a\n", ["wrong_columns", "a"]),
    "too many columns": (b"q,a,b\nq,a\n", ["wrong_columns", "a"]),
    "blank lines": (b"\n\nq,a\n\n", ["a"]),
    "no UTF-8": (b"q,caf\xe9\nq,a\n", ["not_utf8", "a"]),
    "UTF-8": ("q,café\n".encode(), ["café"]),
    "too long": (b"q," + b"x" * 1_001 + b"\nq,a\n", ["too_long", "a"]),
    "too long inside quotes": (b'q,"a\n' + b"x" * 1_001 + b'\nb"\nq,a\n', ["too_long", "a"]),
    "a line end without quotes": (b"q,a\rb\nq,a\n", ["broken_csv", "a"]),
    "an unclosed quote": (b'q,a\nq,"b\n', ["a", "broken_csv"]),
}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize(("content", "expected"), CSV_ROWS.values(), ids=CSV_ROWS)
def test_a_csv_file_gives_a_record_or_a_reason_for_each_row(
    tmp_path: Path, content: bytes, expected: list[str], separator: str, packed: str
) -> None:
    name = f"rows.{'csv' if separator == ',' else 'tsv'}{packed}"
    content = (b"input,output\n" + content).replace(b",", separator.encode())
    expected = [each.replace(",", separator) for each in expected]
    assert texts(read(put(tmp_path, name, content))) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("input,output,café\nq,a,b\n".encode("latin-1"), "not_utf8"),
        (b"input,output," + b"x" * 1_001 + b"\nq,a,b\n", "too_long"),
        (b"input,output,output\nq,a,b\n", "duplicate_key"),
        (b"input,output\rq,a\r", "broken_csv"),
        (b"input,output\n", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"", "empty_file"),
    ],
)
def test_a_csv_file_whose_first_line_gives_no_names_is_one_faulty_row(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    assert read(put(tmp_path, "rows.csv", content)) == [reason]


def test_columns_without_a_name_and_a_blank_line_before_the_names_are_no_fault(tmp_path: Path) -> None:
    assert texts(read(put(tmp_path, "rows.csv", b"\ninput,output,,\nq,a,,\n"))) == ["a"]


def test_semicolons_separate_where_the_first_line_has_no_comma(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('question;answer\nWhat is it, then?;A list; \n"Is it; one?";Yes, it is.\n')
    found = read(path, fields={"input": "question", "output": "answer"})
    assert found[0] == "wrong_columns"
    assert isinstance(found[1], Record)
    assert [message.content for message in found[1].messages] == ["Is it; one?", "Yes, it is."]


def test_a_short_csv_row_tells_how_many_columns_it_has(tmp_path: Path) -> None:
    drop = taken(put(tmp_path, "rows.csv", b"input,output\nq\n"))[0][0].drop
    assert drop
    assert drop.evidence == {"expected": 2, "found": 1}


def test_reading_csv_leaves_the_limit_of_other_readers_as_it_was(tmp_path: Path) -> None:
    usual = csv.field_size_limit()
    assert texts(read(put(tmp_path, "rows.csv", b"input,output\nq,a\n"))) == ["a"]
    assert csv.field_size_limit() == usual


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\r\n \n"])
def test_an_empty_file_is_one_drop(tmp_path: Path, name: str, packed: str, content: bytes) -> None:
    if content == b"\r\n \n" and "csv" in name:
        content = b"\r\n\r\n"
    assert read(put(tmp_path, name + packed, content)) == ["empty_file"]


ONE, TWO = row(said="One")[:-1], row(said="Two")[:-1]
LAYOUTS = {
    "array": b"[" + ONE + b", " + TWO + b"]",
    "array over lines": b"[\n" + ONE + b",\n" + TWO + b"\n]\n",
    "indented array": json.dumps([json.loads(ONE), json.loads(TWO)], indent=2).encode(),
    "lines": ONE + b"\n" + TWO + b"\n",
    "lines without a last end": ONE + b"\n\n" + TWO,
    "trailing comma": b"[" + ONE + b"," + TWO + b",]",
}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("content", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layout_of_a_json_file_is_seen_whatever_its_name(
    tmp_path: Path, name: str, packed: str, content: bytes
) -> None:
    path = put(tmp_path, name + packed, content)
    assert texts(read(path)) == ["One", "Two"]


def test_one_indented_object_is_one_row(tmp_path: Path) -> None:
    content = json.dumps(json.loads(ONE), indent=2).encode()
    assert texts(read(put(tmp_path, "row.json", content))) == ["One"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" + ONE + b", {broken}, " + TWO + b"]", ["One", "broken_json", "Two"]),
        (b"[" + ONE + b", " + TWO, ["One", "Two", "broken_json"]),
        (b"[" + ONE + b"] more", ["One", "broken_json"]),
        (b"[" + ONE + b", " + row("a" * 1_000) + b", " + TWO + b"]", ["One", "too_long", "Two"]),
        (b"[" + ONE + b', {"n": ' + b"1" * 900 + b"}, " + TWO + b"]", ["One", "number_too_large", "Two"]),
        (b"[" + ONE + b', {"input": "caf\xe9"}, ' + TWO + b"]", ["One", "not_utf8", "Two"]),
        (b"[" + ONE + b', 3, "a", null]', ["One", "unknown_shape", "unknown_shape", "unknown_shape"]),
        (b"[]", ["empty_file"]),
    ],
)
def test_an_array_keeps_the_elements_around_a_fault_that_leaves_it_readable(
    tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    assert texts(read(put(tmp_path, "rows.json", content))) == expected


def test_a_number_that_python_refuses_to_read_costs_an_array_only_its_own_element(tmp_path: Path) -> None:
    content = b"[" + ONE + b', {"n": ' + b"1" * 5_000 + b"}, " + TWO + b"]"
    found = read(put(tmp_path, "rows.json", content), collect.Params())
    assert texts(found) == ["One", "number_too_large", "Two"]


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_rows_that_are_bare_lists_of_messages_are_conversations(tmp_path: Path, packed: str) -> None:
    rows = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": said}] for said in ("One", "Two")]
    lines = b"\n".join(json.dumps(each).encode() for each in rows)
    assert texts(read(put(tmp_path, f"rows.jsonl{packed}", lines))) == ["One", "Two"]
    assert texts(read(put(tmp_path, f"rows.json{packed}", json.dumps(rows).encode()))) == ["One", "Two"]


def test_a_gzip_bomb_stops(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.jsonl.gz", b"")
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(66):
            file.write(b" " * (1 << 20))
    with pytest.raises(Stop, match="grows more than 200 times") as stopped:
        read(path)
    assert stopped.value.code == 2


def test_a_small_file_may_grow_more_than_a_bomb_does(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.jsonl.gz", row() + b"\n" * 500_000)
    assert 500_000 / path.stat().st_size > rows_of.RATIO
    assert texts(read(path)) == ["Open its menu."]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.json.gz", "rows.csv.gz"])
def test_a_file_over_the_cap_stops(tmp_path: Path, name: str) -> None:
    limits = collect.Params(largest_file=1_000)
    with pytest.raises(Stop, match=r"over 1000 bytes; split it, or raise collect\.largest_file"):
        read(put(tmp_path, name, b" " * 1_001), limits)
    assert read(put(tmp_path, name, b"\n" * 1_000), limits) == ["empty_file"]


@pytest.mark.parametrize(
    "harm", [lambda whole: whole[:-20], lambda whole: b"no gzip", lambda whole: whole[:-8] + b"\0" * 8]
)
@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.json.gz", "rows.csv.gz"])
def test_gzip_data_that_is_cut_foreign_or_damaged_stops(tmp_path: Path, name: str, harm: Any) -> None:
    path = put(tmp_path, name, row(*random.Random(1).choices(string.printable, k=2)) * 50)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(Stop, match="is not whole gzip data") as stopped:
        read(path)
    assert stopped.value.code == 2


def test_a_folder_is_read_in_the_order_of_names_and_only_what_matches(tmp_path: Path) -> None:
    for name, said in (("2026-02.jsonl", "Two"), ("2026-01.jsonl", "One"), ("notes.txt", "?"), (".3.jsonl", "!")):
        put(tmp_path, name, row(said=said))
    (tmp_path / "4.jsonl").mkdir()
    assert texts(read(tmp_path, match="*.jsonl")) == ["One", "Two"]


def test_each_row_has_its_own_shape(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", row(said="One"))
    put(tmp_path, "b.jsonl", b'{"instruction": "q", "output": "Two"}\n' + row(said="Stray"))
    put(tmp_path, "c.csv", b"input,output\nq,Three\n")
    found, _ = taken(tmp_path)
    assert [each.origin for each in found if not each.drop] == ["a.jsonl:1", "b.jsonl:1", "b.jsonl:2", "c.csv:1"]


def test_a_link_out_of_the_folder_stops_and_one_inside_does_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    put(tmp_path / "in", "a.jsonl", row())
    (tmp_path / "in/b.jsonl").symlink_to("a.jsonl")
    assert len(read(tmp_path / "in")) == 2
    (tmp_path / "in/c.jsonl").symlink_to(put(tmp_path, "out.jsonl", row()))
    with pytest.raises(Stop, match="link out of the source's folder"):
        read(tmp_path / "in")


def test_declared_fields_are_read_under_our_names(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.csv", b"question,answer,input\nq,One,x\n")
    assert texts(read(path, fields={"input": "question", "output": "answer"})) == ["One"]
    assert read(path) == ["unknown_shape"]


def test_a_declared_shape_is_kept_to_and_an_unknown_one_stops(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.jsonl", row())
    assert read(path, shape="alpaca") == ["unknown_shape"]
    with pytest.raises(Stop, match=r"sources\.sample\.shape: 'parquet' is unknown; known are alpaca"):
        read(path, shape="parquet")


def test_what_the_rows_declare_becomes_meta_and_the_person_a_keyed_hash(tmp_path: Path) -> None:
    content = row(who=EMAIL, when="2026-05-01", about=f"mail to {EMAIL}", stars="4.5")
    (found,) = read(
        put(tmp_path, "rows.jsonl", content),
        subject_field="who",
        created_field="when",
        topic_field="about",
        rating_field="stars",
    )
    assert isinstance(found, Record)
    assert (found.meta.created, found.meta.topic, found.meta.rating) == ("2026-05-01", "mail to [EMAIL]", 4.5)
    assert found.meta.subject == collect.digest("subject", EMAIL, key=params.SAMPLE_KEY)
    assert found.meta.subject != collect.digest("subject", EMAIL)
    assert found.meta.redacted == {"email": 1}
    assert b"alice" not in encode(found)


@pytest.mark.parametrize("given", [None, ""])
def test_an_absent_declared_field_is_nothing_known(tmp_path: Path, given: Any) -> None:
    content = row(who=given, when=given, about=given, stars=given, key=given)
    declared = {"subject_field": "who", "created_field": "when", "topic_field": "about", "rating_field": "stars"}
    (found,) = read(put(tmp_path, "rows.jsonl", content), id_field="key", **declared)
    (bare,) = read(put(tmp_path, "rows.jsonl", row()))
    assert found == bare


@pytest.mark.parametrize("given", ["good", [5], {"stars": 5}, "nan", "inf", "1e999"])
def test_a_rating_that_is_no_number_is_a_drop(tmp_path: Path, given: Any) -> None:
    assert read(put(tmp_path, "rows.jsonl", row(stars=given)), rating_field="stars") == ["wrong_type"]


@pytest.mark.parametrize("given", [0, -1, 4.5, "5", " 3 "])
def test_a_rating_written_as_a_number_is_one(tmp_path: Path, given: Any) -> None:
    (found,) = read(put(tmp_path, "rows.jsonl", row(stars=given)), rating_field="stars")
    assert isinstance(found, Record)
    assert found.meta.rating == float(given)


def test_tool_calls_are_redacted_in_names_keys_and_values_and_their_ids_tell_nothing(tmp_path: Path) -> None:
    def calling(address: str) -> Record:
        call = {"id": "x", "function": {"name": "mail", "arguments": {"to": [{"cc": address}], address: 1, "n": 2}}}
        tools = [{"type": "function", "function": {"name": "mail", "description": f"as {address}"}}]
        (found,) = read(put(tmp_path, "rows.jsonl", chat(call, tools=tools)))
        assert isinstance(found, Record)
        return found

    found = calling(EMAIL)
    assert found.messages[1].tool_calls[0].arguments == {"to": [{"cc": "[EMAIL]"}], "[EMAIL]": 1, "n": 2}
    assert found.tools[0]["function"]["description"] == "as [EMAIL]"
    assert found.meta.redacted == {"email": 3}
    assert calling("bob@example.org") == found


def test_the_losing_ending_is_redacted_too(tmp_path: Path) -> None:
    content = json.dumps({"prompt": "Hi", "chosen": "Hello.", "rejected": f"Ask {EMAIL}"}).encode()
    (found,) = read(put(tmp_path, "rows.jsonl", content))
    assert isinstance(found, Record)
    assert found.rejected[0].content == "Ask [EMAIL]"


def test_a_kind_that_is_not_asked_for_stays(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.jsonl", row(said=f"Ask {EMAIL} or 123-45-6789"))
    assert texts(read(path, collect.Params(redact=("ssn",)))) == [f"Ask {EMAIL} or [SSN]"]


# The whole stage in a project


def project_of(root: Path, files: dict[str, bytes], **source: Any) -> Path:
    """A project with one source `mine`, a folder of these files."""
    given = params.read_yaml(SAMPLE / "params.yaml")
    given["sources"] = {"mine": {"path": "data/sources/mine", "licence": "CC0-1.0"} | source}
    given["collect"] = {"longest_row": 1_000, "redact": dict.fromkeys(KINDS, "keep") | REFUSED}
    folder = root / "data/sources/mine"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        put(folder, name, content)
    (root / "params.yaml").write_text(yaml.safe_dump(given))
    (root / "dvc.yaml").write_bytes((REPOSITORY / "dvc.yaml").read_bytes())
    return root


def written(root: Path, folder: str) -> list[Any]:
    """The lines of all shards of the source in order."""
    return [each for path in sorted((root / folder / "mine").glob("[0-9]*.jsonl")) for each in json_lines(path)]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project built from files that hold every fault of this file's tables, each twice, plain and packed."""
    files = {}
    for place, (_, content, good) in enumerate(FAULTS):
        files[f"{place:03d}.jsonl"] = good + (content.strip() + b"\n") * 2
        files[f"{place:03d}b.jsonl.gz"] = good + content.strip() + b"\n"
    files["a.csv"] = b"input,output\n" + EMAIL.encode() + b"\nq," + EMAIL.encode() + b"\rb\nq,a\n"
    files["b.jsonl"] = b""
    root = project_of(tmp_path_factory.mktemp("faulty"), files)
    stage(root, "collect", "mine")
    return root


def test_every_row_is_a_record_or_a_drop_with_an_id_and_an_origin_of_its_own(faulty: Path) -> None:
    drops = json_lines(faulty / "data/dropped/collect/mine.jsonl")
    origins = json_lines(faulty / "data/origins/mine/dropped.jsonl")
    counts = json.loads((faulty / "data/origins/mine/source.json").read_text())
    records = written(faulty, "data/records")
    assert len(drops) == 3 * len(FAULTS) + 3
    assert counts["rows"] == len(drops) + len(records)
    assert counts["records"] == len(records) == 2 * len(FAULTS) + 1
    ids = [each["id"] for each in drops + records]
    assert len(set(ids)) == len(ids)
    assert {each["id"] for each in origins} == {each["id"] for each in drops}
    places = [each["origin"] for each in origins + written(faulty, "data/origins")]
    assert len(set(places)) == len(places) == counts["rows"]


def test_every_declared_reason_occurs_and_no_other(faulty: Path) -> None:
    assert {each["reason"] for each in json_lines(faulty / "data/dropped/collect/mine.jsonl")} == set(collect.REASONS)


def test_no_output_holds_a_text_that_was_dropped(faulty: Path) -> None:
    outputs = [path for path in (faulty / "data").rglob("*") if path.is_file() and "sources" not in path.parts]
    assert len(outputs) >= 4
    assert [path for path in outputs if b"alice" in path.read_bytes()] == []


def copies_project(root: Path, rows: list[bytes], **source: Any) -> list[tuple[str, str, Any]]:
    """What the stage makes of the rows: id, answer and creation of each record, sorted."""
    dated = {"created_field": "when"} if any(b'"when"' in each for each in rows) else {}
    project_of(root, {"rows.jsonl": b"".join(rows)}, **dated, **source)
    stage(root, "collect", "mine")
    records = written(root, "data/records")
    assert [each["id"] for each in written(root, "data/origins")] == [each["id"] for each in records]
    return sorted((each["id"], each["messages"][1]["content"], each["meta"].get("created")) for each in records)


def test_numbered_copies_get_the_same_ids_whatever_their_order(tmp_path: Path) -> None:
    rows = [row(when="2026-01"), row(when="2026-02"), row(), row(said="Other."), row(when="2026-03")]
    found = copies_project(tmp_path, rows)
    assert len({identifier for identifier, _, _ in found}) == 5
    assert copies_project(tmp_path, rows[::-1]) == found
    assert copies_project(tmp_path, rows[2:] + rows[:2]) == found
    counts = json.loads((tmp_path / "data/origins/mine/source.json").read_text())
    assert (counts["records"], counts["copies"], counts["key_conflicts"]) == (5, 3, 0)


def test_a_declared_key_is_the_id_unless_it_stands_for_different_contents(tmp_path: Path) -> None:
    rows = [
        row(said="Kept.", key="k1"),
        row(said="One.", key="k2"),
        row(said="Two.", key="k2"),
        row(said="Bare."),
        row(said="Twice.", key=3),
        row(said="Twice.", key=3),
    ]
    found = {said: identifier for identifier, said, _ in copies_project(tmp_path, rows, id_field="key")}
    counts = json.loads((tmp_path / "data/origins/mine/source.json").read_text())
    bare = {said: identifier for identifier, said, _ in copies_project(tmp_path, rows)}
    assert (counts["copies"], counts["key_conflicts"]) == (1, 1)
    assert found["Kept."] == collect.digest("mine", "k1", key=params.SAMPLE_KEY)
    assert {said for said in found if found[said] == bare[said]} == {"One.", "Two.", "Bare."}
    changed = [row(said="Kept, and changed.", key="k1"), *rows[1:]]
    later = {said: identifier for identifier, said, _ in copies_project(tmp_path, changed, id_field="key")}
    assert later["Kept, and changed."] == found["Kept."]


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        ({"a.jsonl": b'{"a": 1}\n{"a": '}, {}, "none of its rows became a record: 1 unknown_shape, 1 broken_json"),
        ({"a.jsonl": b""}, {}, "none of its rows became a record: 1 empty_file"),
        (
            {"a.jsonl": b"PAR1\x15\x04\n\xff\n"},
            {},
            "1 not_utf8 (first: data/sources/mine/a.jsonl); convert it to .jsonl",
        ),
        (
            {"a.csv": b"a,b\ncaf\xe9,1\nth\xe9,2\n"},
            {},
            "2 not_utf8 (first: data/sources/mine/a.csv:1); save it as UTF-8",
        ),
        ({"a.txt": row()}, {"match": "*.jsonl"}, "no file in data/sources/mine matches '*.jsonl'"),
        ({}, {"path": "../outside"}, "leaves the repository; set external: true"),
        ({}, {"path": "data/sources/absent"}, "is not there; put the data there"),
        ({"a.jsonl": row()}, {"shapes": "alpaca"}, "did you mean shape?"),
    ],
    ids=["only faults", "empty", "parquet", "latin 1", "no match", "outside", "absent", "misspelt"],
)
def test_a_source_that_gives_no_record_stops_with_code_2_and_leaves_nothing(
    tmp_path: Path, files: dict[str, bytes], source: dict[str, Any], message: str
) -> None:
    (tmp_path / "outside").mkdir()
    root = project_of(tmp_path / "inside", files, **source)
    done = stage(root, "collect", "mine", code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "data/records/mine").exists()
    assert not list(root.glob("data/*/*.tmp"))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04\n\n", "a zip archive, as .xlsx is"),
        (b"\x1f\x8b\x08\n", "gzip without .gz in its name"),
        (b"\xff\xfea\0", "UTF-16"),
    ],
)
def test_a_file_that_holds_no_text_is_one_drop_that_says_what_it_is(tmp_path: Path, start: bytes, kind: str) -> None:
    root = project_of(tmp_path, {"a.jsonl": row(), "b.jsonl": start})
    stage(root, "collect", "mine")
    (drop,) = json_lines(root / "data/dropped/collect/mine.jsonl")
    assert (drop["reason"], drop["evidence"]) == ("not_utf8", {"found": kind})


def test_a_path_outside_the_repository_is_read_if_it_is_declared_external(tmp_path: Path) -> None:
    put(tmp_path, "outside.jsonl", row())
    root = project_of(tmp_path / "inside", {}, path="../outside.jsonl", external=True)
    stage(root, "collect", "mine")
    assert len(written(root, "data/records")) == 1


def test_engines_and_worker_counts_write_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(f"Question {number}?", "word " * 150, when=str(number)) for number in range(6_500)]
    root = project_of(tmp_path, {"rows.jsonl": b"".join(rows), "more.jsonl": rows[0]})
    outputs = []
    for engine, workers in (("serial", "1"), ("local", "2")):
        stage(root, "collect", "mine", DATASET_ENGINE=engine, DATASET_WORKERS=workers)
        outputs.append(
            {
                path.relative_to(root): path.read_bytes()
                for folder in ("records", "origins", "dropped")
                for path in (root / "data" / folder).rglob("*")
                if path.is_file()
            }
        )
    assert outputs[0] == outputs[1]
    assert len(b"".join(rows)) > 4 << 20, "one block of rows would never leave the process"


ANY_LINE = st.one_of(
    st.binary(max_size=60).filter(lambda line: b"\n" not in line),
    st.sampled_from([content.strip() for content in JSON_FAULTS.values() if b"\n" not in content.strip()]),
    st.builds(lambda asked, said: row(asked, said)[:-1], st.text(max_size=8), st.text(max_size=8)),
)


@settings(max_examples=60)
@given(lines=st.lists(ANY_LINE, max_size=6))
def test_any_bytes_become_records_and_drops_one_for_each_line_that_is_not_blank(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = put(tmp_path_factory.mktemp("any"), "rows.jsonl", row() + b"\n".join(lines))
    found, _ = taken(path)
    blank = [line for line in lines if not line.replace(b"\0", b"").strip()]
    assert len(found) == 1 + len(lines) - len(blank)
    assert all(each.drop.reason in collect.REASONS if each.drop else decode_record(each.line) for each in found)
    assert taken(path)[0] == found


def test_an_unclosed_quote_in_the_middle_takes_no_rows_into_a_record(tmp_path: Path) -> None:
    lines = [
        b"input,output",
        *(b"ask %d,say %d" % (n, n) for n in range(5)),
        b'ask,"say',
        b"ask,say",
        b'"ask, too","say"',
        b"ask,last",
    ]
    found = read(put(tmp_path, "rows.csv", b"\n".join(lines) + b"\n"))
    assert texts(found)[:5] == [f"say {n}" for n in range(5)]
    assert "broken_csv" in texts(found)
    assert all("\n" not in text for text in texts(found))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_one_drop_and_no_text(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path, "rows.jsonl", (row(said="It is a question.").decode() * 3).encode(encoding))
    assert texts(read(path)) == ["not_utf8"]


def test_folders_below_the_folder_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    put(tmp_path / "2024", "jan.jsonl", row(said="One"))
    put(tmp_path, "notes.md", b"# Notes")
    put(tmp_path, "jan.jsonl.dvc", b"outs: []")
    assert texts(read(tmp_path)) == ["One"]


def test_a_first_line_that_is_broken_costs_only_itself(tmp_path: Path) -> None:
    for name, broken in (("a.jsonl", b'[{"role": "user", "content": "cut'), ("b.json", b'{"input": "cut')):
        chat_row = b'[{"role": "user", "content": "q"}, {"role": "assistant", "content": "Kept"}]\n'
        good = chat_row if name == "a.jsonl" else row(said="Kept")
        assert texts(read(put(tmp_path, name, broken + b"\n" + good * 2))) == ["broken_json", "Kept", "Kept"]


def test_a_single_line_of_messages_is_one_row(tmp_path: Path) -> None:
    line = b'[{"role": "user", "content": "q"}, {"role": "assistant", "content": "Kept"}]\n'
    assert texts(read(put(tmp_path, "rows.jsonl", line))) == ["Kept"]


def test_a_row_with_pictures_is_no_text(tmp_path: Path) -> None:
    line = json.dumps({"input": "What is <image>?", "output": "A cat.", "images": ["cat.png"]}).encode()
    assert texts(read(put(tmp_path, "rows.jsonl", line))) == ["not_text"]


def test_a_declared_field_that_no_row_has_stops(tmp_path: Path) -> None:
    project_of(tmp_path, {"rows.jsonl": row()}, topic_field="topci")
    done = stage(tmp_path, "collect", "mine", code=2)
    assert "sources.mine.topic_field: no row has 'topci'; the first row has input, output" in done.stderr


def test_a_declared_field_that_is_empty_in_every_row_is_not_taken_for_misspelt(tmp_path: Path) -> None:
    project_of(tmp_path, {"rows.jsonl": row(model=None)}, model_field="model")
    stage(tmp_path, "collect", "mine")


def test_names_that_are_data_are_not_printed(tmp_path: Path) -> None:
    project_of(tmp_path, {"rows.csv": b"marta@posteo.example,+44 20 7946 0958\na,b\n"})
    done = stage(tmp_path, "collect", "mine", code=2)
    assert "none of its rows became a record" in done.stderr
    assert "marta" not in done.stderr
    assert "7946" not in done.stderr


def test_a_column_may_be_a_text_and_a_topic(tmp_path: Path) -> None:
    project_of(
        tmp_path,
        {"rows.csv": b"text,category\nHello there,greeting\n"},
        fields={"input": "text", "output": "category"},
        topic_field="category",
    )
    stage(tmp_path, "collect", "mine")
    (found,) = json_lines(tmp_path / "data/records/mine/00000.jsonl")
    assert found["meta"]["topic"] == "greeting"


def test_the_object_of_extra_field_is_kept_redacted_and_without_names_that_are_the_stages_own(tmp_path: Path) -> None:
    extra = {"style": "short", "by": f"ask {EMAIL}", "kind": "web", "domain": {}}
    path, given = (
        put(tmp_path, "rows.jsonl", row(extra=extra)),
        collect.Params(redact={"email": "placeholder"}),
    )
    assert [each.meta.extra for each in read(path, given, extra_field="extra")] == [
        {"style": "short", "by": "ask [EMAIL]"}
    ]
    assert [each.meta.extra for each in read(path, given)] == [{}]


def test_parents_are_ids_or_the_row_is_a_drop(tmp_path: Path) -> None:
    ids = ["0" * 32, "f" * 32]
    for said, kept in [(ids, ids), ([*ids[::-1], ids[0]], ids), (None, []), ([], [])]:
        [found] = read(put(tmp_path, "rows.jsonl", row(parents=said)), parents_field="parents")
        assert found.meta.parents == kept
    for said in ["0" * 32, ["0"], [EMAIL], [7], {"0": 1}]:
        assert read(put(tmp_path, "rows.jsonl", row(parents=said)), parents_field="parents") == ["wrong_type"]


def test_a_row_among_templates_that_names_a_model_was_written_by_it(tmp_path: Path) -> None:
    path = put(tmp_path, "rows.jsonl", row("one", model="gpt-6-luna") + row("two", model=None))
    made = [(each.meta.method, each.meta.model) for each in read(path, method="template", model_field="model")]
    assert made == [("model", "gpt-6-luna"), ("template", None)]
    assert {each.meta.method for each in read(path, method="log", model_field="model")} == {"log"}


@pytest.mark.parametrize("extra", ["short", ["short"], 3, False])
def test_an_extra_that_is_no_object_is_a_drop(tmp_path: Path, extra: Any) -> None:
    assert read(put(tmp_path, "rows.jsonl", row(extra=extra)), extra_field="extra") == ["wrong_type"]
