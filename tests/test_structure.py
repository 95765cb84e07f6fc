"""Every valid conversation stays and every planted fault is found, on records of our own and on public sets.

The public sets are read from `../shared`, which a clone does not have: those tests are skipped there.
"""

import json
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import formats
from stages.checks import structure
from stages.contract.record import Message, Record, ToolCall, decode, encode
from stages.text import tool_schema
from stages.text.tool_schema import Wrong, wrong
from tests.conftest import record
from tests.test_truth import PUBLIC, public, unpacked

Plant = Callable[[Record], Record | None]


def found(checked: Record, **limits: bool) -> str | None:
    """Why the record is dropped, told from the scores as `filter` reads them."""
    return structure.decide(decode(encode(structure.measure(checked))), structure.Params(**limits))


def argument(value: Any, **schema: Any) -> str | None:
    """The keyword that an argument named `a` breaks, by its schema."""
    fault = wrong({"a": value}, {"type": "object", "properties": {"a": schema}})
    return fault.rule if fault else None


# schemas as their authors write them


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"x": 1}, {"type": "dict"}),
        (1, {"type": "float"}),
        (1.5, {"type": "float"}),
        ([1, 2], {"type": "tuple"}),
        ([1, 2], {"type": "List[int]"}),
        ("x", {"type": "str, optional"}),
        ("x", {"type": "STRING"}),
        (None, {"type": "int | None"}),
        (object, {"type": "any"}),
        (5.0, {"type": "integer"}),
        (None, {"type": "string", "nullable": True}),
        (None, {"type": "string", "default": None}),
        ("N/A", {"type": "string", "enum": ["s", "ms"], "default": "N/A"}),
        (["a"], {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]}),
        ("1", {"type": "integer", "enum": ["1", "2"]}),
        ("x", {"type": "string", "required": True}),
        ("x", {"type": "string", "format": "date"}),
        (3, {"oneOf": [{"type": "any"}, {"type": "integer"}]}),
        (3, {"not": {"type": "whatever"}}),
        ("anything", "string"),
        ("anything", {"enum": "not a list", "minLength": "one", "pattern": "(?=lookahead)"}),
        ("anything", {"minimum": True, "anyOf": [], "items": 3, "properties": []}),
    ],
)
def test_what_an_author_means_is_allowed(value: Any, schema: Any) -> None:
    value = {"free": True} if value is object else value
    assert wrong({"a": value}, {"type": "dict", "properties": {"a": schema}}) is None


@pytest.mark.parametrize(
    ("value", "schema", "rule"),
    [
        ("x", {"type": "dict"}, "type"),
        ("1.5", {"type": "float"}, "type"),
        (1.5, {"type": "integer"}, "type"),
        (True, {"type": "integer"}, "type"),
        ({"0": 1}, {"type": "tuple"}, "type"),
        (None, {"type": "string"}, "type"),
        (["c"], {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]}, "enum"),
        ([1, "2"], {"type": "array", "items": {"type": "integer"}}, "type"),
        ("b", {"enum": ["a"]}, "enum"),
        (11, {"type": "number", "maximum": 10}, "maximum"),
        ("aaa", {"type": "string", "maxLength": 2}, "maxLength"),
        ("12a", {"type": "string", "pattern": "^[0-9]+$"}, "pattern"),
        ({"n": "1"}, {"type": "object", "properties": {"n": {"type": "integer"}}}, "type"),
        ({}, {"type": "object", "properties": {"n": {}}, "required": ["n"]}, "required"),
        (3, {"oneOf": [{"type": "number"}, {"type": "integer"}]}, "oneOf"),
        (3, {"not": {"type": "integer"}}, "not"),
    ],
)
def test_what_the_schema_does_not_allow_is_found_with_its_keyword(value: Any, schema: Any, rule: str) -> None:
    assert argument(value, **schema) == rule


def test_a_fault_says_where_it_is_and_nothing_of_the_value() -> None:
    schema = {"properties": {"stops": {"items": {"properties": {"city": {"type": "string"}}}}}}
    assert wrong({"stops": [{"city": "Rome"}, {"city": 4711}]}, schema) == Wrong(
        "wrong_argument", "stops/1/city", "type"
    )


