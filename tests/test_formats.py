import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages import formats
from stages.contract.record import Example, Fault, Message, ToolCall
from stages.formats import openai
from tests.conftest import record

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def read(shape: str, row: Any) -> Example:
    """The example that a row of this shape holds; the row must be recognised."""
    assert formats.shape(shape).matches(row)
    found: Example = formats.shape(shape).read(row)
    return found


def said(found: list[Message]) -> list[tuple[str, str]]:
    """Role and text of each message."""
    return [(message.role, message.content) for message in found]


def lost(shape: str, **given: Any) -> str:
    """What a shape says it would lose of a record."""
    with pytest.raises(formats.Loss) as loss:
        formats.shape(shape).write(record(**given))
    return str(loss.value)


HI = [("user", "Hi"), ("assistant", "Hello.")]
SYSTEM_HI = [("system", "Be kind."), *HI]
ROWS: dict[str, list[tuple[Any, list[tuple[str, str]]]]] = {
    "alpaca": [
        ({"instruction": "Hi", "output": "Hello."}, HI),
        ({"instruction": "Hi", "input": "", "output": "Hello."}, HI),
        ({"instruction": "Hi", "input": None, "output": "Hello."}, HI),
        ({"instruction": "Hi", "response": "Hello."}, HI),
        ({"instruction": "Add", "input": "1 2", "output": "3"}, [("user", "Add\n1 2"), ("assistant", "3")]),
        ({"instruction": "Hi", "output": "Hello.", "system": "Be kind."}, SYSTEM_HI),
        ({"instruction": "B", "output": "b", "history": [["Hi", "Hello."]]}, [*HI, ("user", "B"), ("assistant", "b")]),
        ({"instruction": "Hi", "output": "Hello.", "history": [], "system": ""}, HI),
    ],
    "input_output": [
        ({"input": "Hi", "output": "Hello."}, HI),
        ({"input": "Hi", "output": "Hello.", "system": "Be kind."}, SYSTEM_HI),
        ({"input": "Hi", "output": ""}, [("user", "Hi"), ("assistant", "")]),
    ],
    "openai": [
        ({"messages": [USER, ASSISTANT]}, HI),
        ([USER, ASSISTANT], HI),
        ({"messages": [{"role": "developer", "content": "Be kind."}, USER, ASSISTANT]}, SYSTEM_HI),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "H"}, {"text": "i"}]}, ASSISTANT]}, HI),
        ({"messages": [{"role": "user", "content": [{"type": "text", "value": "Hi"}]}, ASSISTANT]}, HI),
        ({"messages": [{"role": "user", "content": None}, {"role": "assistant"}]}, [("user", ""), ("assistant", "")]),
    ],
    "preference": [
        ({"prompt": "Hi", "chosen": "Hello.", "rejected": "What?"}, HI),
        ({"question": "Hi", "chosen": "Hello.", "rejected": "What?"}, HI),
        ({"prompt": "Hi", "system": "Be kind.", "chosen": "Hello.", "rejected": "What?"}, SYSTEM_HI),
        ({"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "What?"}]}, HI),
        ({"prompt": "Hi", "chosen": ASSISTANT, "rejected": {"role": "assistant", "content": "What?"}}, HI),
        ({"chosen": [USER, ASSISTANT], "rejected": [USER, {"role": "assistant", "content": "What?"}]}, HI),
        (
            {
                "prompt": "Hi",
                "chosen": [USER, ASSISTANT],
                "rejected": [USER, {"role": "assistant", "content": "What?"}],
            },
            HI,
        ),
        (
            {
                "conversations": [{"from": "human", "value": "Hi"}],
                "chosen": {"from": "gpt", "value": "Hello."},
                "rejected": {"from": "gpt", "value": "What?"},
            },
            HI,
        ),
        (
            {
                "input": {"messages": [USER]},
                "preferred_output": [ASSISTANT],
                "non_preferred_output": [{"role": "assistant", "content": "What?"}],
            },
            HI,
        ),
    ],
    "prompt_completion": [
        ({"prompt": "Hi", "completion": "Hello."}, HI),
        ({"prompt": "Hi", "response": "Hello."}, HI),
        ({"prompt": [USER], "completion": [ASSISTANT]}, HI),
        ({"prompt": [USER], "completion": "Hello."}, HI),
    ],
    "sharegpt": [
        ({key: [{"from": asks, "value": "Hi"}, {"from": answers, "value": "Hello."}]}, HI)
        for key in ("conversations", "conversation", "items")
        for asks, answers in (("human", "gpt"), ("user", "assistant"), ("Human", "chatgpt"), ("user", "model"))
    ]
    + [
        (
            {
                "system": "Be kind.",
                "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}],
            },
            SYSTEM_HI,
        ),
        (
            {
                "conversations": [
                    {"from": "system", "value": "Be kind."},
                    {"from": "human", "value": "Hi"},
                    {"from": "bing", "value": "Hello."},
                ]
            },
            SYSTEM_HI,
        ),
    ],
}
VARIANTS = [(shape, row, expected) for shape, rows in ROWS.items() for row, expected in rows]


@pytest.mark.parametrize(("shape", "row", "expected"), VARIANTS)
def test_a_variant_of_a_shape_is_read(shape: str, row: Any, expected: list[tuple[str, str]]) -> None:
    found = read(shape, row)
    assert said(found.messages) == expected
    assert said(found.rejected) == ([("assistant", "What?")] if shape == "preference" else [])


@pytest.mark.parametrize(("shape", "row", "expected"), VARIANTS)
def test_a_variant_is_detected_as_its_own_shape(shape: str, row: Any, expected: Any) -> None:
    assert detected(row) == shape


def test_every_shape_has_a_variant_here() -> None:
    assert sorted(ROWS) == formats.names()


def detected(row: Any) -> str | None:
    """The shape that a row is taken to have if none is declared."""
    return next((name for name in formats.names() if formats.shape(name).matches(row)), None)


@pytest.mark.parametrize(
    "row", [None, 3, "text", [], {}, ["a"], [[]], {"messages": []}, {"messages": "Hi"}, {"conversations": [{}]}]
)
def test_what_is_no_example_has_no_shape(row: Any) -> None:
    assert detected(row) is None


def test_declared_fields_take_our_names_and_leave_the_row_as_it_is() -> None:
    row = {"question": "Hi", "answer": "Hello.", "topic": "greeting"}
    assert formats.renamed(row, {"input": "question", "output": "answer", "system": "absent"}) == {
        "input": "Hi",
        "output": "Hello.",
        "topic": "greeting",
    }
    assert row == {"question": "Hi", "answer": "Hello.", "topic": "greeting"}


def test_fields_can_be_exchanged() -> None:
    assert formats.renamed({"input": "b", "output": "a"}, {"input": "output", "output": "input"}) == {
        "input": "a",
        "output": "b",
    }


@pytest.mark.parametrize("row", [[USER], "Hi", 3, None])
def test_a_row_without_fields_is_not_renamed(row: Any) -> None:
    assert formats.renamed(row, {"input": "question"}) == row


FAULTS: list[tuple[str, Any, str, str]] = [
    ("alpaca", {"instruction": "a", "output": None}, "wrong_type", "output"),
    ("alpaca", {"instruction": "a", "output": "b", "input": ["c"]}, "wrong_type", "input"),
    ("alpaca", {"instruction": "a", "output": "b", "history": [["c"]]}, "wrong_type", "history"),
    ("alpaca", {"instruction": "a", "output": "b", "history": [["c", 3]]}, "wrong_type", "history"),
    ("input_output", {"input": "a", "output": "b", "system": 3}, "wrong_type", "system"),
    ("openai", {"messages": [{"role": "critic", "content": "a"}]}, "unknown_role", "messages[0].role"),
    ("openai", {"messages": [USER, {"role": "user", "content": 3}]}, "wrong_type", "messages[1].content"),
    ("openai", {"messages": [{"role": "user", "content": ["Hi"]}]}, "not_text", "messages[0].content[0]"),
    (
        "openai",
        {"messages": [{**ASSISTANT, "tool_calls": {}}, {**ASSISTANT, "tool_calls": {"a": 1}}]},
        "wrong_type",
        "",
    ),
    ("openai", {"messages": [{**ASSISTANT, "tool_calls": [{"function": {}}]}]}, "wrong_type", ""),
    ("openai", {"messages": [{**ASSISTANT, "weight": 0.5}]}, "wrong_type", "messages[0].weight"),
    ("openai", {"messages": [{**ASSISTANT, "weight": True}]}, "wrong_type", "messages[0].weight"),
    ("openai", {"messages": [{**ASSISTANT, "loss_weight": False}]}, "wrong_type", "messages[0].weight"),
    ("openai", {"messages": [USER], "label": "yes"}, "wrong_type", "label"),
    ("openai", {"messages": [USER], "tools": {}}, "wrong_type", "tools"),
    ("openai", {"messages": [USER], "tools": "[not json"}, "broken_json", ""),
    ("preference", {"prompt": "a", "chosen": "b", "rejected": "b"}, "same_endings", ""),
    ("preference", {"prompt": "a", "chosen": "b", "rejected": []}, "missing_ending", ""),
    ("preference", {"prompt": "a", "chosen": [], "rejected": "b"}, "missing_ending", ""),
    ("preference", {"chosen": [USER], "rejected": [USER]}, "missing_ending", ""),
    ("preference", {"prompt": "a", "chosen": 3, "rejected": "b"}, "wrong_type", "chosen"),
    ("prompt_completion", {"prompt": None, "completion": 3}, "wrong_type", "completion"),
    ("sharegpt", {"conversations": [{"from": "alien", "value": "a"}]}, "unknown_role", "conversations.from"),
    ("sharegpt", {"conversations": [{"from": "human", "value": 3}]}, "wrong_type", "conversations[0].content"),
    ("sharegpt", {"conversations": [{"from": "function_call", "value": "f("}]}, "bad_arguments", "conversations.value"),
    ("sharegpt", {"conversations": [{"from": "function_call", "value": "3"}]}, "wrong_type", ""),
]


@pytest.mark.parametrize(("shape", "row", "reason", "field"), FAULTS)
def test_a_row_that_breaks_its_shape_is_a_fault_that_names_the_place(
    shape: str, row: Any, reason: str, field: str
) -> None:
    with pytest.raises(Fault) as fault:
        read(shape, row)
    assert fault.value.reason == reason
    assert not field or fault.value.evidence["field"] == field


@pytest.mark.parametrize("field", ["weight", "loss_weight"])
@pytest.mark.parametrize(("given", "read_as"), [(0, 0), (1, 1), (0.0, 0), (1.0, 1), (None, None)])
def test_a_weight_of_nought_or_one_is_read_however_the_number_is_written(
    field: str, given: float | None, read_as: int | None
) -> None:
    found = read("openai", {"messages": [USER, {**ASSISTANT, field: given}]}).messages[1].weight
    assert found == read_as
    assert type(found) is type(read_as)


# Tool calls


def call(name: str = "weather", arguments: Any = '{"city": "Rome"}', **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def called(*turns: dict[str, Any]) -> list[Message]:
    """The messages read from a user's turn and these."""
    return read("openai", {"messages": [USER, *turns]}).messages


@pytest.mark.parametrize("arguments", ['{"city": "Rome"}', {"city": "Rome"}, ' {"city":"Rome"}\n'])
def test_arguments_are_read_as_an_object_and_as_the_text_of_one(arguments: Any) -> None:
    messages = called({"role": "assistant", "tool_calls": [call(arguments=arguments)]})
    assert messages[1].tool_calls[0].arguments == {"city": "Rome"}


@pytest.mark.parametrize("arguments", ["", "Rome", "[1]", "null", None, [1], 3, '{"a": 1, "a": 2}', '{"a": NaN}'])
def test_arguments_that_are_no_object_are_a_fault(arguments: Any) -> None:
    with pytest.raises(Fault) as fault:
        called({"role": "assistant", "tool_calls": [call(arguments=arguments)]})
    assert fault.value.reason == "bad_arguments"


def test_a_call_without_arguments_has_none() -> None:
    assert called({"role": "assistant", "tool_calls": [{"function": {"name": "now"}}]})[1].tool_calls[0].arguments == {}


@pytest.mark.parametrize("given", ["call_abc-123", "1", 7, "a" * 40, "123456789"])
def test_ids_become_nine_letters_or_digits_and_results_name_the_call_they_answer(given: Any) -> None:
    messages = called(
        {"role": "assistant", "tool_calls": [call(id=given), call("time", id=f"{given}b")]},
        {"role": "tool", "tool_call_id": f"{given}b", "content": "noon"},
        {"role": "tool", "tool_call_id": given, "content": "sunny"},
    )
    weather, time = (each.id for each in messages[1].tool_calls)
    assert weather != time
    assert all(re.fullmatch("[A-Za-z0-9]{9}", each) for each in (weather, time))
    assert [message.tool_call_id for message in messages] == [None, None, time, weather]


def test_results_without_ids_answer_the_calls_in_their_order() -> None:
    messages = called(
        {"role": "assistant", "tool_calls": [call(), call("time")]},
        {"role": "tool", "content": "sunny"},
        {"role": "tool", "content": "noon"},
        {"role": "tool", "content": "nobody asked"},
    )
    assert [message.tool_call_id for message in messages[2:]] == [*(each.id for each in messages[1].tool_calls), None]


def test_equal_calls_in_two_turns_have_ids_of_their_own() -> None:
    turns = [{"role": "assistant", "tool_calls": [call(id="x")]}, {"role": "tool", "tool_call_id": "x", "content": "a"}]
    messages = called(*turns, *turns)
    assert messages[1].tool_calls[0].id == messages[2].tool_call_id
    assert messages[3].tool_calls[0].id == messages[4].tool_call_id
    assert messages[2].tool_call_id != messages[4].tool_call_id


def test_a_result_that_names_no_known_call_is_paired_with_none() -> None:
    messages = called(
        {"role": "assistant", "tool_calls": [call(id="x")]}, {"role": "tool", "tool_call_id": "y", "content": "a"}
    )
    assert messages[2].tool_call_id not in (None, messages[1].tool_calls[0].id)


def test_old_function_calls_and_results_are_read_as_calls() -> None:
    row = {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "function_call": call()["function"]},
            {"role": "function", "name": "weather", "content": "sunny"},
        ],
        "functions": [WEATHER["function"]],
    }
    found = read("openai", row)
    assert found.messages[2] == Message(
        "tool", "sunny", tool_call_id=found.messages[1].tool_calls[0].id, name="weather"
    )
    assert found.tools == [WEATHER]


