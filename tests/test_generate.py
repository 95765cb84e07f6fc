"""Generated rows are unlike each other and the seeds, valid calls of the seeds' tools, and the same every time."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stages import generate
from stages.contract import params
from stages.contract.params import Stop
from stages.contract.record import Message, Record, decode, encode, joined
from stages.formats import openai
from stages.generate import Params, make
from stages.generation.grammar import pick
from stages.text.templates import filled
from tests.conftest import SAMPLE, json_lines, record, stage

FLOOR = 0.7
SHIPPED = yaml.safe_load((SAMPLE / "params.yaml").read_text())["generate"]
PACK = params.read_yaml(SAMPLE / SHIPPED["pack"])
WAY = {
    "say": {
        "plain": ["Please put {task} on the list called {list}.", "I must not forget to {task}; note it in {list}."]
    },
    "answer": ["I put {task} on {list}.", "Noted under {list}."],
}
ADD = {
    "tool": "add_task",
    "call": {"title": "{task}", "list": "{list}"},
    "result": {"status": "created"},
    "ways": [WAY],
}
SMALL = {
    "about": "a list of tasks",
    "axes": {"style": ["plain"]},
    "topics": {"add": ADD},
    "words": {
        "task": ["water the orchids", "renew the passport", "mend the raincoat", "book a flight to Lisbon"],
        "list": ["Home", "Work"],
    },
}


@pytest.fixture(autouse=True, scope="module")
def floored() -> Iterator[None]:
    """The floor that dedup keeps pairs from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "whole", lambda: {"dedup": {"floor": FLOOR}})
        yield


def seed_records() -> list[Record]:
    """The sample's seeds."""
    found = []
    for row in json_lines(SAMPLE / "data/sources/seeds/examples.jsonl"):
        example = openai.read(row)
        found.append(record(messages=[], tools=example.tools, meta={"topic": row["topic"]}))
        found[-1].messages = example.messages
    return found


def given_params(count: int) -> Params:
    """The shipped params with another count."""
    return Params(SHIPPED["seeds"], SHIPPED["pack"], count)


@cache
def shipped(seed: int = 42, count: int = 200) -> list[dict[str, Any]]:
    """The rows that the sample's pack and seeds give."""
    return make(seed_records(), given_params(count), seed, PACK)


def small(count: int, pack: dict[str, Any] = SMALL, seeds: tuple[Record, ...] = ()) -> list[dict[str, Any]]:
    """Rows of the small pack."""
    return make(seeds or [record(meta={"topic": "add"})], given_params(count), 1, pack)


def changed(**parts: Any) -> dict[str, Any]:
    """The small pack with other parts in its one topic."""
    way = {key: parts.pop(key) for key in ("say", "answer") if key in parts}
    return SMALL | {"topics": {"add": ADD | {"ways": [WAY | way]} | parts}}


def pieces(messages: list[Message]) -> set[str]:
    """The runs of five characters that dedup compares."""
    text = " ".join(joined(messages).lower().split())
    return {text[start : start + 5] for start in range(len(text) - 4)}


def test_the_shipped_number_of_rows_is_written() -> None:
    assert SHIPPED["count"] == 200
    assert len(shipped()) == 200


def test_all_rows_and_seeds_are_less_alike_than_the_floor() -> None:
    seeds = [pieces(each.messages) for each in seed_records()]
    rows = [pieces(openai.messages(row["messages"])) for row in shipped()]
    pairs = [*combinations(rows, 2), *((row, each) for row in rows for each in seeds)]
    assert len(pairs) == 200 * 199 // 2 + 200 * len(seeds)
    assert max(len(one & other) / len(one | other) for one, other in pairs) < FLOOR


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    again = make(seed_records(), given_params(200), 42, PACK)
    assert encode(again) == encode(shipped())
    first, other = ({encode(row) for row in rows} for rows in (shipped(), shipped(seed=43)))
    assert len(first & other) < 20
    words, others = ([row["messages"][2]["tool_calls"] for row in rows] for rows in (shipped(), shipped(seed=43)))
    assert sum(one == other for one, other in zip(words, others, strict=True)) < 20