def test_local_references_are_followed_and_a_tree_is_checked_to_its_third_level() -> None:
    node = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}
    schema = {"properties": {"tree": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}
    assert wrong({"tree": {"v": 1, "next": {"v": 2}}}, schema) is None
    assert wrong({"tree": {"v": 1, "next": {"v": "2"}}}, schema) == Wrong("wrong_argument", "tree/next/v", "type")


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({"properties": {}}, "unknown_argument"),
        ({"properties": {"b": {}}, "additionalProperties": False}, "unknown_argument"),
        ({"properties": {"b": {}}, "additionalProperties": True}, None),
        ({"properties": {"b": {}}, "additionalProperties": {"type": "integer"}}, None),
        ({"properties": {"b": {}}, "additionalProperties": {"type": "string"}}, "wrong_argument"),
        ({"properties": {"b": {}}, "patternProperties": {"^a$": {}}}, None),
        ({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}], "properties": {}}, None),
        ({"required": ["b"]}, "missing_argument"),
        ({"type": "object"}, None),
        ({}, None),
        ("not a schema", None),
        (None, None),
    ],
)
def test_arguments_beside_those_that_are_named(schema: Any, name: str | None) -> None:
    fault = wrong({"a": 1}, schema)
    assert (fault and fault.fault) == name


# hostile schemas


def refers(times: int) -> dict[str, Any]:
    """Definitions each of which refers to the next one twice."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(times)}
    return {"$defs": {**twice, f"d{times}": {"type": "object"}}, "$ref": "#/$defs/d0"}


def nested(levels: int) -> dict[str, Any]:
    """An array of arrays."""
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return {"properties": {"a": schema}}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "reference"),
        ({"$ref": "file:other.json"}, "reference"),
        ({"properties": {"a": {"$ref": "other.json#/$defs/x"}}}, "reference"),
        ({"$ref": "#/$defs/missing"}, "reference"),
        (refers(18), "nodes"),
        (nested(100), "depth"),
        ({"properties": {f"p{n}": {"description": "x" * 100} for n in range(3_000)}}, "size"),
    ],
)
def test_a_schema_that_cannot_be_held_against_anything_is_a_drop_that_says_why(schema: Any, why: str) -> None:
    assert wrong({"a": 1}, schema) == Wrong("unusable_schema", rule=why)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for keyword in ("$ref", "$schema", "$id", "$dynamicRef", "$recursiveRef"):
        wrong({"a": 1}, {keyword: "http://example.invalid/schema.json", "properties": {"a": {"type": "integer"}}})


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert wrong({"a": 1}, {"$ref": "#", "properties": {"a": {"type": "string"}}}) is not None
    twins = {"properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}, "allOf": [{"$ref": "#"}, {"$ref": "#"}]}
    assert wrong({}, twins) == Wrong("unusable_schema", rule="depth") or wrong({}, twins) is None


def test_a_pattern_of_a_megabyte_of_almost_a_match_is_read_in_one_pass() -> None:
    assert argument("a" * 1_000_000 + "b", type="string", pattern="^(a+)+$") == "pattern"


def test_work_without_end_is_refused() -> None:
    schema = {"properties": {"a": {"items": {"enum": [{"k": n} for n in range(2_000)]}}}}
    assert wrong({"a": [{"k": -1}] * 10_000}, schema) == Wrong("unusable_schema", rule="work")


def test_a_large_call_of_a_plain_tool_is_checked() -> None:
    schema = {"properties": {"a": {"type": "array", "items": {"type": "integer"}}, "code": {"type": "string"}}}
    assert wrong({"a": list(range(50_000)), "code": "x = 1\n" * 100_000}, schema) is None
    assert wrong({"a": [*range(50_000), "x"]}, schema) == Wrong("wrong_argument", "a/50000", "type")


def test_a_schema_is_compiled_once_for_all_calls_of_its_tool() -> None:
    tool_schema.checker.cache_clear()
    for number in range(5):
        wrong({"a": number}, {"properties": {"a": {"type": "integer"}}})
    assert tool_schema.checker.cache_info().misses == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(sorted(tool_schema.KEYWORDS)), inner, max_size=4)
    ),
    max_leaves=15,
)
KEYED = st.dictionaries(
    st.sampled_from([*tool_schema.KEYWORDS, "$ref", "$defs", "default", "nullable"]), JSON, max_size=6
)


@settings(max_examples=150)
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), KEYED)
def test_any_schema_and_any_arguments_give_a_verdict_and_the_same_again(
    arguments: dict[str, Any], schema: dict[str, Any]
) -> None:
    schema = decode(encode(schema))
    first = wrong(arguments, schema)
    assert first == wrong(arguments, schema)
    assert first is None or first.fault in structure.REASONS


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "integer"},
            {"type": "string"},
            {"type": "boolean"},
            {"enum": ["a", "b"]},
            {"type": "number", "minimum": 0},
        ]
    ),
    lambda inner: (
        st.builds(lambda each: {"type": "array", "items": each}, inner)
        | st.builds(
            lambda each: {"type": "object", "properties": each, "required": sorted(each)},
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1),
        )
    ),
    max_leaves=5,
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from("xyz"), SCHEMAS, min_size=1), st.dictionaries(st.sampled_from("xyz"), JSON))
def test_where_a_schema_is_plain_the_verdict_is_that_of_a_validator(
    properties: dict[str, Any], arguments: dict[str, Any]
) -> None:
    import jsonschema

    arguments = decode(encode(arguments))
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    assert (wrong(arguments, schema) is None) == jsonschema.Draft202012Validator(schema).is_valid(arguments)


# matters of taste


def test_what_only_some_trainers_mind_is_dropped_if_they_do() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "a" * 9, "name": "find", "arguments": {}}]}
    user, said = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
    back = {"role": "tool", "content": "3", "tool_call_id": "a" * 9}
    bare = record(messages=[user, call, back, said])
    assert found(bare) is None
    assert found(bare, alternate=True) is None
    assert found(bare, require_tools=True) == "calls_without_tools"
    for crowded in ([user, user, said], [said, user, said], [user, said, said], [user, call, back, said, said]):
        assert found(record(messages=crowded)) is None
        assert found(record(messages=crowded), alternate=True) == "turns_do_not_alternate"


def test_a_finding_names_turn_tool_place_and_keyword() -> None:
    tools = [
        {"type": "function", "function": {"name": "find", "parameters": {"properties": {"n": {"type": "integer"}}}}}
    ]
    call = {"role": "assistant", "tool_calls": [{"id": "a" * 9, "name": "find", "arguments": {"n": "x"}}]}
    value = structure.measure(record(messages=[{"role": "user", "content": "Hi"}, call], tools=tools))
    assert msgspec.to_builtins(value) == [
        {"fault": "wrong_argument", "turn": 1, "tool": "find", "at": "n", "rule": "type"}
    ]


# planted faults: each makes a broken record of a valid one, or None where it cannot


def with_messages(whole: Record, *messages: Message) -> Record:
    return msgspec.structs.replace(whole, messages=list(messages))


def calls_in(whole: Record) -> list[tuple[int, ToolCall]]:
    return [(place, call) for place, message in enumerate(whole.messages) for call in message.tool_calls]


def with_call(whole: Record, **changes: Any) -> Record | None:
    """The record with its last call changed; a callable is given the call's schema of arguments."""
    if not (called := calls_in(whole)):
        return None
    place, call = called[-1]
    message = whole.messages[place]
    changed = msgspec.structs.replace(call, **changes)
    calls = [changed if each is call else each for each in message.tool_calls]
    replaced = msgspec.structs.replace(message, tool_calls=calls)
    return with_messages(whole, *whole.messages[:place], replaced, *whole.messages[place + 1 :])