@pytest.mark.parametrize(
    "given", [[WEATHER], [WEATHER["function"]], json.dumps([WEATHER]), json.dumps([WEATHER["function"]])]
)
@pytest.mark.parametrize("shape", ["openai", "sharegpt"])
def test_tools_are_read_from_a_list_or_its_text_wrapped_or_not(shape: str, given: Any) -> None:
    turns = {
        "openai": {"messages": [USER, ASSISTANT]},
        "sharegpt": {"conversations": [{"from": "human", "value": "a"}]},
    }
    assert read(shape, {**turns[shape], "tools": given}).tools == [WEATHER]


@pytest.mark.parametrize("given", [None, "", " ", []])
def test_no_tools_are_none(given: Any) -> None:
    assert read("openai", {"messages": [USER], "tools": given}).tools == []


def sharegpt_call(*values: Any) -> list[Message]:
    turns = [{"from": "human", "value": "a"}, {"from": "function_call", "value": json.dumps(*values)}]
    turns.append({"from": "observation", "value": "sunny"})
    return read("sharegpt", {"conversations": turns}).messages


def test_a_sharegpt_call_and_its_observation_are_paired() -> None:
    messages = sharegpt_call({"name": "weather", "arguments": {"city": "Rome"}})
    assert messages[1].tool_calls[0].arguments == {"city": "Rome"}
    assert messages[2].tool_call_id == messages[1].tool_calls[0].id