def test_the_order_of_the_pack_does_not_matter() -> None:
    turned = {key: dict(reversed(part.items())) if isinstance(part, dict) else part for key, part in PACK.items()}
    turned["axes"] = turned["axes"] | {"style": turned["axes"]["style"][::-1]}
    assert list(turned["topics"]) != list(PACK["topics"])
    assert make(seed_records(), given_params(60), 42, turned) == make(seed_records(), given_params(60), 42, PACK)


def test_every_topic_and_style_has_about_its_share() -> None:
    found = Counter((row["topic"], row["extra"]["style"]) for row in shipped())
    assert len(found) == len(PACK["topics"]) * len(PACK["axes"]["style"])
    assert min(found.values()) * 2 >= max(found.values())


def test_every_call_is_valid_for_the_tool_it_names() -> None:
    for row in shipped():
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        [call] = next(message["tool_calls"] for message in row["messages"] if message.get("tool_calls"))
        arguments = json.loads(call["function"]["arguments"])
        assert call["function"]["name"] == PACK["topics"][row["topic"]]["tool"]
        assert list(Draft202012Validator(schemas[call["function"]["name"]]).iter_errors(arguments)) == []


def test_every_row_has_the_form_of_the_seeds() -> None:
    system = seed_records()[0].messages[0].content
    for row in shipped():
        messages = openai.read(row).messages
        assert [message.role for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
        assert messages[0].content == system
        assert messages[3].tool_call_id == messages[2].tool_calls[0].id
        assert isinstance(decode(messages[3].content), dict)
        assert all(message.content for message in messages if not message.tool_calls)


def test_no_row_has_a_field_left_in_it() -> None:
    named = {"{" + name + "}" for name in PACK["words"]}
    assert not [row for row in shipped() if any(field in encode(row).decode() for field in named)]


def test_the_words_of_the_call_are_those_of_the_request() -> None:
    [row] = small(1)
    said = row["messages"][0]["content"]
    arguments = json.loads(row["messages"][1]["tool_calls"][0]["function"]["arguments"])
    assert arguments["list"] in said
    assert arguments["title"] in said


def test_quotes_in_a_word_stay_valid_json() -> None:
    [row] = small(1, SMALL | {"words": {"task": ['read "Middlemarch" \\ part 2'], "list": ["Q3/Q4 {plan}"]}})
    arguments = json.loads(row["messages"][1]["tool_calls"][0]["function"]["arguments"])
    assert arguments == {"title": 'read "Middlemarch" \\ part 2', "list": "Q3/Q4 {plan}"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{task}", "rest"),
        ("{task} and {task}", "rest and rest"),
        ("{{task}}", "{rest}"),
        ("{task.__class__}", "{task.__class__}"),
        ("{task!r}", "{task!r}"),
        ("{task:>10}", "{task:>10}"),
        ("{0} {} {Task} { task }", "{0} {} {Task} { task }"),
        ("%(task)s $task ${7*7} {% task %}", "%(task)s $task ${7*7} {% task %}"),
        ({"{task}": ["{task}", 3, None, True]}, {"{task}": ["rest", 3, None, True]}),
    ],
)
def test_a_template_knows_plain_fields_only(template: Any, expected: Any) -> None:
    assert filled(template, {"task": "rest"}, "here") == expected


@given(st.text())
@settings(derandomize=True, max_examples=100)
def test_a_word_is_never_read_as_a_template(word: str) -> None:
    assert filled("a {task} b", {"task": word, "list": "x"}, "here") == f"a {word} b"


@pytest.mark.parametrize("part", ["say", "call", "result", "answer"])
def test_a_field_without_words_stops_with_its_name(part: str) -> None:
    wrong = {
        "say": {"plain": ["{tsak}"]},
        "call": {"title": "{tsak}"},
        "result": {"id": "{tsak}"},
        "answer": ["{tsak}"],
    }
    with pytest.raises(Stop) as stopped:
        small(1, changed(**{part: wrong[part]}))
    assert "{tsak}" in stopped.value.message
    assert stopped.value.code == 2