def schema_of(whole: Record) -> dict[str, Any]:
    """The schema of the arguments of the last call."""
    called = calls_in(whole)
    named = [tool["function"] for tool in whole.tools if called and tool["function"]["name"] == called[-1][1].name]
    return (named[-1].get("parameters") or {}) if named else {}


def unknown_tool(whole: Record) -> Record | None:
    return with_call(whole, name="no_such_tool") if whole.tools else None


def missing_argument(whole: Record) -> Record | None:
    required = schema_of(whole).get("required") or []
    arguments = calls_in(whole)[-1][1].arguments if required else {}
    return with_call(whole, arguments={k: v for k, v in arguments.items() if k != required[0]}) if required else None


def unknown_argument(whole: Record) -> Record | None:
    if not schema_of(whole).get("properties"):
        return None
    return with_call(whole, arguments=calls_in(whole)[-1][1].arguments | {"no_such_argument": 1})


MISFITS = {
    "string": 4711,
    "integer": "four",
    "float": "four",
    "number": "four",
    "boolean": "perhaps",
    "array": 7,
    "dict": 7,
}


def wrong_type(whole: Record) -> Record | None:
    properties = schema_of(whole).get("properties") or {}
    for name in calls_in(whole)[-1][1].arguments if properties else ():
        kind = properties.get(name, {}).get("type")
        if kind in MISFITS and properties[name].get("default") != MISFITS[kind]:
            return with_call(whole, arguments=calls_in(whole)[-1][1].arguments | {name: MISFITS[kind]})
    return None