def test_an_observation_answers_the_first_of_several_sharegpt_calls() -> None:
    messages = sharegpt_call([{"name": "weather", "arguments": {}}, {"name": "time", "arguments": {}}])
    assert [each.name for each in messages[1].tool_calls] == ["weather", "time"]
    assert messages[2].tool_call_id == messages[1].tool_calls[0].id


# Pairs and labels


def test_a_pair_of_whole_conversations_shares_its_beginning() -> None:
    more = [USER, ASSISTANT, {"role": "user", "content": "More"}]
    row = {"chosen": [*more, {"role": "assistant", "content": "Yes."}], "rejected": [*more, ASSISTANT]}
    found = read("preference", row)
    assert said(found.messages) == [*HI, ("user", "More"), ("assistant", "Yes.")]
    assert said(found.rejected) == [("assistant", "Hello.")]


def test_endings_that_ask_questions_of_their_own_are_no_pair() -> None:
    ending = [ASSISTANT, USER, ASSISTANT]
    with pytest.raises(Fault) as fault:
        read("preference", {"prompt": "Hi", "chosen": ending, "rejected": [*ending[:2], {**ASSISTANT, "content": "?"}]})
    assert fault.value.reason == "endings_with_questions"


def test_a_call_before_the_endings_part_belongs_to_both() -> None:
    start = [
        USER,
        {"role": "assistant", "tool_calls": [call(id="x")]},
        {"role": "tool", "tool_call_id": "x", "content": "a"},
    ]
    good, bad = ({"role": "assistant", "content": text} for text in ("Yes.", "No."))
    found = read("preference", {"prompt": start, "chosen": [good], "rejected": [bad]})
    assert [message.role for message in found.rejected] == ["assistant", "tool", "assistant"]
    written = formats.shape("preference").write(record(messages=found.messages, rejected=found.rejected))
    assert len(written["preferred_output"]) == len(written["non_preferred_output"]) == 3
    assert read("preference", json.loads(json.dumps(written))).rejected == found.rejected