def test_a_missing_seed_topic_stops_with_its_name() -> None:
    without = [each for each in seed_records() if each.meta.topic != "delete"]
    with pytest.raises(Stop) as stopped:
        make(without, given_params(200), 42, PACK)
    assert "topics.delete: no record of generate.seeds, which is seeds, has this topic" in stopped.value.message
    assert stopped.value.code == 2


def test_a_seed_topic_that_the_pack_does_not_name_does_not_stop() -> None:
    assert len(small(1, seeds=(record(meta={"topic": "add"}), record(meta={"topic": "archive"})))) == 1


def test_a_pack_that_is_too_small_stops_and_says_how_many_it_gives() -> None:
    with pytest.raises(Stop) as stopped:
        small(50)
    assert stopped.value.message.startswith(f"{SHIPPED['pack']}: topics.add: its templates give only ")
    assert "asks for 50" in stopped.value.message
    assert stopped.value.code == 2


def test_a_pack_that_is_just_large_enough_does_not_stop() -> None:
    with pytest.raises(Stop) as stopped:
        small(50)
    most = int(stopped.value.message.split("give only ")[1].split()[0])
    assert 1 < most < 50
    assert len(small(2)) == 2


def test_no_rows_are_none() -> None:
    assert small(0) == []


def test_a_row_like_any_seed_is_not_written() -> None:
    one = SMALL | {"words": {"task": ["water the orchids"], "list": ["Home"]}}
    [row] = small(
        1, changed(say={"plain": [WAY["say"]["plain"][0]]}, answer=WAY["answer"][:1]) | {"words": one["words"]}
    )
    like = record(meta={"topic": "add"})
    like.messages = openai.messages(row["messages"])
    with pytest.raises(Stop, match="give only 0 rows"):
        small(
            1,
            changed(say={"plain": [WAY["say"]["plain"][0]]}, answer=WAY["answer"][:1]) | {"words": one["words"]},
            (like, record(meta={"topic": "add"})),
        )


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(0, 99))
@settings(derandomize=True, max_examples=60)
def test_a_choice_depends_on_nothing_but_the_seed_and_the_place(seed: int, size: int, place: int) -> None:
    choices = list(range(size))
    assert pick(choices, seed, "say", place) in choices
    assert pick(choices, seed, "say", place) == pick(list(choices), seed, "say", place)


@given(st.integers(0, 9), st.integers(1, 3))
@settings(derandomize=True, max_examples=15)
def test_a_larger_count_starts_with_the_rows_of_a_smaller(seed: int, count: int) -> None:
    seeds, words = [record(meta={"topic": "add"})], copy.deepcopy(SMALL)
    words["words"]["task"] += [
        f"{name} the {name} {n}" for n, name in enumerate(("sweep", "paint", "iron", "trim", "oil"))
    ]
    assert make(seeds, given_params(3), seed, words)[:count] == make(seeds, given_params(count), seed, words)


def test_the_stage_writes_the_rows_of_the_seeds_that_filter_kept(project: Any) -> None:
    kept = seed_records()
    dropped = record("add: something else entirely", "Added.", tools=[{"type": "function", "function": {}}])
    for each in kept:
        each.source = "seeds"
    for place, rows in {
        "data/records/seeds/00000.jsonl": [*kept, dropped],
        "data/dropped/filter/seeds.jsonl": [
            {"id": dropped.id, "source": "seeds", "stage": "filter", "reason": "empty_reply", "evidence": {}}
        ],
    }.items():
        (project / place).parent.mkdir(parents=True, exist_ok=True)
        (project / place).write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    stage(project, "generate")
    assert json_lines(project / "data/sources/generated/examples.jsonl") == decode(encode(shipped()))


def test_no_row_of_the_stage_is_a_drop() -> None:
    assert generate.REASONS == {}