def outside_of_enum(whole: Record) -> Record | None:
    properties = schema_of(whole).get("properties") or {}
    for name in calls_in(whole)[-1][1].arguments if properties else ():
        if properties.get(name, {}).get("enum") and properties[name].get("type") == "string":
            return with_call(whole, arguments=calls_in(whole)[-1][1].arguments | {name: "none of these"})
    return None


def result_without_call(whole: Record) -> Record | None:
    return with_messages(whole, whole.messages[0], Message("tool", "3", [], "z" * 9), *whole.messages[1:])


def renamed_result(whole: Record) -> Record | None:
    place = next((n for n, message in enumerate(whole.messages) if message.role == "tool"), None)
    if place is None:
        return None
    other = msgspec.structs.replace(whole.messages[place], tool_call_id="z" * 9)
    return with_messages(whole, *whole.messages[:place], other, *whole.messages[place + 1 :])


def unanswered(whole: Record) -> Record | None:
    place = next((n for n, message in enumerate(whole.messages) if message.role == "tool"), None)
    return None if place is None else with_messages(whole, *whole.messages[:place], *whole.messages[place + 1 :])


def ends_with_user(whole: Record) -> Record | None:
    return with_messages(whole, *whole.messages, Message("user", "And then?"))


def ends_with_result(whole: Record) -> Record | None:
    called = calls_in(whole)
    if not called or called[-1][0] != len(whole.messages) - 1:
        return None
    return with_messages(
        whole, *whole.messages, *(Message("tool", "3", [], call.id) for call in whole.messages[-1].tool_calls)
    )


def late_system(whole: Record) -> Record | None:
    return with_messages(whole, *whole.messages[:-1], Message("system", "Be kind."), whole.messages[-1])


def no_user(whole: Record) -> Record | None:
    return with_messages(whole, *(message for message in whole.messages if message.role != "user"))


def same_id(whole: Record) -> Record | None:
    called = calls_in(whole)
    if len(whole.messages[-1].tool_calls) < 2:
        return None
    return with_call(whole, id=whole.messages[-1].tool_calls[0].id) if called else None


PLANTS: dict[Plant, set[str]] = {
    unknown_tool: {"unknown_tool"},
    missing_argument: {"missing_argument"},
    unknown_argument: {"unknown_argument", "missing_argument"},
    wrong_type: {"wrong_argument"},
    outside_of_enum: {"wrong_argument"},
    result_without_call: {"result_without_call"},
    renamed_result: {"result_without_call"},
    unanswered: {"unanswered_call"},
    ends_with_user: {"last_turn_not_assistant"},
    ends_with_result: {"last_turn_not_assistant"},
    late_system: {"late_system_turn"},
    no_user: {"no_user_turn"},
    same_id: {"repeated_call_id"},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find",
        "parameters": {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "unit": {"type": "string", "enum": ["C", "F"]},
                "place": {"type": "string"},
            },
            "required": ["n"],
        },
    },
}
ARGUMENTS = st.fixed_dictionaries(
    {"n": st.integers(-5, 5)}, optional={"unit": st.sampled_from("CF"), "place": st.text(max_size=5)}
)


@st.composite
def conversations(draw: st.DrawFn) -> Record:
    """A valid conversation with calls, some in parallel, whose last turn may be one."""
    messages = [Message("system", draw(st.text(max_size=5)))] * draw(st.integers(0, 1))
    for turn in range(draw(st.integers(1, 3))):
        messages.append(Message("user", f"Question {turn}"))
        calls = [ToolCall(f"call{turn:03}{n:02}", "find", draw(ARGUMENTS)) for n in range(draw(st.integers(0, 3)))]
        if calls:
            messages.append(Message("assistant", draw(st.sampled_from(["", "Let me see."])), calls))
            messages += [
                Message("tool", draw(st.text(max_size=3)), [], call.id) for call in draw(st.permutations(calls))
            ]
        messages.append(Message("assistant", f"Answer {turn}"))
    if draw(st.booleans()):
        messages += [
            Message("user", "More"),
            Message("assistant", "", [ToolCall(f"last{n:05}", "find", draw(ARGUMENTS)) for n in range(2)]),
        ]
    return record(messages=messages, tools=[TOOL])


@given(conversations(), st.sampled_from(list(PLANTS)))
def test_a_valid_conversation_stays_and_its_planted_fault_is_found(whole: Record, plant: Plant) -> None:
    assert found(whole) is None
    broken = plant(whole)
    assert broken is None or found(broken) in PLANTS[plant]