def test_calls_in_both_endings_have_ids_that_fit_their_results() -> None:
    ending = [
        {"role": "assistant", "tool_calls": [call(id="x")]},
        {"role": "tool", "tool_call_id": "x", "content": "a"},
    ]
    found = read("preference", {"prompt": "Hi", "chosen": [*ending, ASSISTANT], "rejected": ending})
    assert found.messages[1].tool_calls[0].id == found.messages[2].tool_call_id
    assert found.rejected[0].tool_calls[0].id == found.rejected[1].tool_call_id


@pytest.mark.parametrize("label", [True, False, None])
@pytest.mark.parametrize(
    ("shape", "row"),
    [("prompt_completion", {"prompt": "Hi", "completion": "Hello."}), ("openai", {"messages": [USER, ASSISTANT]})],
)
def test_a_label_is_kept(shape: str, row: dict[str, Any], label: bool | None) -> None:
    assert read(shape, {**row, "label": label}).label is label


# Writing

PLAIN = [USER, ASSISTANT]
CALL = ToolCall("abc123def", "weather", {"city": "Rome"})
CALLING = [
    USER,
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "content": "sunny", "tool_call_id": CALL.id},
    ASSISTANT,
]


def test_openai_rows_hold_arguments_as_text_and_nothing_of_ours() -> None:
    row = formats.shape("openai").write(record(messages=CALLING, tools=[WEATHER], meta={"topic": "weather"}))
    assert row == {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": CALL.id,
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                    }
                ],
            },
            {"role": "tool", "content": "sunny", "tool_call_id": CALL.id},
            ASSISTANT,
        ],
        "tools": [WEATHER],
    }


