"""Preference pairs alone and together: endings that teach nothing, and rankings that cannot all be right."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import filter
from stages.checks import pairs, tools
from stages.contract import params
from stages.contract.record import Message, Record, ToolCall, decode, encode
from stages.reporting import gate
from stages.reporting.accounting import answers
from stages.text.preferences import in_circles
from tests.conftest import record
from tests.test_dedup import deduped

LONG = "Open the menu of the list, choose Rename, type the new name and press Enter; all members see it at once."


def pair(chosen: str, rejected: str, asked: str = "How do I rename a list?", **more: Any) -> Record:
    return record(asked, chosen, rejected=[{"role": "assistant", "content": rejected}], **more)


def apart(chosen: str, rejected: str, **limits: Any) -> str | None:
    """Why a pair with these endings is dropped."""
    return pairs.decide(decode(encode(pairs.measure(pair(chosen, rejected)))), pairs.Params(**limits))


# the endings of one pair


@pytest.mark.parametrize(
    ("chosen", "rejected", "limits", "reason"),
    [
        ("Yes.", "yes.", {}, "identical_endings"),
        ("Open  it.\n", "open it.", {"max_similarity": None}, "identical_endings"),
        (LONG * 3, LONG * 3 + "!", {}, "alike_endings"),
        (LONG * 3, LONG * 3 + "!", {"max_similarity": None}, None),
        (LONG, "No.", {}, None),
        (LONG, "No.", {"max_length_ratio": 20.0}, "length_gap"),
        ("No.", LONG, {"max_length_ratio": 20.0}, "length_gap"),
        (LONG, "", {"max_length_ratio": 20.0}, "length_gap"),
        (LONG, "You cannot rename a list, you have to make another one.", {"max_length_ratio": 20.0}, None),
        ("The answer is 4.", "The answer is 5.", {}, None),
    ],
)
def test_endings_that_teach_no_preference(
    chosen: str, rejected: str, limits: dict[str, Any], reason: str | None
) -> None:
    assert apart(chosen, rejected, **limits) == reason


def test_what_is_no_pair_has_no_endings_to_compare() -> None:
    assert pairs.measure(record()) is None
    assert pairs.decide(None, pairs.Params()) is None


def test_a_call_is_part_of_an_ending() -> None:
    calls = [Message("assistant", "", [ToolCall("a" * 9, "find", {"n": number})]) for number in (1, 2)]
    made = record(messages=[Message("user", "Find it"), calls[0]], rejected=[calls[1]])
    assert pairs.decide(decode(encode(pairs.measure(made))), pairs.Params(max_similarity=None)) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_measure_of_two_endings_is_that_of_the_other_way_round(one: str, other: str) -> None:
    here, there = pairs.measure(pair(one, other)), pairs.measure(pair(other, one))
    assert here
    assert there
    assert (here.similarity, here.length_ratio) == (there.similarity, there.length_ratio)
    assert 0 <= here.similarity <= 1 <= here.length_ratio
    assert (here.similarity == 1) == (" ".join(one.lower().split()) == " ".join(other.lower().split()))
    assert {here.longer, there.longer} in ({"chosen", "rejected"}, {"neither"})


# pairs that contradict each other

A, B, C = (
    f"{start} {LONG}" for start in ("First of all you look around.", "Never mind that.", "The third way is best:")
)


def left(*records: Record, **limits: Any) -> tuple[set[str], list[tuple[str, int]]]:
    """Reasons of the drops, and kind and size of what is listed."""
    found = deduped(records, **limits)
    rows = [(row["kind"], len(row["ids"])) for row in found.more["data/unresolved.jsonl"] if "p" in row["kind"][-7:]]
    return {drop.reason for drop in found.drops}, rows


def kinds(*records: Record, **limits: Any) -> list[str]:
    rows = deduped(records, **limits).more["data/unresolved.jsonl"]
    return [row["kind"] for row in rows if row["kind"] in ("contradictory_pairs", "preference_cycle")]


def reasons(*records: Record, **limits: Any) -> list[str]:
    return sorted(drop.reason for drop in deduped(records, **limits).drops)


def test_a_contradiction_is_no_duplicate_and_is_listed() -> None:
    both = pair(A, B), pair(B, A)
    assert reasons(*both) == []
    assert kinds(*both) == ["contradictory_pairs"]


def test_a_contradiction_is_dropped_on_demand_and_each_drop_names_the_other() -> None:
    both = pair(A, B), pair(B, A)
    found = deduped(both, contradictions="drop")
    assert {drop.id: (drop.reason, drop.evidence) for drop in found.drops} == {
        one.id: ("contradictory_pair", {"others": [other.id]}) for one, other in permutations(both)
    }
    assert not found.rows
    assert kinds(*both, contradictions="drop") == ["contradictory_pairs"]


def test_copies_of_both_sides_of_a_contradiction_fall_for_their_own_side() -> None:
    sides = [
        pair(A, B),
        pair(A, B, meta={"rating": 1.0}),
        pair(B, A),
        pair(B.upper(), A),
        pair(B, A, meta={"rating": 2.0}),
    ]
    for number, each in enumerate(sides):
        each.id = f"{number:032x}"
    drops = {int(drop.id, 16): int(drop.evidence["survivor"], 16) for drop in deduped(sides).drops}
    assert len(drops) == 3
    assert all((loser < 2) == (survivor < 2) for loser, survivor in drops.items())
    assert kinds(*sides) == ["contradictory_pairs"]


def test_a_circle_of_three_is_listed_or_dropped_whole() -> None:
    circle = pair(A, B), pair(B, C), pair(C, A)
    assert reasons(*circle) == []
    assert kinds(*circle) == ["preference_cycle"]
    assert reasons(*circle, contradictions="drop") == ["preference_cycle"] * 3


@pytest.mark.parametrize(
    ("whole", "limits", "left"),
    [
        ((pair(A, B), pair(B, A)), {}, 1),
        ((pair(A, B), pair(B, C), pair(C, A)), {}, 1),
        ((pair(A, B), pair(B, A)), {"contradictions": "drop"}, 0),
        ((pair(A, B), pair(B, C), pair(C, A)), {"contradictions": "drop"}, 0),
        ((pair(A, B), pair(A, C)), {}, 0),
    ],
)
def test_the_metric_counts_contradictions_that_nobody_dropped(
    whole: tuple[Record, ...], limits: dict[str, Any], left: int
) -> None:
    found = deduped(whole, **limits)
    gone = {drop.id for drop in found.drops}
    assert answers(found.more["data/unresolved.jsonl"], gone)["contradictions_left"] == left
    assert answers(found.more["data/unresolved.jsonl"], {whole[0].id, *gone})["contradictions_left"] == (
        left and len(whole) > 2
    )


@pytest.mark.parametrize("profile", ["starter-100", "lesson-200", "prod-1k", "commercial", "permissive"])
def test_a_contradiction_that_is_left_warns_and_fails_the_gate_of_a_product(profile: str) -> None:
    with params.using({"profile": profile}):
        rules = [rule for rule in gate.in_force().rules if rule.metric == "answers.contradictions_left"]
    (result,) = gate.results(gate.Params(rules), {"answers": {"contradictions_left": 1}})
    assert not result.passed
    assert result.severity == ("error" if profile in ("prod-1k", "commercial") else "warning")


@pytest.mark.parametrize(
    "whole",
    [
        (pair(A, B), pair(B, C), pair(A, C)),
        (pair(A, B), pair(B, A, asked="How do I name it?")),
        (pair(A, B), pair(C, B)),
        (record("Q", A), record("Q", B)),
        (record("Q", A, label=True), record("Q", A, label=False)),
    ],
)
def test_rankings_that_agree_stay(whole: tuple[Record, ...]) -> None:
    assert kinds(*whole) == []
    assert reasons(*whole, contradictions="drop") == []


NODES = st.integers(0, 5)


@given(st.sets(st.tuples(NODES, NODES).filter(lambda edge: edge[0] != edge[1]), max_size=15))
def test_an_edge_is_in_a_circle_if_its_end_leads_back_to_its_start(edges: set[tuple[int, int]]) -> None:
    def leads(start: int, end: int) -> bool:
        reached, before = {start}, set[int]()
        while reached != before:
            before = reached
            reached = reached | {other for one, other in edges if one in reached}
        return end in reached

    ordered = sorted(edges)
    found = list(in_circles([(one, other, place) for place, (one, other) in enumerate(ordered)]))
    assert sorted(place for circle in found for place in circle) == [
        place for place, (one, other) in enumerate(ordered) if leads(other, one)
    ]
    for circle in found:
        assert all(leads(ordered[one][0], ordered[other][0]) for one in circle for other in circle)


def test_a_long_chain_of_rankings_is_walked_without_recursion() -> None:
    chain = [(number, number + 1, number) for number in range(20_000)]
    assert list(in_circles(chain)) == []
    assert [len(circle) for circle in in_circles([*chain, (20_000, 0, 20_000)])] == [20_001]


# how tools are used

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("find", "add", "remove")]
TWO = [ToolCall("a" * 9, "find", {}), ToolCall("b" * 9, "find", {})]


def using(calls: list[ToolCall], **extra: Any) -> Record:
    turns = [Message("user", "Do it"), Message("assistant", "" if calls else "Done.", calls)]
    return record(messages=turns, tools=TOOLS, meta={"extra": extra})


def test_unused_tools_and_parallel_calls_are_counted() -> None:
    assert tools.measure(using(TWO)) == tools.Used(3, 2, 2, 2, False)
    assert tools.measure(using([], parallel_tool_calls=False)) == tools.Used(3, 3, 0, 0, False)
    assert tools.measure(record()) is None


@pytest.mark.parametrize(("flag", "calls", "wrong"), [(False, TWO, True), (False, TWO[:1], False), (True, TWO, False)])
def test_a_flag_that_forbids_what_the_record_does_is_wrong(flag: bool, calls: list[ToolCall], wrong: bool) -> None:
    value = decode(encode(tools.measure(using(calls, parallel_tool_calls=flag))))
    assert value["wrong_flag"] == wrong
    assert tools.decide(value, tools.Params()) == ("wrong_parallel_flag" if wrong else None)


def test_a_wrong_flag_is_counted_and_dropped_on_demand() -> None:
    row = {"tools": decode(encode(tools.measure(using(TWO, parallel_tool_calls=False))))}
    for action, dropped in (("count", None), ("keep", None), ("drop", "wrong_parallel_flag")):
        found = filter.decide("0" * 32, "sample", row, filter.prepare({"tools": {"action": action}}))
        assert (found and found.reason) == dropped


def test_more_unused_tools_than_allowed_are_dropped_on_demand() -> None:
    value = decode(encode(tools.measure(using(TWO))))
    assert [tools.decide(value, tools.Params(max_unused=limit)) for limit in (None, 2, 1)] == [
        None,
        None,
        "unused_tools",
    ]