# the public sets


def read(row: Any) -> Record:
    """The record of a row as `collect` reads it, not cleaned."""
    shape = next(formats.shape(name) for name in formats.names() if formats.shape(name).matches(row))
    example = shape.read(row)
    return record(messages=example.messages, tools=example.tools)


def chosen(value: Any) -> Any:
    """The first of the values that BFCL accepts, at every level."""
    if isinstance(value, dict):
        return {name: chosen(each[0]) for name, each in value.items() if each and each[0] != ""}
    return [chosen(each) for each in value] if isinstance(value, list) else value


def arguments_of(accepted: dict[str, list[Any]], required: list[str]) -> dict[str, Any]:
    """The first accepted value of each argument; "" stands for one that may be left out."""
    usable = {
        name: [value for value in values if value != "" or name not in required] for name, values in accepted.items()
    }
    return {name: chosen(values[0]) for name, values in usable.items() if values and values[0] != ""}


def bfcl() -> Iterator[tuple[str, Any]]:
    """The rows of the benchmark as conversations with their right calls, and those in which no tool fits."""
    with tarfile.open(PUBLIC / "A_instruct/bfcl_core/bfcl_core.tar.gz") as archive:

        def rows(name: str) -> list[Any]:
            file = archive.extractfile(f"bfcl_core/{name}.json")
            assert file
            return [json.loads(line) for line in file]

        for part in ("simple_python", "multiple", "parallel", "live_simple"):
            truth = {row["id"]: row["ground_truth"] for row in rows(f"possible_answer/BFCL_v4_{part}")}
            for row in rows(f"BFCL_v4_{part}"):
                required = {each["name"]: each["parameters"].get("required", []) for each in row["function"]}
                calls = [
                    {"id": f"c{n}", "name": name, "arguments": arguments_of(accepted, required[name])}
                    for n, call in enumerate(truth[row["id"]])
                    for name, accepted in call.items()
                ]
                yield (
                    row["id"],
                    {
                        "messages": [*row["question"][0], {"role": "assistant", "tool_calls": calls}],
                        "tools": row["function"],
                    },
                )
        for row in rows("BFCL_v4_irrelevance"):
            said = {"role": "assistant", "content": "None of my tools can do that."}
            yield row["id"], {"messages": [*row["question"][0], said], "tools": row["function"]}


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in unpacked(f"A_instruct/{name}").splitlines()]


SETS: dict[str, Callable[[], list[tuple[str, Any]]]] = {
    "bfcl": lambda: list(bfcl()),
    "drone": lambda: [(str(n), row) for n, row in enumerate(lines("openai_cookbook_ft/drone_training.jsonl"))],
    "toy": lambda: [(str(n), row) for n, row in enumerate(lines("openai_cookbook_ft/toy_chat_fine_tuning.jsonl"))],
    "glaive": lambda: [
        (str(n), row)
        for n, row in enumerate(json.loads(unpacked("A_instruct/llamafactory_demo/glaive_toolcall_en_demo.json")))
    ],
    "reasoning": lambda: [
        (str(n), row) for n, row in enumerate(lines("llamafactory_demo/reason_tool_use_demo_50.jsonl"))
    ],
}
REALLY_BROKEN = {
    "bfcl": {
        "live_simple_106-63-0": "missing_argument",
        "live_simple_112-68-0": "missing_argument",
    },  # none of its answers gives what is required
    "drone": {},
    "toy": {"3": "no_user_turn"},
    "glaive": {"259": "wrong_argument"},  # an array where its schema says number
    "reasoning": {"17": "unknown_argument"},  # a year that its tool does not know
}


@public
@pytest.mark.parametrize("name", SETS)
def test_no_valid_example_of_a_public_set_is_dropped(name: str) -> None:
    rows = SETS[name]()
    assert {key: fault for key, row in rows if (fault := found(read(row)))} == REALLY_BROKEN[name]


@public
@pytest.mark.parametrize("name", SETS)
def test_every_fault_planted_in_a_public_set_is_found(name: str) -> None:
    whole = [checked for key, row in SETS[name]() if key not in REALLY_BROKEN[name] and (checked := read(row))]
    planted = {plant: [broken for each in whole if (broken := plant(each))] for plant in PLANTS}
    assert {
        (plant.__name__, found(each))
        for plant, made in planted.items()
        for each in made
        if found(each) not in PLANTS[plant]
    } == set()
    assert sum(map(len, planted.values())) >= 4 * len(whole)