def test_text_beside_a_call_and_an_empty_text_are_both_written() -> None:
    turns = [{"role": "user", "content": ""}, {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}]
    row = formats.shape("openai").write(record(messages=turns))
    assert [message["content"] for message in row["messages"]] == ["", "Let me see."]


def test_a_pair_is_written_as_openai_takes_it() -> None:
    row = formats.shape("preference").write(
        record("Hi", "Hello.", rejected=[{"role": "assistant", "content": "What?"}])
    )
    assert row == {
        "input": {"messages": [USER]},
        "preferred_output": [ASSISTANT],
        "non_preferred_output": [{"role": "assistant", "content": "What?"}],
    }


def test_a_labelled_answer_is_written_as_prompt_and_completion() -> None:
    row = formats.shape("prompt_completion").write(record("Hi", "Hello.", label=False))
    assert row == {"prompt": [USER], "completion": [ASSISTANT], "label": False}


def test_alpaca_holds_one_exchange() -> None:
    assert formats.shape("alpaca").write(record("Hi", "Hello.")) == {
        "instruction": "Hi",
        "input": "",
        "output": "Hello.",
    }


def test_sharegpt_holds_turns_with_calls_the_system_and_the_tools_beside_them() -> None:
    row = formats.shape("sharegpt").write(
        record(messages=[{"role": "system", "content": "Be kind."}, *CALLING], tools=[WEATHER])
    )
    assert row["system"] == "Be kind."
    assert json.loads(row["tools"]) == [WEATHER["function"]]
    assert [turn["from"] for turn in row["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert json.loads(row["conversations"][1]["value"]) == {"name": "weather", "arguments": {"city": "Rome"}}


SYSTEM = {"role": "system", "content": "Be kind."}
LOSSES: list[tuple[str, dict[str, Any], str]] = [
    ("alpaca", {"messages": CALLING}, "tools"),
    ("alpaca", {"messages": PLAIN, "tools": [WEATHER]}, "tools"),
    ("alpaca", {"messages": PLAIN * 2}, "turns"),
    ("alpaca", {"messages": PLAIN[:1]}, "turns"),
    ("alpaca", {"messages": [SYSTEM, *PLAIN]}, "system"),
    ("alpaca", {"messages": [USER, {**ASSISTANT, "weight": 0}]}, "weight"),
    ("sharegpt", {"messages": [SYSTEM, SYSTEM, *PLAIN]}, "several_system_turns"),
    ("sharegpt", {"messages": [USER, USER, ASSISTANT]}, "turns_that_do_not_alternate"),
    ("sharegpt", {"messages": [ASSISTANT, USER]}, "turns_that_do_not_alternate"),
    ("sharegpt", {"messages": [*PLAIN, USER]}, "turns_that_do_not_alternate"),
    ("sharegpt", {"messages": [*PLAIN, USER, {**ASSISTANT, "weight": 0}]}, "weight"),
    (
        "sharegpt",
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL, ToolCall("a" * 9, "time", {})]}]},
        "parallel_calls",
    ),
    ("sharegpt", {"messages": [USER, {**ASSISTANT, "tool_calls": [CALL]}]}, "text_beside_a_call"),
]


@pytest.mark.parametrize(("shape", "given", "loss"), LOSSES)
def test_a_record_that_a_shape_cannot_hold_is_left_out_and_says_why(
    shape: str, given: dict[str, Any], loss: str
) -> None:
    assert lost(shape, **given) == loss


@pytest.mark.parametrize("shape", ["alpaca", "sharegpt"])
def test_a_turn_that_is_trained_on_anyway_is_not_a_loss(shape: str) -> None:
    assert formats.shape(shape).write(record(messages=[USER, {**ASSISTANT, "weight": 1}]))


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
VALUE = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(-9, 9), st.none(), st.lists(TEXT, max_size=2)), max_size=2)


@st.composite
def exchange(draw: st.DrawFn, plain: bool = False) -> list[dict[str, Any]]:
    """A user's turn and an answer, with a call and its result between them unless it is to be plain."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": draw(TEXT)}]
    if not plain and draw(st.booleans()):
        turns.append(
            {
                "role": "assistant",
                "tool_calls": [{"id": "x", "function": {"name": draw(TEXT), "arguments": draw(VALUE)}}],
            }
        )
        turns.append({"role": "tool", "tool_call_id": "x", "content": draw(TEXT)})
    return [*turns, {"role": "assistant", "content": draw(TEXT)}]


@st.composite
def conversation(draw: st.DrawFn) -> dict[str, Any]:
    """A row in OpenAI's shape that every shape for conversations can hold."""
    system = draw(st.sampled_from([[], [{"role": "system", "content": "Be kind."}]]))
    turns = [turn for each in draw(st.lists(exchange(), min_size=1, max_size=3)) for turn in each]
    return {"messages": [*system, *turns], "tools": draw(st.sampled_from([[], [WEATHER]]))}


@given(conversation())
@pytest.mark.parametrize("shape", ["openai", "sharegpt", "prompt_completion"])
def test_what_is_written_is_read_back_the_same(shape: str, row: dict[str, Any]) -> None:
    example = read("openai", row)
    given = record(messages=example.messages, tools=example.tools)
    row = json.loads(json.dumps(formats.shape(shape).write(given)))
    assert formats.shape(shape).matches(row)
    assert formats.shape(shape).read(row) == example


@given(exchange(plain=True))
def test_an_exchange_is_read_back_the_same_from_alpaca(turns: list[dict[str, Any]]) -> None:
    given = record(messages=turns)
    assert read("alpaca", formats.shape("alpaca").write(given)).messages == given.messages


@given(conversation(), exchange(), exchange())
def test_a_pair_is_read_back_the_same(row: dict[str, Any], better: list[Any], worse: list[Any]) -> None:
    assume(better[1:] != worse[1:])
    start = {"prompt": [*row["messages"], {"role": "user", "content": "And?"}], "tools": row["tools"]}
    example = read("preference", {**start, "chosen": better[1:], "rejected": worse[1:]})
    given = record(messages=example.messages, rejected=example.rejected, tools=example.tools)
    written = json.loads(json.dumps(formats.shape("preference").write(given)))
    assert read("preference", written) == example


def test_a_pair_with_an_instruction_asks_what_alpaca_asks() -> None:
    row = {"instruction": "Add these.", "input": "1 and 2", "chosen": "3", "rejected": "12"}
    example = read("preference", row)
    assert [message.content for message in example.messages] == ["Add these.\n1 and 2", "3"]
    assert [message.content for message in example.rejected] == ["12"]


HUMAN, ASSISTED = "\n\nHuman: ", "\n\nAssistant: "


def test_a_transcript_in_one_text_is_read_as_turns_with_two_endings() -> None:
    start = f"{HUMAN}Can I undo it?{ASSISTED}Undo what?\n\nA list?{HUMAN}Yes, a list."
    found = read("preference", {"chosen": f"{start}{ASSISTED}Press undo.", "rejected": f"{start}{ASSISTED}No."})
    assert said(found.messages) == [
        ("user", "Can I undo it?"),
        ("assistant", "Undo what?\n\nA list?"),
        ("user", "Yes, a list."),
        ("assistant", "Press undo."),
    ]
    assert said(found.rejected) == [("assistant", "No.")]


def test_two_transcripts_that_part_before_the_last_question_are_no_pair() -> None:
    one, other = (f"{HUMAN}Hello.{ASSISTED}{said}{HUMAN}And now?{ASSISTED}Nothing." for said in ("Hi.", "Go."))
    with pytest.raises(Fault, match="endings_with_questions"):
        read("preference", {"chosen": one, "rejected": other})


def test_a_text_that_only_mentions_a_speaker_is_an_answer() -> None:
    found = read("preference", {"prompt": "Who speaks?", "chosen": f"First{HUMAN}then me.", "rejected": "Nobody."})
    assert said(found.messages)[-1] == ("assistant", f"First{HUMAN}then me.")


# parts that are reasoning and calls, and results that stand in one message


def test_reasoning_and_calls_among_the_parts_of_a_message_are_kept() -> None:
    parts = [
        {"type": "reasoning", "value": "Two cities."},
        {"type": "text", "value": "Let me see."},
        {"type": "tool_call", "value": '{"name": "weather", "arguments": {"city": "Rome"}}'},
        {"type": "tool_call", "value": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
    ]
    (said,) = openai.messages([{"role": "assistant", "content": parts}])
    assert said.content == "<think>\nTwo cities.\n</think>\n\nLet me see."
    assert [(call.name, call.arguments) for call in said.tool_calls] == [
        ("weather", {"city": "Rome"}),
        ("weather", {"city": "Oslo"}),
    ]


@pytest.mark.parametrize("value", ['{"name": "weather"', "weather", '["weather"]', {"arguments": {}}])
def test_a_part_that_is_a_broken_call_is_a_fault(value: Any) -> None:
    with pytest.raises(Fault):
        openai.messages([{"role": "assistant", "content": [{"type": "tool_call", "value": value}]}])


CALLS = [{"name": "weather", "arguments": {"city": city}} for city in ("Rome", "Oslo")]


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ('["sunny", "rain"]', ["sunny", "rain"]),
        ('[{"name": "weather", "content": "sunny"}, {"content": {"rain": 3}}]', ["sunny", '{"rain":3}']),
        ('[{"sky": "blue"}, 7]', ['{"sky":"blue"}', "7"]),
    ],
)
def test_results_of_several_calls_in_one_message_are_given_one_each(returned: str, told: list[str]) -> None:
    call, *results = openai.messages(
        [
            {"role": "assistant", "tool_calls": CALLS},
            {"role": "tool", "content": returned},
            {"role": "assistant", "content": "So."},
        ]
    )[:-1]
    assert [(each.tool_call_id, each.content) for each in results] == list(
        zip([c.id for c in call.tool_calls], told, strict=True)
    )


@pytest.mark.parametrize(
    "results",
    [
        [{"role": "tool", "content": '["only one"]'}],
        [{"role": "tool", "content": "[broken"}],
        [{"role": "tool", "content": '["a", "b"]'}, {"role": "tool", "content": "c"}],
        [{"role": "tool", "content": '["a", "b"]', "tool_call_id": "x"}],
    ],
)
def test_other_results_stay_as_they_are(results: list[dict[str, Any]]) -> None:
    found = openai.messages([{"role": "assistant", "tool_calls": CALLS}, *results])
    assert [each.content for each in found[1:]] == [each["content"] for each in results]
